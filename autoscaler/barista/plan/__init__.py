"""Planning: posing the problem, the planner host, and the greedy planner that needs no solver."""
