"""Truth tables: each guard rail by itself, from what is held and wanted to what is left."""

from collections.abc import Callable

import pytest
from core_world import (
    NOW,
    PROFILES,
    make_forecast,
    make_service,
    make_view,
    proposal,
    remembering,
    scene,
    seen,
)

from barista.rails import service as rails
from barista.rails.rail import Proposal, Scene, only_raising
from barista.values.decision import Boost, Memory, ServiceMemory
from barista.values.replica import Counts
from barista.values.service import Authority

A = make_service().id


def after(
    rail: Callable[[Proposal, Scene], Proposal], given: Proposal, scenery: Scene
) -> tuple[Counts, bool]:
    """The counts after `rail`, and whether it says that it binds."""
    end = rail(given, scenery)
    said = end.reasons[len(given.reasons) :]
    return end.counts, any(reason.binds for reason in said)


@pytest.mark.parametrize(
    ("held", "wanted", "left"),
    [
        ({"small": 2}, {"small": 1}, {"small": 2}),
        ({"small": 2}, {"small": 3}, {"small": 3}),
        ({"small": 2}, {}, {"small": 2}),
        ({"small": 2}, {"medium": 2}, {"medium": 2}),
        ({"medium": 1}, {"small": 1}, {"medium": 1}),
        ({"medium": 1}, {"small": 3}, {"medium": 1, "small": 2}),
        ({"small": 2}, {"medium": 1}, {"small": 1, "medium": 1}),
        ({"small": 2}, {"large": 1}, {"small": 2, "large": 1}),
        ({"small": 1, "large": 1}, {"medium": 1}, {"medium": 1, "large": 1}),
        ({}, {"small": 1}, {"small": 1}),
        ({"gone": 1}, {"small": 1}, {"gone": 1, "small": 1}),
    ],
)
def test_only_raising_grows_and_adds_but_stops_and_shrinks_nothing(
    held: Counts, wanted: Counts, left: Counts
) -> None:
    view = make_view(held)
    assert only_raising(view, held, wanted, scene(view)) == left


@pytest.mark.parametrize(
    ("demand_age_s", "seen_for_s", "blind"),
    [
        (0, 120, False),
        (0, 119, True),
        (0, None, True),
        (31, 500, True),
        (None, 500, True),
    ],
)
def test_hold_when_blind_holds_until_demand_was_fresh_for_the_window(
    demand_age_s: float | None, seen_for_s: float | None, blind: bool
) -> None:
    observation = seen(A, None) if demand_age_s is None else seen(A, at=NOW - demand_age_s)
    view = make_view({"small": 3}, observation=observation)
    memory = remembering(A, seen_at_s=None if seen_for_s is None else NOW - seen_for_s)
    end = rails.hold_when_blind(proposal(view, {"small": 1}), scene(view, memory=memory, stabilisation_s=120))
    assert end.frozen is blind
    assert end.counts == ({"small": 3} if blind else {"small": 1})
    assert [r.rail for r in end.reasons if r.binds] == (["hold when blind"] if blind else [])


def test_hold_when_blind_says_so_even_where_it_changes_nothing() -> None:
    view = make_view({"small": 3}, observation=seen(A, None))
    end = rails.hold_when_blind(proposal(view, {"small": 4}), scene(view))
    assert end.counts == {"small": 4}
    assert [(r.rail, r.binds) for r in end.reasons] == [("hold when blind", False)]
    assert "demand is missing" in end.reasons[0].text


@pytest.mark.parametrize(
    ("margin", "wanted", "left"),
    [
        (1.0, {"small": 1}, {"small": 1}),
        (1.5, {"small": 1}, {"small": 3}),
        (1.5, {"small": 3}, {"small": 3}),
        (1.5, {"large": 1}, {"large": 1}),
    ],
)
def test_safety_margin_is_a_share_of_the_demand_not_of_what_is_held(
    margin: float, wanted: Counts, left: Counts
) -> None:
    # 20 requests/s until a replica ordered now would serve (20 s); what comes later is the plan's part.
    view = make_view({"small": 2})
    scenery = scene(view, forecasts={A: make_forecast(10, 20, 90, 90)}, safety_margin=margin)
    assert after(rails.safety_margin, proposal(view, wanted), scenery) == (left, wanted != left)


def test_safety_margin_without_a_forecast_does_not_grow_what_is_held() -> None:
    view = make_view({"small": 5})
    assert after(rails.safety_margin, proposal(view, {"small": 5}), scene(view, safety_margin=2)) == (
        {"small": 5},
        False,
    )


