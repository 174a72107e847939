"""What this machine can do: checks that try it, each in a process of its own."""
