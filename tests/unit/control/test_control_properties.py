"""What holds of decide and surge whatever is seen, planned and remembered."""

from copy import deepcopy

from core_world import (
    CATALOGUE,
    NOW,
    RPS,
    make_forecast,
    make_plan,
    make_service,
    make_view,
    rules,
    seen,
    situation,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from barista.control.changes import changes_between
from barista.control.cycle import Pass
from barista.control.decide import decide
from barista.control.explain import explain
from barista.control.log import decision_lines, decode_pass, encode_pass
from barista.control.surge import surge
from barista.values.decision import Boost, Decision, Memory, ServiceMemory, Wish
from barista.values.forecast import Forecast
from barista.values.problem import Plan, PlanStatus
from barista.values.replica import Counts
from barista.values.service import Authority, ServiceId
from barista.values.situation import Situation

RULES = rules()
counts = st.dictionaries(st.sampled_from(sorted(RPS)), st.integers(1, 4), max_size=3)
steps = st.lists(st.integers(0, 3), max_size=3)
ages = st.sampled_from([0.0, 4.0, 8.0, 60.0])
values = st.sampled_from([None, 0.0, 7.0, 45.0, 300.0])


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    views, memory = [], {}
    for name in draw(st.sampled_from([("a",), ("a", "b")])):
        service = make_service(
            name,
            flavors=draw(st.sampled_from([("small", "medium", "large"), ("tiny", "small"), ("tiny",)])),
            min_replicas=draw(st.integers(0, 2)),
            max_replicas=draw(st.integers(2, 9)),
            authority=draw(st.sampled_from(Authority)),
        )
        observation = seen(service.id, draw(values), draw(values), draw(values), NOW - draw(ages))
        held = draw(st.none() | counts)
        views.append(make_view(held, service, observation, draw(counts) if held is not None else None))
        wishes = draw(st.lists(counts, max_size=2))
        boost = Boost(draw(counts), NOW + draw(st.sampled_from([-1.0, 9.0])), "strain")
        memory[service.id] = ServiceMemory(
            boost=draw(st.sampled_from([None, boost])),
            wishes=tuple(Wish(NOW - 30, w, sum(n * RPS[f] for f, n in w.items())) for w in wishes),
            seen_at_s=draw(st.sampled_from([None, NOW - 9.0, 0.0])),
        )
    return situation(*views, memory=Memory(memory, draw(st.integers(0, 9))))


@st.composite
def passes(draw: st.DrawFn) -> Pass:
    given_ = draw(situations())
    ids = [view.service.id for view in given_.services]
    forecasts: dict[ServiceId, Forecast] = {
        name: make_forecast(*draw(st.lists(st.floats(0, 90), min_size=1, max_size=6)), origin=NOW - 3)
        for name in ids
        if draw(st.booleans())
    }
    flavors = st.dictionaries(st.sampled_from(["small", "medium", "large"]), st.tuples(steps, steps))
    plan = draw(
        st.one_of(
            st.fixed_dictionaries(dict.fromkeys(ids, flavors)).map(make_plan),
            st.just(Plan({}, PlanStatus.TIMED_OUT, "made-up", bound=float("-inf"))),
        )
    )
    return Pass(given_, forecasts, plan, decide(given_, forecasts, plan, NOW, RULES))


def able_rps(held: Counts) -> float:
    return sum(n * RPS[flavor] for flavor, n in held.items())


def check_consistent(decision: Decision) -> None:
    binding = set(decision.binding)
    assert decision.changes == changes_between(decision.current, decision.final, CATALOGUE)
    assert all(n > 0 for n in decision.final.values())
    assert decision.raw == decision.bounded or binding - {"authority"}
    assert (decision.bounded != decision.final) == ("authority" in binding)
    assert decision.reasons or not decision.changes
    assert len(decision_lines(decision)) == len(decision.changes)
    assert decision.ready_at_s >= decision.at_s == NOW
    if decision.authority is Authority.ADVISE:
        assert decision.changes == ()
        assert decision.final == decision.current


@given(passes())
@settings(max_examples=60, deadline=None)
def test_every_decision_is_consistent_and_has_reasons(done: Pass) -> None:
    assert {d.service for d in done.outcome.decisions} == {v.service.id for v in done.situation.services}
    for decision in done.outcome.decisions:
        assert decision.reasons
        check_consistent(decision)


@given(passes())
@settings(max_examples=60, deadline=None)
def test_blind_lowers_nothing(done: Pass) -> None:
    for decision in done.outcome.decisions:
        view = done.situation.view(decision.service)
        seen_at_s = done.situation.memory.of(decision.service).seen_at_s
        blind = view.replicas is None or not view.observation.demand_rps.is_fresh
        if blind or seen_at_s is None or NOW - seen_at_s < RULES.rails.stabilisation_s:
            assert able_rps(decision.final) >= able_rps(decision.current)
            assert sum(decision.final.values()) >= sum(decision.current.values())


@given(passes())
@settings(max_examples=60, deadline=None)
def test_deciding_again_on_the_same_inputs_says_the_same_and_leaves_them_alone(done: Pass) -> None:
    before = deepcopy(done.situation)
    again = decide(done.situation, done.forecasts, done.plan, NOW, RULES)
    assert again == done.outcome
    assert done.situation == before


@given(passes())
@settings(max_examples=60, deadline=None)
def test_a_stored_pass_is_read_back_equal_and_its_explanation_repeats(done: Pass) -> None:
    stored = decode_pass(encode_pass(done))
    assert stored == done
    for view in done.situation.services:
        assert explain(stored, view.service.id, RULES).repeats


@given(situations())
@settings(max_examples=60, deadline=None)
def test_surge_only_raises_and_needs_figures_of_the_last_seconds(given_: Situation) -> None:
    outcome = surge(given_, NOW, RULES)
    for decision in outcome.decisions:
        check_consistent(decision)
        assert able_rps(decision.final) >= able_rps(decision.current)
        assert sum(decision.final.values()) >= sum(decision.current.values())
        in_flight = given_.view(decision.service).observation.in_flight
        assert in_flight.at_s is not None
        assert NOW - in_flight.at_s <= RULES.surge_fresh_s
    for view in given_.services:
        before, after = given_.memory.of(view.service.id), outcome.memory.of(view.service.id)
        assert (after.wishes, after.seen_at_s) == (before.wishes, before.seen_at_s)
        if after.boost != before.boost:
            assert after.boost is not None
            assert after.boost.until_s == NOW + RULES.surge_hold_s
            assert after.surge_off is None
