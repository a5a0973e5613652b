"""The frozen values that flow through a cycle. No I/O here, nothing heavier than numpy."""
