"""Barista: predictive autoscaling for deep-learning prediction services."""

__version__ = "0.1.0"
