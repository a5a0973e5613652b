"""Barista on a Knative Serving cluster: what is read from it, and what is written to it."""
