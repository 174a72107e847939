"""Models in the Stable Audio format: their configs, checkpoints, parts and where they come from."""
