"""Knative's own autoscaler (the KPA), as a pure decider.

It aims at a mean concurrency per pod. Normally it follows the mean over the stable window (60 s). Where
the mean over the last tenth of it asks for twice the pods that are ready, it panics: it follows
whichever mean is larger and takes no pod away until it has seen no such excess for a stable window.
Rules and defaults are those of knative.dev/serving, pkg/autoscaler/scaling and config/core.
"""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class KpaRules:
    """The constants; `target` is the mean concurrency that one pod is meant to have.

    The panic window is the share `panic_share` of the stable one.
    A service with any load at all has at least `activation_scale` pods.
    """

    target: float
    stable_window_s: float = 60.0
    panic_share: float = 0.1
    panic_threshold: float = 2.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    activation_scale: int = 1


@dataclass(frozen=True, slots=True)
class KpaState:
    """What it remembers: since when it last had cause to panic, and its pods in panic."""

    panic_at_s: float | None = None
    panic_pods: int = 0

    @staticmethod
    def starting(ready: int, now_s: float) -> "KpaState":
        """A start next to several pods is a restart without memory: it panics, so as to keep them."""
        return KpaState(now_s, ready) if ready > 1 else KpaState()


@dataclass(frozen=True, slots=True)
class Scale:
    """Its opinion: how many pods, and why."""

    pods: int
    text: str


def scale(
    stable: float, panic: float, state: KpaState, ready: int, now_s: float, rules: KpaRules
) -> tuple[Scale, KpaState]:
    """How many pods there should be at `now_s` next to `ready` ones, and the state to go on with.

    `stable` and `panic` are the mean concurrency over the stable and over the panic window.
    """
    ready = max(1, ready)
    panicking = math.ceil(panic / rules.target) / ready >= rules.panic_threshold
    stable_pods, panic_pods = _pods(stable, ready, rules), _pods(panic, ready, rules)
    state = _panicking(state, panicking, now_s, rules)
    seen = f"mean concurrency {stable:.2f}, lately {panic:.2f}, target {rules.target:g} a pod"
    if state.panic_at_s is None:
        return Scale(stable_pods, f"stable: {seen}"), state
    state = replace(state, panic_pods=max(state.panic_pods, stable_pods, panic_pods))
    return Scale(state.panic_pods, f"panic: {seen}"), state


def _panicking(state: KpaState, cause: bool, now_s: float, rules: KpaRules) -> KpaState:
    """The state with panic begun, prolonged, or over a stable window after its last cause."""
    if cause:
        return replace(state, panic_at_s=now_s)
    if state.panic_at_s is not None and now_s - state.panic_at_s > rules.stable_window_s:
        return replace(state, panic_at_s=None, panic_pods=0)
    return state


def _pods(concurrency: float, ready: int, rules: KpaRules) -> int:
    """Pods for a mean concurrency: within the rates, and not fewer than an activation brings, if any."""
    wanted = math.ceil(concurrency / rules.target)
    at_most = math.ceil(rules.max_scale_up_rate * ready)
    at_least = math.floor(ready / rules.max_scale_down_rate)
    pods = min(max(wanted, at_least), at_most)
    return max(pods, rules.activation_scale) if wanted > 0 else pods
