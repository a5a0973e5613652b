"""Benchmarks: each claim about Barista, as a command that measures it."""
