"""Foresight: the forecaster host with its ladder, and the simple rungs that need numpy only."""
