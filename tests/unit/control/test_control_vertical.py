"""From the plan's first step to what a service should hold: in place where the plan replaces."""

from collections.abc import Mapping, Sequence

import pytest
from core_world import HORIZON, PROFILES, make_forecast, make_plan, make_service, make_view, scene
from hypothesis import given
from hypothesis import strategies as st

from barista.control.vertical import planned_counts
from barista.values.replica import Counts
from barista.values.service import Service

Rows = Mapping[str, tuple[Sequence[int], Sequence[int]]]
"""(starts, stops) by flavor; a replica is set up in two steps."""


def planned(
    held: Counts,
    rows: Rows,
    demand: Sequence[float] = (5,),
    starting: Counts | None = None,
    service: Service | None = None,
) -> tuple[Counts, str]:
    view = make_view(held, service, starting=starting)
    all_held = {f: held.get(f, 0) + (starting or {}).get(f, 0) for f in {*held, *(starting or {})}}
    plan = make_plan({view.service.id: rows}).services[view.service.id]
    return planned_counts(view, all_held, plan, make_forecast(*demand), scene(view), HORIZON)


@pytest.mark.parametrize(
    ("held", "rows", "left", "text"),
    [
        pytest.param({"small": 2}, {}, {"small": 2}, "planned", id="nothing to do"),
        pytest.param({"small": 2}, {"small": ([1], [])}, {"small": 3}, "planned", id="a start now"),
        pytest.param({"small": 2}, {"small": ([0, 1], [])}, {"small": 2}, "planned", id="a start later"),
        pytest.param({"small": 2}, {"small": ([], [1])}, {"small": 1}, "planned", id="a stop now"),
        pytest.param({"small": 2}, {"small": ([], [5])}, {}, "planned", id="never below nothing"),
        pytest.param(
            {"small": 2},
            {"medium": ([2], []), "small": ([], [0, 0, 2])},
            {"medium": 2},
            "planned, in place",
            id="growth at once",
        ),
        pytest.param(
            {"small": 1},
            {"medium": ([3], []), "small": ([], [0, 0, 1])},
            {"medium": 3},
            "planned, in place",
            id="growth, and two starts besides",
        ),
        pytest.param(
            {"small": 2},
            {"medium": ([1], []), "small": ([], [0, 0, 0, 1])},
            {"small": 2, "medium": 1},
            "planned",
            id="a stop too late to be the same replica",
        ),
        pytest.param(
            {"medium": 1},
            {"large": ([1], []), "medium": ([], [0, 0, 1])},
            {"medium": 1, "large": 1},
            "planned",
            id="another family",
        ),
        pytest.param(
            {"medium": 1},
            {"small": ([1], []), "medium": ([], [0, 0, 1])},
            {"small": 1},
            "planned, in place",
            id="shrinking, for the smaller one serves the demand",
        ),
        pytest.param(
            {"small": 1, "tiny": 1},
            {"medium": ([2], []), "small": ([], [0, 1])},
            {"medium": 2},
            "planned, in place",
            id="growth beside a flavor that leaves",
        ),
    ],
)
def test_the_first_step_of_the_plan(held: Counts, rows: Rows, left: Counts, text: str) -> None:
    assert planned(held, rows) == (left, text)


def test_shrinking_waits_while_the_demand_needs_the_larger_one() -> None:
    rows: Rows = {"small": ([1], []), "medium": ([], [0, 0, 1])}
    assert planned({"medium": 1}, rows, (15, 5, 5)) == ({"medium": 1}, "planned, shrinking in place later")
    assert planned({"medium": 1}, rows, (5, 5, 15)) == ({"small": 1}, "planned, in place")


def test_shrinking_does_not_count_on_replicas_that_are_only_starting() -> None:
    rows: Rows = {"small": ([1], []), "medium": ([], [0, 0, 1])}
    assert planned({"medium": 1}, rows, (15,), starting={"small": 2})[0] == {"medium": 1, "small": 2}


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
    assert planned(held, {"small": ([1], [])}, (8,), starting, service)[0] == left


numbers = st.lists(st.integers(0, 4), max_size=6)


@given(
    st.dictionaries(st.sampled_from(sorted(PROFILES)), st.integers(1, 4)),
    st.dictionaries(st.sampled_from(sorted(PROFILES)), st.tuples(numbers, numbers)),
    st.lists(st.floats(0, 100), min_size=1, max_size=6),
)
def test_counts_are_positive_whatever_a_plan_says(held: Counts, rows: Rows, demand: list[float]) -> None:
    counts, _ = planned(held, rows, demand)
    assert all(n > 0 for n in counts.values())
    assert sum(counts.values()) <= sum(held.values()) + sum(sum(start[:1]) for start, _ in rows.values())
