"""Makes a rival by its name."""

from collections.abc import Mapping

from barista.control.observe import Watched
from barista.control.rules import Rules
from barista.policies import fair_share, hpa, kpa_policy, latency_rules, schedule, static
from barista.policies.counting import Counting, CountRule
from barista.policies.options import (
    AiadOptions,
    FairShareOptions,
    HpaOptions,
    KpaOptions,
    OneshotOptions,
    Options,
    PolicyError,
    ScheduleOptions,
    StaticOptions,
    parsed,
)
from barista.policies.policy import Policy

POLICIES = (
    kpa_policy.NAME,
    static.NAME,
    hpa.NAME,
    schedule.NAME,
    latency_rules.AIAD,
    latency_rules.ONESHOT,
    fair_share.NAME,
)
"""Names of the rivals there are."""


def make_policy(name: str, options: Mapping[str, object], watched: Watched, rules: Rules) -> Policy:
    """The rival `name` for the services that are `watched`. PolicyError when it, or an option, is unknown."""

    def counting(rule: CountRule, tick_s: float | None, checked: Options) -> Policy:
        return Counting(name, tick_s, rule, checked, rules.capacity)

    services = watched.services
    match name:
        case kpa_policy.NAME:
            return kpa_policy.Kpa(parsed(KpaOptions, name, options, services), rules.capacity)
        case static.NAME:
            return static.Static(parsed(StaticOptions, name, options, services), rules.capacity)
        case hpa.NAME:
            aims = parsed(HpaOptions, name, options, services)
            return counting(hpa.Hpa(aims.target_utilisation), hpa.TICK_S, aims)
        case schedule.NAME:
            table = parsed(ScheduleOptions, name, options, services)
            rule = schedule.Schedule(tuple(table.counts.items()), table.time_zone, table.factor)
            return counting(rule, None, table)
        case latency_rules.AIAD:
            steps = parsed(AiadOptions, name, options, services)
            return counting(latency_rules.Aiad(steps.low), latency_rules.TICK_S, steps)
        case latency_rules.ONESHOT:
            leap = parsed(OneshotOptions, name, options, services)
            return counting(latency_rules.Oneshot(leap.target), latency_rules.TICK_S, leap)
        case fair_share.NAME:
            share = parsed(FairShareOptions, name, options, services)
            return counting(fair_share.FairShare(share.total, len(services)), None, share)
    raise PolicyError(f"policy {name!r}: no such rival; known: {', '.join(POLICIES)} (and barista itself)")
