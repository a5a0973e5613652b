"""One flavor a service: which one is offered, and when it changes."""

import pytest

from barista.plan.one_flavor import one_flavor_each
from barista.values.flavor import Flavor, Pool
from barista.values.problem import (
    ExistingReplica,
    FlavorOption,
    FlavorPlan,
    Plan,
    PlanStatus,
    Problem,
    ServiceProblem,
)

FLAVORS = (
    Flavor("cpu-1", "cpu", 1, 1, 1.0, family="cpu"),
    Flavor("cpu-2", "cpu", 2, 2, 2.2, family="cpu"),
    Flavor("gpu", "gpu", 1, 4, 5.0, gpu=1),
)
RPS = {"cpu-1": 10.0, "cpu-2": 25.0, "gpu": 100.0}


def offered(
    rps: float, held: tuple[str, ...] = (), most: int = 10, least: int = 0
) -> tuple[list[str], list[str]]:
    """The flavors that are offered at a peak of `rps`, and those of the replicas then."""
    service = ServiceProblem(
        name="a",
        demand_rps=(0.0, rps),
        shortfall_cost_per_request=1.0,
        min_replicas=least,
        max_replicas=most,
        flavors=tuple(FlavorOption(name, each, 1, 0) for name, each in RPS.items()),
        replicas=tuple(ExistingReplica(name, 0, 0) for name in held),
    )
    asked = list[Problem]()

    def solve(problem: Problem) -> Plan:
        asked.append(problem)
        return Plan({}, PlanStatus.OPTIMAL, "none")

    one_flavor_each(solve)(posed(service))
    (narrowed,) = asked[0].services
    return [o.flavor for o in narrowed.flavors], [replica.flavor for replica in narrowed.replicas]


def posed(service: ServiceProblem) -> Problem:
    pools = (Pool("cpu", 50, 50), Pool("gpu", 50, 50, 4))
    return Problem("p", 10, 2, pools, FLAVORS, (service,))


@pytest.mark.parametrize(("rps", "flavor"), [(0, "cpu-1"), (9, "cpu-1"), (21, "cpu-2"), (90, "gpu")], ids=str)
def test_what_covers_the_busiest_step_at_least_cost_is_offered(rps: float, flavor: str) -> None:
    assert offered(rps) == ([flavor], [])


def test_a_flavor_that_covers_it_within_the_bounds_comes_before_a_cheaper_one_that_does_not() -> None:
    assert offered(30, most=2) == (["cpu-2"], [])


def test_replicas_stay_in_their_family_and_are_changed_in_place() -> None:
    assert offered(49, held=("cpu-1", "cpu-1")) == (["cpu-2"], ["cpu-2", "cpu-2"])


def test_a_flavor_in_use_is_left_only_for_one_that_is_clearly_cheaper() -> None:
    # 3 x cpu-1 at 3.0 beside 2 x cpu-2 at 4.4; then 5 x cpu-1 at 5.0 beside 2 x cpu-2 at 4.4.
    assert offered(49, held=("cpu-2",))[0] == ["cpu-2"]
    assert offered(29, held=("cpu-2",))[0] == ["cpu-1"]
    # 2 x cpu-1 at 2.0 beside 1 x cpu-2 at 2.2: not clearly cheaper.
    assert offered(19, held=("cpu-2",))[0] == ["cpu-2"]


@pytest.mark.parametrize(
    ("rps", "most", "flavor"),
    [
        pytest.param(69, 10, "cpu-2", id="a little cheaper: 3 x cpu-2 at 6.6 beside a gpu at 5.0"),
        pytest.param(90, 10, "gpu", id="much cheaper: 4 x cpu-2 at 8.8"),
        pytest.param(60, 2, "gpu", id="more than the family may cover"),
    ],
)
def test_a_family_in_use_is_left_for_one_that_is_much_cheaper_or_covers_more(
    rps: float, most: int, flavor: str
) -> None:
    assert offered(rps, held=("cpu-2",) * 2, most=most)[0] == [flavor]


def test_amid_a_change_of_family_only_the_better_one_is_offered() -> None:
    assert offered(20, held=("cpu-1", "gpu")) == (["cpu-1"], ["cpu-1"])
    assert offered(90, held=("cpu-1", "gpu")) == (["gpu"], ["gpu"])


def changing(
    rps: float, held: tuple[ExistingReplica, ...], most: int = 10, starts: int = 0
) -> dict[str, tuple[int, int]]:
    """Starts and stops now, where a gpu is offered and `starts` of it are planned."""
    options = tuple(FlavorOption(name, each, 1, 0) for name, each in RPS.items())
    service = ServiceProblem("a", (rps, 900.0), 1.0, 0, most, options, held)

    def solve(problem: Problem) -> Plan:
        (narrowed,) = problem.services
        assert [option.flavor for option in narrowed.flavors] == ["gpu"]
        return Plan({"a": {"gpu": FlavorPlan((starts, 0), (0, 0))}}, PlanStatus.FEASIBLE, "mine")

    (planned,) = one_flavor_each(solve)(posed(service)).services.values()
    return {name: (of.start[0], of.stop[0]) for name, of in planned.items()}


CPU, LOCKED, GPU, COMING = (
    ExistingReplica("cpu-1", 0, 0),
    ExistingReplica("cpu-1", 0, 2),
    ExistingReplica("gpu", 0, 0),
    ExistingReplica("gpu", 1, 0),
)


def test_replicas_of_the_other_family_stop_once_the_new_ones_serve_and_their_lease_is_over() -> None:
    assert changing(50, (CPU, CPU), starts=1) == {"gpu": (1, 0)}
    assert changing(50, (CPU, CPU, COMING)) == {"gpu": (0, 0)}
    assert changing(50, (CPU, LOCKED, GPU)) == {"gpu": (0, 0), "cpu-1": (0, 1)}


def test_before_that_those_make_room_that_the_demand_does_not_need() -> None:
    assert changing(15, (CPU,) * 3, most=3, starts=1) == {"gpu": (1, 0), "cpu-1": (0, 1)}
    assert changing(25, (CPU,) * 3, most=3, starts=1) == {"gpu": (1, 0)}


def test_the_change_to_another_flavor_of_the_family_is_in_the_plan() -> None:
    options = tuple(FlavorOption(name, each, 1, 0) for name, each in RPS.items())
    held = (ExistingReplica("cpu-1", 0, 0),) * 2
    service = ServiceProblem("a", (0.0, 49.0), 1.0, 0, 10, options, held)

    def solve(problem: Problem) -> Plan:
        return Plan({"a": {"cpu-2": FlavorPlan((1, 0), (0, 1))}}, PlanStatus.FEASIBLE, "mine")

    (planned,) = one_flavor_each(solve)(posed(service)).services.values()
    assert planned == {"cpu-2": FlavorPlan((3, 0), (0, 1), (2, 0)), "cpu-1": FlavorPlan((0, 0), (2, 0))}
