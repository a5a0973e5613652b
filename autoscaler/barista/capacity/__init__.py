"""Capacity: what replicas of a flavor serve within the SLO, from the execution profile."""