@pytest.mark.parametrize(
    ("in_flight", "age_s", "wanted", "left"),
    [
        (0, 0, {"small": 1}, {"small": 1}),
        (5, 0, {"small": 1}, {"small": 1}),  # 10 requests/s x 0.5 s are answered in time
        (6, 0, {"small": 1}, {"small": 2}),
        (6, 0, {"medium": 1}, {"medium": 1}),
        (26, 0, {"medium": 1}, {"medium": 1, "small": 4}),
        (6, 31, {"small": 1}, {"small": 1}),
        (None, 0, {"small": 1}, {"small": 1}),
    ],
)
def test_reactive_minimum_covers_what_is_in_flight(
    in_flight: float | None, age_s: float, wanted: Counts, left: Counts
) -> None:
    view = make_view({"small": 1}, observation=seen(A, in_flight=in_flight, at=NOW - age_s))
    assert after(rails.reactive_minimum, proposal(view, wanted), scene(view)) == (left, wanted != left)


def test_reactive_minimum_counts_replicas_that_are_starting() -> None:
    view = make_view({"small": 1}, starting={"small": 2}, observation=seen(A, in_flight=15))
    assert after(rails.reactive_minimum, proposal(view, {"small": 3}), scene(view)) == ({"small": 3}, False)


def test_reactive_minimum_leaves_a_service_alone_that_no_flavor_can_serve() -> None:
    view = make_view({"tiny": 1}, make_service(flavors=("tiny",)), seen(A, in_flight=50))
    assert after(rails.reactive_minimum, proposal(view, {"tiny": 1}), scene(view)) == ({"tiny": 1}, False)


@pytest.mark.parametrize(
    ("held", "boost", "until_s", "wanted", "left"),
    [
        ({"small": 3}, {"small": 3}, NOW + 1, {"small": 1}, {"small": 3}),
        ({"small": 3}, {"small": 3}, NOW, {"small": 1}, {"small": 1}),
        ({"small": 3}, {"small": 2}, NOW + 1, {"small": 1}, {"small": 3}),
        ({"small": 1}, {"small": 3}, NOW + 1, {"small": 1}, {"small": 3}),
        ({"small": 1}, {"medium": 1}, NOW + 1, {"small": 1}, {"medium": 1}),
        ({"small": 1, "large": 1}, {"small": 6}, NOW + 1, {"small": 1}, {"small": 6, "large": 1}),
        ({"small": 1}, {"small": 3}, NOW + 1, {"large": 1}, {"large": 1}),
    ],
)
def test_surge_boost_keeps_its_capacity_until_it_expires_and_stops_nothing_for_it(
    held: Counts, boost: Counts, until_s: float, wanted: Counts, left: Counts
) -> None:
    memory = Memory({A: ServiceMemory(boost=Boost(boost, until_s, "strain"), seen_at_s=0.0)})
    view = make_view(held)
    assert after(rails.surge_boost, proposal(view, wanted), scene(view, memory=memory)) == (
        left,
        wanted != left,
    )


def test_surge_boost_says_when_surge_is_off() -> None:
    view = make_view({"small": 1})
    memory = Memory({A: ServiceMemory(surge_off="in flight is 12 s old", seen_at_s=0.0)})
    end = rails.surge_boost(proposal(view, {"small": 1}), scene(view, memory=memory))
    assert [(r.text, r.binds) for r in end.reasons] == [("surge is off: in flight is 12 s old", False)]


@pytest.mark.parametrize(
    ("held", "wanted", "left", "frozen"),
    [
        ({}, {}, {"small": 2}, False),
        ({"large": 1}, {"large": 1}, {"large": 2}, False),
        ({"small": 2}, {"small": 1}, {"small": 2}, False),
        ({"small": 3}, {"small": 3}, {"small": 3}, False),
        ({"small": 3}, {"small": 9}, {"small": 4}, False),
        ({"small": 2}, {"small": 2, "large": 3}, {"small": 2, "large": 2}, False),
        ({"small": 6}, {"small": 6}, {"small": 4}, False),
        ({"small": 6}, {"small": 8}, {"small": 6}, True),
        ({"small": 3}, {"small": 8}, {"small": 4}, True),
        ({"tiny": 3, "small": 4}, {"tiny": 3, "small": 4}, {"tiny": 3, "small": 4}, False),
        ({"tiny": 3}, {"tiny": 3}, {"tiny": 3, "small": 2}, False),
    ],
)
def test_service_bounds_hold_between_two_and_four(
    held: Counts, wanted: Counts, left: Counts, frozen: bool
) -> None:
    view = make_view(held, make_service(min_replicas=2, max_replicas=4))
    changed = {f: n for f, n in wanted.items() if n} != left
    assert after(rails.service_bounds, proposal(view, wanted, frozen), scene(view)) == (left, changed)


def test_service_bounds_of_a_service_without_any_profile_count_what_it_has() -> None:
    view = make_view({"small": 2}, make_service(min_replicas=2), profiles={})
    assert after(rails.service_bounds, proposal(view, {"small": 2}), scene(view)) == ({"small": 2}, False)


