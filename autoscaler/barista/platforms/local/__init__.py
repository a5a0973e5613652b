"""The local platform: real model-server processes on one machine, no Kubernetes."""
