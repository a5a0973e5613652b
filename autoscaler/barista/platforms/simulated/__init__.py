"""The simulated platform: a cluster in virtual time, under the same cycle as production."""
