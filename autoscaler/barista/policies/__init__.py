"""Rivals: other policies that turn a situation into decisions.

They run in Barista's place under the same controller, on the same platform and metrics. A rival keeps
its own rules whole: its decisions pass none of Barista's guard rails, which could only flatter it.
"""

from barista.policies.make import POLICIES, make_policy
from barista.policies.options import PolicyError
from barista.policies.policy import Policy
from barista.policies.turn import rival_turn

__all__ = ["POLICIES", "Policy", "PolicyError", "make_policy", "rival_turn"]
