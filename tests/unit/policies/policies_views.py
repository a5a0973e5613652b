"""Situations to show to a rival: a service with three flavors, and what is seen of it."""

from barista.capacity.published import PublishedCapacity
from barista.control.observe import Watched
from barista.control.rules import Rules
from barista.plan.pose import Horizon
from barista.values.decision import Memory
from barista.values.flavor import Catalogue, Flavor, Pool
from barista.values.observation import Observation, Reading
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.replica import Phase, Replica
from barista.values.service import Authority, Service, ServiceId, Slo
from barista.values.situation import ServiceView, Situation

A = ServiceId("ns/a")
SETUP_S = 30.0
RULES = Rules(Horizon(10.0, 12), PublishedCapacity())
CATALOGUE = Catalogue(
    {"cpu": Pool("cpu", 1000, 1000), "gpu": Pool("gpu", 1000, 1000, gpu=10)},
    {
        "small": Flavor("small", "cpu", 1, 1, cost_per_hour=1, family="cpu"),
        "big": Flavor("big", "cpu", 2, 1, cost_per_hour=2, family="cpu"),
        "gpu": Flavor("gpu", "gpu", 4, 1, cost_per_hour=50, gpu=1),
    },
)
PROFILES = {
    name: ExecutionProfile("m", name, Distribution.constant(time_s), Distribution.constant(SETUP_S))
    for name, time_s in {"small": 0.1, "big": 0.06, "gpu": 0.01}.items()
}
SERVICE = Service(A, "m", Slo(0.5), ("small", "big", "gpu"), authority=Authority.PIN)


def watched(*services):
    services = services or (SERVICE,)
    return Watched(CATALOGUE, services, {service.id: PROFILES for service in services})


def replicas(ready=0, starting=0, flavor="small"):
    phases = [Phase.READY] * ready + [Phase.STARTING] * starting
    return tuple(Replica(f"r{n}", A, flavor, phase, 0.0) for n, phase in enumerate(phases))


def situation(at_s, in_flight, held=(), service=SERVICE, in_service=None):
    """What is seen at `at_s`: a figure None is missing, `held` None unknown."""

    def reading(value):
        return Reading.missing() if value is None else Reading.fresh(value, at_s)

    seen = Observation(A, Reading.missing(), Reading.missing(), reading(in_flight), reading(in_service))
    view = ServiceView(service, seen, held, PROFILES)
    return Situation(at_s, CATALOGUE, (view,), Memory())


def decided(policy, seen):
    (decision,) = policy.decide(seen, seen.memory).decisions
    return decision
