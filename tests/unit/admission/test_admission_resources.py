"""Our resources as values and back, and conditions over time."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from barista.platforms.knative.conditions import Condition, Truth, with_condition
from barista.platforms.knative.resources import ExecutionProfileResource, FlavorResource
from barista.platforms.knative.scaling_plan import ScalingPlanResource
from barista.values.flavor import Flavor
from barista.values.profile import Distribution, ExecutionProfile, Fit, Interval

names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
milli = st.integers(1, 100_000).map(lambda n: n / 1000)
mib = st.integers(1, 1_000_000).map(lambda n: n / 1024)
times = st.lists(st.floats(0, 100), min_size=2, max_size=2).map(
    lambda s: Distribution((0.5, 0.95), (min(s), max(s)), sum(s) / 2)
)


@given(st.builds(Flavor, names, names, milli, mib, st.floats(0, 100), st.integers(0, 8).map(float), names))
def test_a_flavor_survives_the_cluster(flavor: Flavor) -> None:
    assert FlavorResource.read(FlavorResource.of(flavor).document()).flavor() == flavor


share = st.floats(0, 1)
profiles = st.builds(
    ExecutionProfile,
    names,
    names,
    times,
    times,
    mib,
    st.integers(1, 8),
    st.integers(0, 1000),
    by_concurrency=st.lists(st.tuples(st.integers(1, 8), times), max_size=3, unique_by=lambda at: at[0]).map(
        lambda found: tuple(sorted(found, key=lambda at: at[0]))
    ),
    intervals=st.lists(st.builds(Interval, share, share, share), max_size=3).map(tuple),
    fit=st.none()
    | st.builds(Fit, names, st.lists(st.tuples(names, share), max_size=3).map(tuple), share, share),
    saturation_rps=st.none() | st.floats(0.1, 1e4),
    dispersion=share,
    ahead_s=st.floats(-1, 1),
)


@given(profiles)
def test_an_execution_profile_survives_the_cluster(profile: ExecutionProfile) -> None:
    document = ExecutionProfileResource.of(profile, "default").document()
    assert ExecutionProfileResource.read(document).profile() == profile


def test_a_plan_without_a_word_is_a_plan() -> None:
    plan = ScalingPlanResource.read({"metadata": {"namespace": "default", "name": "a"}})
    assert plan.id == "default/a"
    assert plan.spec.choices().given() == {}


def condition(status: Truth, minute: int, message: str = "") -> Condition:
    at = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
    return Condition(type="Ready", status=status, message=message, last_transition_time=at)


def test_a_condition_keeps_the_time_of_its_transition_while_its_status_stays() -> None:
    first = with_condition((), condition(Truth.TRUE, 1))
    same = with_condition(first, condition(Truth.TRUE, 2, "still"))
    other = with_condition(same, condition(Truth.FALSE, 3))
    assert [c[0].last_transition_time.minute for c in (first, same, other)] == [1, 1, 3]
    assert same[0].message == "still"
    assert len(other) == 1
