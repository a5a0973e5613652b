"""Changes: in place within a family, else starts and stops; applied, they give what was decided."""

import pytest
from core_world import CATALOGUE
from hypothesis import given
from hypothesis import strategies as st

from barista.control.changes import changes_between
from barista.values.decision import Change, Horizontal, Vertical
from barista.values.replica import Counts

counts = st.dictionaries(st.sampled_from([*CATALOGUE.flavors, "gone"]), st.integers(0, 5))


def applied(changes: tuple[Change, ...], current: Counts) -> dict[str, int]:
    """`changes` carried out in order on `current`; each must find what it starts from."""
    held = dict(current)
    for change in changes:
        if isinstance(change, Vertical):
            assert held.get(change.before, 0) >= change.count > 0
            held[change.before] -= change.count
            held[change.after] = held.get(change.after, 0) + change.count
        else:
            assert held.get(change.flavor, 0) == change.before != change.after
            held[change.flavor] = change.after
    return {flavor: n for flavor, n in held.items() if n}


@pytest.mark.parametrize(
    ("current", "final", "changes"),
    [
        ({"small": 2}, {"small": 2}, ()),
        ({"small": 2}, {"small": 3}, (Horizontal("small", 2, 3),)),
        ({"small": 2}, {}, (Horizontal("small", 2, 0),)),
        ({"small": 2}, {"medium": 2}, (Vertical("small", "medium", 2),)),
        ({"small": 1}, {"medium": 3}, (Vertical("small", "medium", 1), Horizontal("medium", 1, 3))),
        ({"small": 3}, {"medium": 1}, (Vertical("small", "medium", 1), Horizontal("small", 2, 0))),
        ({"medium": 1}, {"large": 1}, (Horizontal("large", 0, 1), Horizontal("medium", 1, 0))),
        (
            {"tiny": 1, "small": 1},
            {"small": 1, "medium": 1},
            (Vertical("tiny", "medium", 1),),
        ),
        ({"gone": 2}, {"small": 1}, (Horizontal("gone", 2, 0), Horizontal("small", 0, 1))),
    ],
)
def test_changes_are_in_place_where_a_family_allows_it(
    current: Counts, final: Counts, changes: tuple[Change, ...]
) -> None:
    assert changes_between(current, final, CATALOGUE) == changes


@given(counts, counts)
def test_changes_applied_to_what_is_held_give_what_was_decided(current: Counts, final: Counts) -> None:
    wanted = {flavor: n for flavor, n in final.items() if n}
    assert applied(changes_between(current, final, CATALOGUE), current) == wanted


@given(counts, counts)
def test_no_replica_is_stopped_while_one_of_its_family_is_started(current: Counts, final: Counts) -> None:
    steps = [c for c in changes_between(current, final, CATALOGUE) if isinstance(c, Horizontal)]
    for one in steps:
        for other in steps:
            if CATALOGUE.same_family(one.flavor, other.flavor):
                assert (one.after > one.before) == (other.after > other.before)
