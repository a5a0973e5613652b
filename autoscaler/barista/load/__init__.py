"""Load: arrivals from traces, and the open-loop client that sends them."""
