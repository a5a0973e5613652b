from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista.platforms.local.moves import Moves, moves
from barista.values.flavor import Catalogue, Flavor, Pool
from barista.values.replica import Phase, Replica, count_by_flavor
from barista.values.service import ServiceId

FLAVORS = {"small": ("one", 0.25), "large": ("one", 0.5), "double": ("two", 2.0)}
CATALOGUE = Catalogue(
    {"pool": Pool("pool", 8, 16)},
    {name: Flavor(name, "pool", cpu, 1, cpu, family=family) for name, (family, cpu) in FLAVORS.items()},
)
NOW_S = 1000.0


def replica(name, flavor="small", phase=Phase.READY, ordered_at_s=0.0, lease_until_s=0.0):
    return Replica(name, ServiceId("default/digits"), flavor, phase, ordered_at_s, None, lease_until_s)


@pytest.mark.parametrize(
    ("held", "target", "expected"),
    [
        ([], {}, Moves()),
        ([], {"small": 2}, Moves(start=("small", "small"))),
        ([replica("a")], {"small": 1}, Moves()),
        ([replica("a")], {"small": 0}, Moves(stop=("a",))),
        ([replica("a")], {"large": 1}, Moves(resize=(("a", "large"),))),
        ([replica("a")], {"double": 1}, Moves(start=("double",), stop=("a",))),
        ([replica("a", phase=Phase.DRAINING)], {"small": 1}, Moves(start=("small",))),
    ],
)
def test_moves_turn_what_is_held_into_what_is_wanted(held, target, expected):
    assert moves(held, target, CATALOGUE, NOW_S) == expected


def test_a_starting_replica_is_given_up_before_one_that_serves():
    held = [replica("serves", ordered_at_s=5), replica("starts", phase=Phase.STARTING, ordered_at_s=1)]
    assert moves(held, {"small": 1}, CATALOGUE, NOW_S).stop == ("starts",)


def test_a_replica_under_lease_stays_and_one_without_goes_instead():
    held = [replica("leased", lease_until_s=NOW_S + 1, ordered_at_s=9), replica("free")]
    assert moves(held, {"small": 1}, CATALOGUE, NOW_S) == Moves(stop=("free",))
    assert moves(held, {}, CATALOGUE, NOW_S) == Moves(stop=("free",), leased=("leased",))
    assert moves(held, {}, CATALOGUE, NOW_S + 1).leased == ()


def test_one_that_serves_is_changed_in_place_rather_than_one_that_starts():
    held = [replica("starts", phase=Phase.STARTING), replica("serves")]
    assert moves(held, {"large": 1}, CATALOGUE, NOW_S) == Moves(
        resize=(("serves", "large"),), stop=("starts",)
    )


replicas = st.lists(
    st.builds(
        replica,
        st.uuids().map(str),
        st.sampled_from(sorted(FLAVORS)),
        st.sampled_from(Phase),
        st.floats(0, NOW_S),
        st.floats(0, 2 * NOW_S),
    ),
    max_size=8,
)
targets = st.dictionaries(st.sampled_from(sorted(FLAVORS)), st.integers(0, 4))


def carried_out(held, wanted):
    resized = dict(wanted.resize)
    after = [replace(r, flavor=resized.get(r.id, r.flavor)) for r in held if r.id not in wanted.stop]
    return after + [replica(f"new-{i}", f, Phase.STARTING) for i, f in enumerate(wanted.start)]


@given(replicas, targets)
def test_after_the_moves_all_is_as_wanted_but_for_leases(held, target):
    wanted = moves(held, target, CATALOGUE, NOW_S)
    after = [r for r in carried_out(held, wanted) if r.id not in wanted.leased]
    assert count_by_flavor(after) == {name: count for name, count in target.items() if count}


@given(replicas, targets)
def test_wanting_the_same_again_moves_nothing(held, target):
    wanted = moves(held, target, CATALOGUE, NOW_S)
    again = moves(carried_out(held, wanted), target, CATALOGUE, NOW_S)
    assert again == Moves(leased=again.leased)
    assert set(again.leased) == set(wanted.leased)


@given(replicas, targets)
def test_no_replica_is_moved_twice_and_none_that_is_leaving(held, target):
    wanted = moves(held, target, CATALOGUE, NOW_S)
    touched = Counter([*(name for name, _ in wanted.resize), *wanted.stop, *wanted.leased])
    assert all(count == 1 for count in touched.values())
    assert not touched.keys() & {r.id for r in held if r.phase is Phase.DRAINING}
