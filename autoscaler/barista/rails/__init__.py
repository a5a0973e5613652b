"""The guard rails: small wrappers of one interface, composed in one place."""
