"""Profiling: measuring execution profiles on a real model server."""
