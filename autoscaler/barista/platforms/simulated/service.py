"""What a simulated service is given: settings, measured behaviour, its requests and its past."""

from dataclasses import dataclass, field

import numpy as np

from barista.values.profile import ExecutionProfile, Profiles
from barista.values.replica import Counts
from barista.values.series import Demand, FloatArray
from barista.values.service import Service, ServiceId


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedService:
    """One service of a simulated cluster.

    `arrivals_s`, shape (n,), are the moments at which its requests come, in order (seconds since
    the epoch). `past` is the demand before the start, which forecasters learn from. `replicas`
    are ready at the start. ValueError when the arrivals are out of order or a flavor was never measured.
    """

    service: Service
    profiles: Profiles
    arrivals_s: FloatArray
    past: Demand | None = None
    replicas: Counts = field(default_factory=dict)

    def __post_init__(self) -> None:
        arrivals = self.arrivals_s
        if arrivals.ndim != 1 or not np.all(np.isfinite(arrivals)) or np.any(np.diff(arrivals) < 0):
            raise ValueError(
                f"service {self.id}: arrivals_s must be one row of finite times in order: sort it"
            )
        for flavor in self.replicas:
            self.profile(flavor)

    @property
    def id(self) -> ServiceId:
        """The service's identity."""
        return self.service.id

    def profile(self, flavor: str) -> ExecutionProfile:
        """The profile on `flavor`; ValueError names those there are."""
        try:
            return self.profiles[flavor]
        except KeyError:
            known = ", ".join(sorted(self.profiles)) or "none"
            raise ValueError(
                f"service {self.id}: no profile on flavor {flavor!r} to simulate it by; known: {known}"
            ) from None
