"""The ports: what may be replaced, as protocols. Adapters and plug-ins implement them."""
