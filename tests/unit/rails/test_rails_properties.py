"""What holds of the guard rails whatever is held, wanted, seen and remembered."""

from core_world import CATALOGUE, NOW, make_forecast, make_service, make_view, proposal, scene, seen
from hypothesis import given, settings
from hypothesis import strategies as st

from barista.rails.guard import guard
from barista.rails.rail import Proposal, Scene
from barista.values.decision import Boost, Memory, ServiceMemory, Wish
from barista.values.flavor import RESOURCES
from barista.values.replica import Counts
from barista.values.service import Authority

FLAVORS = ("small", "medium", "large")
counts = st.dictionaries(st.sampled_from(FLAVORS), st.integers(1, 4), max_size=3)


@st.composite
def scenes(draw: st.DrawFn, blind: bool | None = None) -> tuple[tuple[Proposal, ...], Scene]:
    """One to three services, anything held and wanted, with boosts, wishes and requests in flight."""
    views, given_, memory, forecasts = [], [], {}, {}
    for name in draw(st.sampled_from([("a",), ("a", "b"), ("a", "b", "c")])):
        low = draw(st.integers(0, 3))
        service = make_service(
            name,
            min_replicas=low,
            max_replicas=draw(st.integers(max(1, low), 8)),
            authority=draw(st.sampled_from(Authority)),
        )
        demand = None if blind else draw(st.sampled_from([5.0, 50.0]))
        in_flight = draw(st.sampled_from([None, 0.0, 12.0, 300.0]))
        view = make_view(draw(counts), service, seen(service.id, demand, in_flight))
        wishes = [draw(counts) for _ in range(draw(st.integers(0, 2)))]
        boost = Boost(draw(counts), NOW + draw(st.sampled_from([-1.0, 9.0])), "strain")
        bare = scene(view)
        memory[service.id] = ServiceMemory(
            boost=draw(st.sampled_from([None, boost])),
            seen_at_s=draw(st.sampled_from([None, NOW - 9.0, 0.0])) if blind is None else 0.0,
            wishes=tuple(Wish(NOW - 30, wish, bare.capacity_rps(view, wish)) for wish in wishes),
        )
        views.append(view)
        given_.append(proposal(view, draw(counts)))
        forecasts[service.id] = make_forecast(draw(st.sampled_from([1.0, 60.0])))
    steps = {"max_step_up": draw(st.integers(1, 9)), "max_step_down": draw(st.integers(1, 9))}
    margin = draw(st.sampled_from([1.0, 1.4]))
    return tuple(given_), scene(
        *views, memory=Memory(memory), forecasts=forecasts, safety_margin=margin, **steps
    )


def in_pools(sets: list[Counts]) -> bool:
    flavors = CATALOGUE.flavors
    return all(
        sum(n * flavors[f].amount(r) for c in sets for f, n in c.items() if flavors[f].pool == pool.name)
        <= pool.amount(r) + 1e-9
        for pool in CATALOGUE.pools.values()
        for r in RESOURCES
    )


@given(scenes(blind=True))
@settings(max_examples=80, deadline=None)
def test_blind_never_lowers_capacity_nor_replicas(drawn: tuple[tuple[Proposal, ...], Scene]) -> None:
    proposals, scenery = drawn
    for end in guard(proposals, scenery)[0]:
        held = end.current
        assert sum(end.counts.values()) >= sum(held.values())
        assert scenery.capacity_rps(end.view, end.counts) >= scenery.capacity_rps(end.view, held)


@given(scenes())
@settings(max_examples=80, deadline=None)
def test_what_is_within_bounds_and_pools_stays_within_them(
    drawn: tuple[tuple[Proposal, ...], Scene],
) -> None:
    proposals, scenery = drawn
    ends, _ = guard(proposals, scenery)
    if in_pools([end.current for end in ends]):
        assert in_pools([end.counts for end in ends])
    for end in ends:
        low, high = end.view.service.min_replicas, end.view.service.max_replicas
        held, kept = sum(end.current.values()), sum(end.counts.values())
        if low <= held <= high:
            assert low <= kept <= high


@given(scenes())
@settings(max_examples=80, deadline=None)
def test_every_binding_rail_is_named_and_nothing_else_changes_counts(
    drawn: tuple[tuple[Proposal, ...], Scene],
) -> None:
    proposals, scenery = drawn
    ends, bounded = guard(proposals, scenery)
    for begin, end in zip(proposals, ends, strict=True):
        binding = [reason.rail for reason in end.reasons if reason.binds]
        assert all(n > 0 for n in end.counts.values())
        if begin.counts != bounded[end.id]:
            assert [rail for rail in binding if rail != "authority"]
        assert (bounded[end.id] != end.counts) == ("authority" in binding)


@given(scenes())
@settings(max_examples=80, deadline=None)
def test_advising_changes_nothing_for_itself_nor_for_others(
    drawn: tuple[tuple[Proposal, ...], Scene],
) -> None:
    proposals, scenery = drawn
    ends, _ = guard(proposals, scenery)
    quiet = tuple(p for p in proposals if p.view.service.authority is not Authority.ADVISE)
    for end in ends:
        if end.view.service.authority is Authority.ADVISE:
            assert end.counts == end.current
    # Those who act get the same when those who advise want nothing.
    silent = tuple(p if p in quiet else Proposal(p.view, p.current) for p in proposals)
    again = {end.id: end.counts for end in guard(silent, scenery)[0]}
    assert all(again[end.id] == end.counts for end in ends)