@pytest.mark.parametrize(
    ("held", "wanted", "left", "frozen"),
    [
        ({"small": 2}, {"small": 4}, {"small": 4}, False),
        ({"small": 2}, {"small": 5}, {"small": 4}, False),
        ({}, {"small": 1, "large": 3}, {"large": 2}, False),
        ({"small": 5}, {"small": 4}, {"small": 4}, False),
        ({"small": 5}, {"small": 1}, {"small": 4}, False),
        ({"small": 9, "large": 1}, {"small": 2, "large": 1}, {"small": 8, "large": 1}, False),
        ({"small": 3}, {"large": 1}, {"small": 1, "large": 1}, False),
        ({"small": 3}, {"medium": 1}, {"small": 1, "medium": 1}, False),
        ({"small": 2}, {"medium": 5}, {"medium": 4}, True),
    ],
)
def test_rate_limits_let_two_more_and_one_fewer_through_at_once(
    held: Counts, wanted: Counts, left: Counts, frozen: bool
) -> None:
    view = make_view(held)
    scenery = scene(view, max_step_up=2, max_step_down=1)
    assert after(rails.rate_limits, proposal(view, wanted, frozen), scenery) == (left, wanted != left)


@pytest.mark.parametrize(
    ("held", "wanted", "left"),
    [
        ({"small": 2}, {"small": 1}, {"small": 1}),  # saves half
        ({"small": 20}, {"small": 19}, {"small": 20}),  # saves 5 %
        ({"small": 20}, {"small": 18}, {"small": 18}),  # saves 10 %
        ({"small": 1}, {"small": 2}, {"small": 2}),
        ({"medium": 1}, {"small": 2}, {"small": 2}),  # lowers nothing
        ({"large": 1}, {"small": 3}, {"small": 3}),  # saves 40 %
        ({"gone": 1, "small": 2}, {"gone": 1, "small": 1}, {"gone": 1, "small": 1}),
    ],
)
def test_hysteresis_leaves_a_lowering_alone_that_saves_little(
    held: Counts, wanted: Counts, left: Counts
) -> None:
    view = make_view(held, make_service(max_replicas=30))
    assert after(rails.hysteresis, proposal(view, wanted), scene(view, hysteresis=0.1)) == (
        left,
        wanted != left,
    )


def test_hysteresis_does_not_keep_a_service_above_its_maximum() -> None:
    view = make_view({"small": 20}, make_service(max_replicas=19))
    assert after(rails.hysteresis, proposal(view, {"small": 19}), scene(view)) == ({"small": 19}, False)


@pytest.mark.parametrize(
    ("held", "wishes", "wanted", "left"),
    [
        ({"small": 5}, [], {"small": 1}, {"small": 1}),
        ({"small": 5}, [(100, {"small": 5})], {"small": 1}, {"small": 5}),
        ({"small": 5}, [(100, {"small": 3}), (50, {"small": 2})], {"small": 1}, {"small": 3}),
        ({"small": 5}, [(121, {"small": 5}), (50, {"small": 2})], {"small": 1}, {"small": 2}),
        ({"small": 5}, [(50, {"small": 8})], {"small": 6}, {"small": 6}),
        ({"small": 5}, [(50, {"large": 1})], {"small": 1}, {"small": 5}),
        ({"medium": 3}, [(50, {"small": 3})], {"small": 1}, {"small": 3}),
        ({"small": 5}, [(50, {"small": 1})], {"small": 2}, {"small": 2}),
    ],
)
def test_stabilisation_lowers_only_to_the_most_wanted_lately(
    held: Counts, wishes: list[tuple[float, Counts]], wanted: Counts, left: Counts
) -> None:
    view = make_view(held)
    scenery = scene(view, memory=remembering(A, wishes=wishes), stabilisation_s=120)
    assert after(rails.stabilisation, proposal(view, wanted), scenery) == (left, wanted != left)


def test_stabilisation_does_not_keep_a_service_above_its_maximum() -> None:
    view = make_view({"small": 5}, make_service(max_replicas=4))
    scenery = scene(view, memory=remembering(A, wishes=[(50, {"small": 5})]))
    assert after(rails.stabilisation, proposal(view, {"small": 4}), scenery) == ({"small": 4}, False)


@pytest.mark.parametrize(
    ("authority", "left", "binds"),
    [
        (Authority.ADVISE, {"small": 1}, True),
        (Authority.FLOOR, {"small": 3}, False),
        (Authority.PIN, {"small": 3}, False),
    ],
)
def test_authority_has_the_last_word(authority: Authority, left: Counts, binds: bool) -> None:
    view = make_view({"small": 1}, make_service(authority=authority))
    assert after(rails.authority, proposal(view, {"small": 3}), scene(view)) == (left, binds)


def test_the_cheapest_flavor_is_by_cost_per_request() -> None:
    view = make_view({}, make_service(flavors=("medium", "large", "small")))
    assert rails.cheapest_flavor(view, scene(view)) == "small"
    assert rails.cheapest_flavor(make_view({}, profiles={"large": PROFILES["large"]}), scene(view)) == "large"
