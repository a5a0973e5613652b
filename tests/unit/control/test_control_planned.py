"""From the plan's first steps to what a service should hold until the next cycle."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from core_world import PROFILES, make_forecast, make_plan, make_service, make_view, rules, scene
from hypothesis import given
from hypothesis import strategies as st

from barista.control.planned import planned_counts
from barista.values.replica import Counts
from barista.values.service import Service

Rows = Mapping[str, tuple[Sequence[int], ...]]
"""(starts, stops, resized) by flavor; a step is 10 s, a replica is set up in two."""


def planned(
    held: Counts,
    rows: Rows,
    demand: Sequence[float] = (5,),
    starting: Counts | None = None,
    service: Service | None = None,
    cycle_s: float = 0.0,
) -> Counts:
    view = make_view(held, service, starting=starting)
    plan = make_plan({view.service.id: rows}).services[view.service.id]
    return planned_counts(view, plan, make_forecast(*demand), scene(view), replace(rules(), cycle_s=cycle_s))


@pytest.mark.parametrize(
    ("held", "rows", "left"),
    [
        pytest.param({"small": 2}, {}, {"small": 2}, id="nothing to do"),
        pytest.param({"small": 2}, {"small": ([1], [])}, {"small": 3}, id="a start now"),
        pytest.param({"small": 2}, {"small": ([0, 1], [])}, {"small": 2}, id="a start later"),
        pytest.param({"small": 2}, {"small": ([], [1])}, {"small": 1}, id="a stop now"),
        pytest.param({"small": 2}, {"small": ([], [5])}, {}, id="never below nothing"),
        pytest.param(
            {"small": 2}, {"medium": ([2], [], [2]), "small": ([], [2])}, {"medium": 2}, id="growth in place"
        ),
        pytest.param(
            {"small": 2},
            {"medium": ([0, 2], [], [0, 2]), "small": ([], [0, 2])},
            {"small": 2},
            id="growth in place later",
        ),
        pytest.param(
            {"small": 1, "tiny": 1},
            {"medium": ([1], [], [1]), "small": ([], [1])},
            {"medium": 1},
            id="growth beside a flavor that leaves",
        ),
    ],
)
def test_the_first_step_of_the_plan(held: Counts, rows: Rows, left: Counts) -> None:
    assert planned(held, rows) == left


@pytest.mark.parametrize(
    ("cycle_s", "rows", "left"),
    [
        pytest.param(10, {"small": ([0, 1], [])}, {"small": 2}, id="the next cycle will see to it"),
        pytest.param(11, {"small": ([0, 1], [])}, {"small": 3}, id="a start"),
        pytest.param(30, {"small": ([0, 1, 2, 4], [])}, {"small": 5}, id="all starts until then"),
        pytest.param(900, {"small": ([0, 0, 0, 0, 0, 1], [])}, {"small": 3}, id="as far as the plan goes"),
        pytest.param(
            30,
            {"medium": ([0, 0, 1], [], [0, 0, 1]), "small": ([], [0, 0, 1])},
            {"small": 1, "medium": 1},
            id="growth in place",
        ),
        pytest.param(30, {"small": ([], [0, 1])}, {"small": 2}, id="but no stop"),
        pytest.param(30, {"small": ([0, 0, 1], [1])}, {"small": 2}, id="a start that a stop would precede"),
    ],
)
def test_what_falls_due_before_the_next_cycle_is_raised_now(cycle_s: float, rows: Rows, left: Counts) -> None:
    assert planned({"small": 2}, rows, cycle_s=cycle_s) == left


@pytest.mark.parametrize(
    ("held", "starting", "left"),
    [
        ({"tiny": 2}, {}, {"tiny": 2, "small": 1}),
        ({"tiny": 2, "small": 1}, {}, {"small": 2}),
        ({"tiny": 2}, {"small": 1}, {"tiny": 2, "small": 2}),
        ({"large": 1, "small": 1}, {}, {"small": 2}),
    ],
)
def test_replicas_on_flavors_out_of_use_leave_once_the_others_serve(
    held: Counts, starting: Counts, left: Counts
) -> None:
    service = make_service(flavors=("tiny", "small"), min_replicas=1)
    assert planned(held, {"small": ([1], [])}, (8,), starting, service) == left


@pytest.mark.parametrize(
    ("most", "demand", "left"),
    [
        pytest.param(9, 8, {"large": 8, "small": 1}, id="room for both"),
        pytest.param(8, 8, {"large": 7, "small": 1}, id="one makes room"),
        pytest.param(8, 1e6, {"large": 8, "small": 1}, id="all are needed"),
    ],
)
def test_where_the_maximum_has_no_room_for_both_flavors_what_the_demand_does_not_need_makes_it(
    most: int, demand: float, left: Counts
) -> None:
    service = make_service(flavors=("tiny", "small"), min_replicas=1, max_replicas=most)
    assert planned({"large": 8}, {"small": ([1], [])}, (demand,), {}, service) == left


numbers = st.lists(st.integers(0, 4), max_size=6)


@given(
    st.dictionaries(st.sampled_from(sorted(PROFILES)), st.integers(1, 4)),
    st.dictionaries(st.sampled_from(sorted(PROFILES)), st.tuples(numbers, numbers)),
    st.lists(st.floats(0, 100), min_size=1, max_size=6),
    st.sampled_from([0.0, 25.0]),
)
def test_counts_are_positive_whatever_a_plan_says(
    held: Counts, rows: Rows, demand: list[float], cycle_s: float
) -> None:
    counts = planned(held, rows, demand, cycle_s=cycle_s)
    assert all(n > 0 for n in counts.values())
    assert sum(counts.values()) <= sum(held.values()) + sum(sum(start[:3]) for start, *_ in rows.values())
