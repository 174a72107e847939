"""What surrounds the network while sampling: schedules, noise, guidance, parametrisations."""
