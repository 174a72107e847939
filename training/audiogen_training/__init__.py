"""Trains the default model, on sounds and captions that the project makes itself."""
