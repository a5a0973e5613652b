"""A small world to simulate in: two flavors of a family and a larger one beside it, in one pool."""

import math

import numpy as np

from barista.control.changes import changes_between
from barista.platforms.simulated.cluster import SimulatedCluster
from barista.platforms.simulated.service import SimulatedService
from barista.values.decision import Decision
from barista.values.flavor import Catalogue, Flavor, Pool
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.replica import count_by_flavor
from barista.values.service import Authority, Service, ServiceId, Slo

A = ServiceId("ns/a")
B = ServiceId("ns/b")
START_S = 1_700_000_000.0
SETUP_S = 20.0
TIMES_S = {"small": 1.0, "big": 0.5, "gpu": 0.1}


def catalogue(cpu=100.0):
    return Catalogue(
        {"cpu": Pool("cpu", cpu, 1000), "gpu": Pool("gpu", 100, 1000, gpu=1)},
        {
            "small": Flavor("small", "cpu", 1, 1, cost_per_hour=36, family="cpu"),
            "big": Flavor("big", "cpu", 2, 1, cost_per_hour=72, family="cpu"),
            "gpu": Flavor("gpu", "gpu", 1, 1, cost_per_hour=360, gpu=1),
        },
    )


def exponential(mean_s=1.0, cells=20_000):
    """Exponential on fine levels; the last cell has the tail's own mean."""
    levels = np.arange(cells) / cells
    values = -np.log1p(-levels)
    tail = values[-1] + 2
    return Distribution((*levels, 1.0), tuple(mean_s * np.append(values, tail)), mean_s)


def profiles(times=None, setup=None, workers=1):
    setup = setup or Distribution.constant(SETUP_S)
    return {
        name: ExecutionProfile("m", name, Distribution.constant(time_s), setup, workers=workers)
        for name, time_s in (times or TIMES_S).items()
    }


def service(name=A, arrivals=(), replicas=None, past=None, lease_s=0.0, **settings):
    profile = {key: settings.pop(key) for key in ("times", "setup", "workers") if key in settings}
    authority = settings.pop("authority", Authority.PIN)
    made = Service(
        name, "m", Slo(2.0), ("small", "big", "gpu"), authority=authority, lease_s=lease_s, **settings
    )
    at_s = START_S + np.asarray(arrivals, dtype=float)
    return SimulatedService(made, profiles(**profile), at_s, past, replicas or {})


def cluster(*services, cpu=100.0, **settings):
    return SimulatedCluster(catalogue(cpu), services, START_S, **settings)


def decision(world, counts, name=A, authority=Authority.PIN):
    """The decision that the service should hold `counts` from now on."""
    current = count_by_flavor(world.state()[name])
    return Decision(
        service=name,
        at_s=world.now_s,
        authority=authority,
        current=current,
        raw=counts,
        bounded=counts,
        final=counts,
        changes=changes_between(current, counts, catalogue()),
        ready_at_s=math.nan,
        reasons=(),
    )


def order(world, counts, name=A, authority=Authority.PIN):
    """Tell `world` to hold `counts` of the service from now on; what became of it."""
    (applied,) = world.apply([decision(world, counts, name, authority)])
    return applied


def phases(world, name=A):
    """(flavor, phase, seconds from the start until ready) of the service's replicas."""
    return [
        (r.flavor, r.phase.value, None if r.ready_at_s is None else r.ready_at_s - START_S)
        for r in world.state()[name]
    ]
