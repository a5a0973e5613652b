"""A picture of forecasts: what came, and beside it what each forecaster had said of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from barista.forecast.evaluate import Row
from barista.report import panels
from barista.report.plots import DPI, STYLE, WIDTH_IN
from barista.values.series import Demand

ROW_IN = 2.1


def draw_forecasts(path: Path, series: Demand, rows: Mapping[str, Sequence[Row]], lead: int) -> None:
    """Draw the forecasts `lead` steps ahead: a panel a forecaster, with median and p95 bound, as a PNG."""
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH_IN, ROW_IN * len(rows)), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(rows), 1, sharex=True, sharey=True, squeeze=False)
        for axis, (name, all_rows) in zip(axes[:, 0], rows.items(), strict=True):
            shown = [row for row in all_rows if row.lead == lead and row.target < len(series)]
            targets = np.array([row.target for row in shown])
            times = (series.start_s + targets * series.step_s).astype("datetime64[s]")
            q50, q95 = (np.array([getattr(row, column) for row in shown]) for column in ("q50", "q95"))
            axis.fill_between(
                times, q50, q95, color=panels.FORESEEN, alpha=0.25, linewidth=0, label="median to p95"
            )
            axis.plot(times, q50, color=panels.FORESEEN, linewidth=0.9, label="median")
            axis.plot(times, series.values[targets], color=panels.INK, linewidth=0.7, label="what came")
            axis.set_title(f"{name}, {lead} step{'s' if lead > 1 else ''} ahead", loc="left")
        axes[0, 0].set_ylim(bottom=0)
        axes[0, 0].legend(loc="upper right", ncols=3)
        figure.savefig(path, dpi=DPI)
