"""How good forecasts turn out to be, for Prometheus: read from the watch whenever it is scraped."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from barista.forecast.quality import Watch

LABELS = ("service", "forecaster", "lead")
PINBALL = "barista_forecast_pinball_loss_rps"
COVERAGE = "barista_forecast_coverage_ratio"
BIAS = "barista_forecast_bias_rps"
OUTCOMES = "barista_forecast_outcomes"


@dataclass(frozen=True, slots=True, eq=False)
class ForecastQuality(Collector):
    """The scores that `watch` holds; the label `forecaster` is ``told`` or the name of a member."""

    watch: Watch

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family a score."""
        by_level = (*LABELS, "level")
        pinball = GaugeMetricFamily(PINBALL, "Rolling pinball loss of the quantile at level", labels=by_level)
        coverage = GaugeMetricFamily(
            COVERAGE, "Rolling share of outcomes at or below the quantile at level", labels=by_level
        )
        bias = GaugeMetricFamily(BIAS, "Rolling mean of forecast minus outcome", labels=LABELS)
        outcomes = GaugeMetricFamily(OUTCOMES, "Outcomes that were judged since the start", labels=LABELS)
        for quality in self.watch.qualities():
            names, scores = (quality.service, quality.forecaster, quality.lead), quality.scores
            rows = zip(scores.levels, scores.pinball_rps, scores.coverage, strict=True)
            for level, loss, covered in rows:
                pinball.add_metric((*names, f"{level:g}"), loss)
                coverage.add_metric((*names, f"{level:g}"), covered)
            bias.add_metric(names, scores.bias_rps)
            outcomes.add_metric(names, scores.outcomes)
        yield from (pinball, coverage, bias, outcomes)
