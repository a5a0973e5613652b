"""Control: the cycle, surge, learning, memory and explanation."""
