"""Rivals: other policies that turn a situation into decisions."""
