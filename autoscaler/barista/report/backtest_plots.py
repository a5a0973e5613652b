"""The pictures of a backtest: what came and what was held for it, and cost against violations."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from barista.report.backtest import Backtest
from barista.report.plots import STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0b6e4f", "#c8553d", "#4a5568", "#b7950b", "#2e5e9e", "#7d3c98", "#16a085", "#a04000")
LEAST_SHOWN = 1e-5
"""Share of violations below which a point lies on the edge of the picture."""


def course(backtest: Backtest) -> bytes:
    """Demand above, replicas held by each policy below, over time; PNG."""

    def draw(axes: Any) -> None:
        demand, held = axes
        times = [
            datetime.fromtimestamp(backtest.start_s + k * backtest.step_s, UTC)
            for k in range(len(backtest.demand_rps))
        ]
        demand.fill_between(times, np.nan_to_num(backtest.demand_rps), color="#9fb3c8", linewidth=0)
        demand.set_ylabel("requests/s")
        held.step(times, backtest.needed, where="post", color="#111827", linewidth=0.5, label="needed")
        for colour, (name, result) in zip(COLOURS, backtest.policies.items(), strict=False):
            held.plot(times, result.standard.runs[0].held, color=colour, linewidth=0.8, label=name)
        held.set_ylabel("replicas")
        held.legend(ncols=6, loc="upper left")
        held.tick_params(axis="x", labelrotation=20)

    return _picture(draw, rows=2, height_in=4.6)


def tradeoff(backtest: Backtest) -> bytes:
    """Cost against violations: each policy as it comes (large) and over its knob (a line); PNG."""

    def draw(axes: Any) -> None:
        ax: Axes = axes
        for colour, (name, result) in zip(COLOURS, backtest.policies.items(), strict=False):
            points = result.points
            ax.plot(
                [p.cost for p in points],
                [100 * max(p.violations, LEAST_SHOWN) for p in points],
                color=colour,
                marker="o",
                markersize=3,
                linewidth=1,
            )
            standard = result.standard
            ax.plot(
                [standard.cost],
                [100 * max(standard.violations, LEAST_SHOWN)],
                color=colour,
                marker="o",
                markersize=8,
                linestyle="none",
                label=name,
            )
        ax.set_yscale("log")
        ax.set_xlabel(backtest.unit)
        ax.set_ylabel("requests over the objective, %")
        ax.legend()

    return _picture(draw, rows=1, height_in=4.0)


def _picture(draw: Callable[[Any], None], rows: int, height_in: float) -> bytes:
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.0, height_in), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure.subplots(rows, 1, sharex=True))
        made = io.BytesIO()
        figure.savefig(made, format="png")
    return made.getvalue()
