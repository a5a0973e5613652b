"""The built-in forecasters and planners. They get nothing that an outside plug-in does not get."""
