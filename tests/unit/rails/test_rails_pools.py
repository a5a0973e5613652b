"""The rail over all services: who gets what of a node pool that is too small."""

from collections.abc import Mapping

import pytest
from core_world import CATALOGUE, make_service, make_view, proposal, scene

from barista.rails.pools import pool_limits
from barista.values.flavor import Catalogue, Pool
from barista.values.replica import Counts
from barista.values.service import Authority

Wishes = Mapping[str, tuple[Counts, Counts]]
"""(held, wanted) by service."""


def left_of(
    wishes: Wishes, advising: tuple[str, ...] = (), catalogue: Catalogue = CATALOGUE
) -> dict[str, Counts]:
    views = {
        name: make_view(
            held, make_service(name, authority=Authority.ADVISE if name in advising else Authority.PIN)
        )
        for name, (held, _) in wishes.items()
    }
    given = tuple(proposal(views[name], wanted) for name, (_, wanted) in wishes.items())
    ends = pool_limits(given, scene(*views.values(), catalogue=catalogue))
    for begin, end in zip(given, ends, strict=True):
        assert [r.rail for r in end.reasons] == (["pool limits"] if end.counts != begin.counts else [])
    return dict(zip(wishes, (end.counts for end in ends), strict=True))


@pytest.mark.parametrize(
    ("wishes", "left"),
    [
        pytest.param({"a": ({"small": 1}, {"small": 10})}, {"a": {"small": 10}}, id="all of the pool"),
        pytest.param({"a": ({"small": 1}, {"small": 11})}, {"a": {"small": 10}}, id="no more than the pool"),
        pytest.param(
            {"a": ({"small": 1}, {"small": 8}), "b": ({"small": 1}, {"small": 8})},
            {"a": {"small": 5}, "b": {"small": 5}},
            id="shared by those who want as much",
        ),
        pytest.param(
            {"a": ({"small": 7}, {"small": 8}), "b": ({"small": 1}, {"small": 6})},
            {"a": {"small": 7}, "b": {"small": 3}},
            id="to the worst covered, and what is held stays",
        ),
        pytest.param(
            {"a": ({"small": 6}, {"small": 1}), "b": ({"small": 4}, {"small": 9})},
            {"a": {"small": 1}, "b": {"small": 9}},
            id="what one gives up another gets",
        ),
        pytest.param(
            {"a": ({"small": 8}, {"medium": 8})},
            {"a": {"small": 6, "medium": 2}},
            id="growth in place counts",
        ),
        pytest.param(
            {"a": ({"small": 10}, {"large": 2})}, {"a": {"large": 2}}, id="a swap into another pool with room"
        ),
        pytest.param(
            {"a": ({"small": 4}, {"large": 3})},
            {"a": {"small": 4, "large": 2}},
            id="nothing is stopped for a replacement that finds no room",
        ),
        pytest.param(
            {"a": ({"small": 2, "medium": 4}, {"medium": 5})},
            {"a": {"medium": 5}},
            id="a swap within its own room",
        ),
        pytest.param(
            {"a": ({"small": 1, "gone": 3}, {"small": 2, "gone": 3})},
            {"a": {"small": 2, "gone": 3}},
            id="a flavor that has left the catalogue takes no part",
        ),
    ],
)
def test_a_tight_pool_is_shared(wishes: Wishes, left: Mapping[str, Counts]) -> None:
    assert left_of(wishes) == left


def test_what_is_only_said_takes_no_room_from_what_is_done() -> None:
    wishes = {"a": ({"small": 1}, {"small": 10}), "b": ({"small": 1}, {"small": 9})}
    assert left_of(wishes, advising=("a",)) == {"a": {"small": 1}, "b": {"small": 9}}


def test_what_is_only_said_frees_no_room_either() -> None:
    wishes = {"a": ({"small": 8}, {"small": 1}), "b": ({"small": 2}, {"small": 6})}
    assert left_of(wishes, advising=("a",)) == {"a": {"small": 1}, "b": {"small": 2}}


def test_a_pool_that_is_over_its_amount_blocks_only_those_who_want_more_of_it() -> None:
    tight = Catalogue({**CATALOGUE.pools, "shared": Pool("shared", 2, 2)}, CATALOGUE.flavors)
    wishes = {
        "a": ({"small": 4}, {"small": 5}),
        "b": ({"small": 2}, {"small": 2, "large": 1}),
        "c": ({"small": 3}, {"small": 1}),
    }
    assert left_of(wishes, catalogue=tight) == {
        "a": {"small": 4},
        "b": {"small": 2, "large": 1},
        "c": {"small": 1},
    }


@pytest.mark.parametrize(
    ("priorities", "left"),
    [((1.0, 1.0), (5, 5)), ((1.0, 4.0), (2, 8)), ((3.0, 1.0), (7, 3)), ((1.0, 100.0), (1, 9))],
)
def test_a_tight_pool_is_shared_by_priority(priorities: tuple[float, float], left: tuple[int, int]) -> None:
    views = [
        make_view({"small": 1}, make_service(name, priority=priority))
        for name, priority in zip("ab", priorities, strict=True)
    ]
    ends = pool_limits(tuple(proposal(view, {"small": 9}) for view in views), scene(*views))
    assert tuple(end.counts["small"] for end in ends) == left
