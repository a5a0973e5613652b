"""Contracts that plug-in and platform authors can run against their own code."""
