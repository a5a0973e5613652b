"""The metrics of a cluster, told by the cluster itself how its series are named and who has no pod."""

from collections.abc import Callable

from barista.platforms.knative.dialect import SeriesNames, series_names
from barista.platforms.knative.metrics import KnativeMetrics
from barista.platforms.knative.snapshot import Snapshot
from barista.ports.platform import PlatformUnavailable
from barista.values.service import ServiceId


def metrics_of(
    look: Callable[[], Snapshot], url: str, scrape_interval_s: float, stale_after_s: float
) -> KnativeMetrics:
    """Measurements from the Prometheus at `url` of the cluster that `look` shows."""

    def names() -> SeriesNames:
        try:
            return series_names(look().config.version)
        except PlatformUnavailable:
            return series_names(None)

    def without_pods() -> frozenset[ServiceId]:
        try:
            snapshot = look()
        except PlatformUnavailable:
            return frozenset()
        return frozenset(name for name in snapshot.services if not snapshot.pods.get(name))

    return KnativeMetrics(url, names, without_pods, scrape_interval_s, stale_after_s)
