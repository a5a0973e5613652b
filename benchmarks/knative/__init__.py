"""What Barista does on a real Kubernetes and Knative, in figures; the node is the test cluster's stand-in."""
