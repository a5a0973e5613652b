"""An example for authors of plug-ins: one small forecaster, installed or served."""
