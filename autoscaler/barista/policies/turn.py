"""A rival's turn: it looks at the same platform and metrics as Barista's cycle, and decides."""

from barista.control.controller import Turn
from barista.control.cycle import Pass
from barista.control.observe import Watched, observe
from barista.policies.policy import Policy
from barista.ports.platform import MetricSource, Platform
from barista.values.decision import Memory
from barista.values.problem import Plan, PlanStatus


def rival_turn(
    policy: Policy,
    watched: Watched,
    platform: Platform,
    metrics: MetricSource,
    window_s: float,
    step_s: float,
) -> Turn:
    """The turn of a controller that `policy` runs.

    A policy with a tick of its own is shown means over that tick, so that its looks leave nothing
    out; another one means over `window_s`.
    """
    over_s = policy.tick_s or window_s

    def turn(memory: Memory, now_s: float) -> Pass:
        situation = observe(watched, platform, metrics, memory, now_s, over_s, step_s)
        plan = Plan({}, PlanStatus.FAILED, policy.name, note="a policy without a plan")
        return Pass(situation, {}, plan, policy.decide(situation, memory))

    return turn
