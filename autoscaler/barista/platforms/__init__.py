"""Platforms: where services run; each has its observing and its acting side together."""
