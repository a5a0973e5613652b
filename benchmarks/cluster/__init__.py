"""The shared-cluster benchmark: ten services, one fixed total of replicas (PROTOCOL.md of the case)."""
