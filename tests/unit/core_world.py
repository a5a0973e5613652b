"""A small world to decide in: three flavors, whole numbers, everything else as a keyword.

With an SLO of 0.5 s a `small` replica serves 10 requests/s, a `medium` one 20 (same family), a
`large` one 40 (a family and a pool of its own), and `tiny` is too slow to serve any.
"""

from collections.abc import Mapping, Sequence

from barista.capacity.published import PublishedCapacity
from barista.control.rules import Rules
from barista.plan.pose import Horizon
from barista.rails.rail import Proposal, RailSettings, Scene
from barista.values.decision import Memory, ServiceMemory, Wish
from barista.values.flavor import Catalogue, Flavor, Pool
from barista.values.forecast import Forecast
from barista.values.observation import Observation, Reading
from barista.values.problem import FlavorPlan, Plan, PlanStatus
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.replica import Counts, Phase, Replica
from barista.values.service import Authority, Service, ServiceId, Slo
from barista.values.situation import ServiceView, Situation

NOW = 100_000.0
STEP = 10.0
SETUP = 20.0
RPS = {"small": 10.0, "medium": 20.0, "large": 40.0, "tiny": 0.0}
CATALOGUE = Catalogue(
    pools={"shared": Pool("shared", cpu=10, memory_gib=40), "big": Pool("big", cpu=8, memory_gib=32)},
    flavors={
        "tiny": Flavor("tiny", "shared", cpu=0.5, memory_gib=1, cost_per_hour=0.06, family="one"),
        "small": Flavor("small", "shared", cpu=1, memory_gib=1, cost_per_hour=0.10, family="one"),
        "medium": Flavor("medium", "shared", cpu=2, memory_gib=1, cost_per_hour=0.21, family="one"),
        "large": Flavor("large", "big", cpu=4, memory_gib=4, cost_per_hour=0.50),
    },
)
PROFILES = {
    name: ExecutionProfile("net", name, Distribution.constant(time_s), Distribution.constant(SETUP))
    for name, time_s in {"small": 0.1, "medium": 0.05, "large": 0.025, "tiny": 0.7}.items()
}
HORIZON = Horizon(STEP, 6)


def rules(**rails: float) -> Rules:
    return Rules(HORIZON, PublishedCapacity(), RailSettings(**rails))


def make_service(name: str = "a", **settings: object) -> Service:
    given = {
        "flavors": ("small", "medium", "large"),
        "authority": Authority.PIN,
        "min_replicas": 0,
        "demand_quantile": 0.95,
        "shortfall_cost_per_request": 1e-4,
    }
    return Service(ServiceId(f"default/{name}"), "net", Slo(0.5), **(given | settings))


def replicas(
    service: ServiceId, counts: Counts, phase: Phase = Phase.READY, **times: float
) -> tuple[Replica, ...]:
    return tuple(
        Replica(
            f"{flavor}-{phase}-{i}",
            service,
            flavor,
            phase,
            times.get("ordered_at_s", NOW - 600),
            **{key: value for key, value in times.items() if key != "ordered_at_s"},
        )
        for flavor, n in counts.items()
        for i in range(n)
    )


def seen(
    service: ServiceId,
    demand: float | None = 5.0,
    in_flight: float | None = 0.0,
    latency: float | None = 0.1,
    at: float = NOW,
    now: float = NOW,
) -> Observation:
    """What was seen at `at`: None is missing, older than 30 s is stale."""

    def reading(value: float | None) -> Reading:
        return Reading.missing() if value is None else Reading.judged(value, at, now, 30.0)

    return Observation(service, reading(demand), reading(latency), reading(in_flight), reading(in_flight))


def make_view(
    held: Counts | None,
    service: Service | None = None,
    observation: Observation | None = None,
    starting: Counts | None = None,
    profiles: Mapping[str, ExecutionProfile] = PROFILES,
) -> ServiceView:
    service = service or make_service()
    there = (
        None
        if held is None
        else replicas(service.id, held)
        + replicas(service.id, starting or {}, Phase.STARTING, ready_at_s=NOW + 10)
    )
    return ServiceView(service, observation or seen(service.id), there, profiles)


def remembering(
    *services: ServiceId, seen_at_s: float | None = 0.0, wishes: Sequence[tuple[float, Counts]] = ()
) -> Memory:
    kept = tuple(
        Wish(NOW - ago, counts, sum(n * RPS[f] for f, n in counts.items())) for ago, counts in wishes
    )
    return Memory({s: ServiceMemory(seen_at_s=seen_at_s, wishes=kept) for s in services})


def situation(
    *views: ServiceView, memory: Memory | None = None, at: float = NOW, catalogue: Catalogue = CATALOGUE
) -> Situation:
    """A situation; by default every service has been seen for long."""
    return Situation(at, catalogue, views, memory or remembering(*(v.service.id for v in views)))


def scene(
    *views: ServiceView,
    memory: Memory | None = None,
    forecasts: Mapping[ServiceId, Forecast] | None = None,
    catalogue: Catalogue = CATALOGUE,
    **rails: float,
) -> Scene:
    return Scene(
        situation(*views, memory=memory, catalogue=catalogue),
        NOW,
        PublishedCapacity(),
        RailSettings(**rails),
        forecasts or {},
    )


def proposal(view: ServiceView, counts: Counts, frozen: bool = False) -> Proposal:
    return Proposal(view, dict(counts), frozen=frozen)


def make_forecast(*rps: float, origin: float = NOW, step: float = STEP) -> Forecast:
    """A forecast that is sure of itself: every quantile is the mean."""
    return Forecast(origin, step, rps, (0.05, 0.5, 0.95), (rps, rps, rps), "made-up")


def make_plan(services: Mapping[str, Mapping[str, tuple[Sequence[int], ...]]]) -> Plan:
    """A plan from (starts, stops, resized) by service and flavor; what is left out of the six steps is 0."""

    def row(values: Sequence[int]) -> tuple[int, ...]:
        return (*values, *[0] * (HORIZON.steps - len(values)))

    return Plan(
        {
            s: {f: FlavorPlan(*(row(series) for series in given)) for f, given in by.items()}
            for s, by in services.items()
        },
        PlanStatus.OPTIMAL,
        "made-up",
    )
