"""Makes this folder importable, so that its folders can share the small world of `core_world`."""
