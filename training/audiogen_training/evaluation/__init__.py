"""Measures how well a trained model does what captions say."""
