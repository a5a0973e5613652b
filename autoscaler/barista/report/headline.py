"""The headline: what a run did and what it cost, in a few plain sentences.

It says the same on the picture and on the page, and states the rival's figures whoever is better.
"""

from collections.abc import Mapping

import numpy as np

from barista.report.recording import Run
from barista.report.scores import Score, ahead_of_load, scores, total

NAMES = {"barista": "Barista", "kpa": "Knative's autoscaler (KPA rules)", "static": "A static replica count"}


def policy_name(policy: str) -> str:
    """The policy's name in a sentence."""
    return NAMES.get(policy, policy)


def kept(score: Score) -> str:
    """Share of the requests served within their objective, as text."""
    ratio = score.slo_violation_ratio
    return "none sent" if ratio is None else percent(1 - ratio)


def percent(ratio: float) -> str:
    """A share as text, never rounded up to the whole nor down to nothing."""
    shown = f"{ratio * 100:.1f}"
    if shown == "100.0" and ratio < 1:
        shown = f"{np.floor(ratio * 1e4) / 100:.2f}"
    if shown == "0.0" and ratio > 0:
        shown = "less than 0.1"
    return f"{shown} %"


def money(cost: float) -> str:
    """A cost to three digits."""
    return f"{cost:.3g}"


def headline(runs: Mapping[str, Run]) -> tuple[str, ...]:
    """The sentences, the most important one first; the first of `runs` is the one they are about."""
    (policy, run), *rivals = runs.items()
    ours = total(scores(run))
    cut_off = "" if run.usage else " (cut off: cost added up from the cycles)"
    sentences = [
        f"{policy_name(policy)} served {kept(ours)} of {ours.requests:,} requests within their latency"
        f" objective, at a cost of {money(ours.cost)}{cut_off}"
    ]
    for name, rival in rivals:
        theirs = total(scores(rival))
        sentences.append(
            f"{policy_name(name)} on the same arrivals: {kept(theirs)} within the objective,"
            f" at a cost of {money(theirs.cost)}{_compared(ours.cost, theirs.cost)}."
        )
    ahead = ahead_of_load(run)
    if ahead:
        rises = sum(d.rise(run.info.flavors) > 0 for d in run.decisions)
        lead = float(np.median([a.lead_s for a in ahead]))
        sentences.append(
            f"Foresight: {len(ahead)} of {rises} scale-ups were ready before the load that needed them,"
            f" {lead:.0f} s before in the median."
        )
    return tuple(sentences)


def _compared(ours: float, theirs: float) -> str:
    if ours <= 0 or theirs <= 0 or round(100 * (theirs / ours - 1)) == 0:
        return ""
    change = theirs / ours - 1
    return f" ({abs(change) * 100:.0f} % {'more' if change > 0 else 'less'})"
