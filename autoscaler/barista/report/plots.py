"""Plots: the pictures of a run, or of two runs on the same arrivals, as PNG files.

`demo.png` says it all in one picture, readable at 1000 pixels in a README; the others are its rows,
alone. A picture has one column per service and one row per kind of panel.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from barista.report import panels
from barista.report.headline import headline
from barista.report.recording import Run

WIDTH_IN, DPI = 10.0, 200

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 8.5,
    "text.color": panels.INK,
    "axes.labelcolor": panels.INK,
    "axes.edgecolor": panels.FAINT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e8ebef",
    "grid.linewidth": 0.8,
    "xtick.color": panels.FAINT,
    "ytick.color": panels.FAINT,
    "xtick.labelcolor": panels.INK,
    "ytick.labelcolor": panels.INK,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "hatch.linewidth": 0.8,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of panel: its title, what its y axis counts, its height (in), and how it is drawn."""

    title: str
    unit: str
    height_in: float
    draw: Callable[[Any, str], None]


def draw(output: Path, runs: Mapping[str, Run]) -> dict[str, Path]:
    """Draw the pictures of `runs` into `output`; returns their paths by name.

    Names: ``demo`` (everything), ``demand``, ``replicas``, ``latency``, ``cost``. The first of `runs`
    is the one the report is about.
    """
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    rows = _rows(runs)
    pictures = {"demo": [row for group in rows.values() for row in group], **rows}
    paths = {}
    with mpl.rc_context(STYLE):
        for name, chosen in pictures.items():
            figure = Figure(dpi=DPI)
            FigureCanvasAgg(figure)
            _lay_out(figure, chosen, runs, headline(runs) if name == "demo" else ())
            paths[name] = output / f"{name}.png"
            figure.savefig(paths[name], dpi=DPI)
    return paths


def _rows(runs: Mapping[str, Run]) -> dict[str, list[Row]]:
    flavors, policies = panels.flavor_colours(runs), panels.policy_colours(runs)
    policy, run = next(iter(runs.items()))

    def held(of: Run) -> Callable[[Any, str], None]:
        return lambda axes, service: panels.replicas(axes, of, service, flavors, most)

    versus = len(runs) > 1
    most = max(panels.most_replicas(of) for of in runs.values())
    return {
        "demand": [
            Row(
                f"demand and forecast ({policy})" if versus else "demand and forecast",
                "requests / s",
                1.75,
                lambda axes, service: panels.demand(axes, run, service),
            )
        ],
        "replicas": [
            Row(f"replicas ({name})" if versus else "replicas", "replicas", 1.35, held(of))
            for name, of in runs.items()
        ],
        "latency": [
            Row("latency", "ms (log)", 1.75, lambda axes, s: panels.latency(axes, runs, s, policies))
        ],
        "cost": [
            Row(
                "cost so far, at the flavors' prices",
                "cost",
                1.0,
                lambda axes, s: panels.cost(axes, runs, s, policies),
            )
        ],
    }


def _lay_out(figure: Any, rows: Sequence[Row], runs: Mapping[str, Run], sentences: Sequence[str]) -> None:
    """Lay rows × services out in inches, so that text stays clear whatever the number of rows."""
    run = next(iter(runs.values()))
    count = len(run.services)
    left, right, between, gap, foot = 0.68, 0.25, 0.45, 0.42, 0.68
    head = 0.85 + (0.15 + 0.22 * len(sentences) if sentences else 0)
    width = max(WIDTH_IN, 4.0 * count)
    height = head + foot + sum(row.height_in for row in rows) + gap * (len(rows) - 1)
    column = (width - left - right - between * (count - 1)) / count
    figure.set_size_inches(width, height)

    def write(x_in: float, from_top_in: float, text: str, **style: Any) -> None:
        figure.text(x_in / width, 1 - from_top_in / height, text, va="baseline", **style)

    for number, sentence in enumerate(sentences):
        style = {"size": 11, "weight": "bold"} if number == 0 else {"size": 8.8, "color": "#4a5560"}
        write(0.15, 0.3 + 0.22 * number, sentence, **style)
    for i, service in enumerate(run.services):
        name = f"{service}  ({run.info.services[service].model})"
        write(left + i * (column + between), head - 0.53, name, size=9.5, weight="bold")
    below = head
    for number, row in enumerate(rows):
        grid = []
        for i, service in enumerate(run.services):
            x, y = left + i * (column + between), height - below - row.height_in
            axes = figure.add_axes((x / width, y / height, column / width, row.height_in / height))
            row.draw(axes, service)
            axes.set_xlim(0, run.info.elapsed(run.end_s))
            axes.tick_params(length=2.5, labelbottom=number == len(rows) - 1)
            grid.append(axes)
        grid[0].set_ylabel(row.unit)
        grid[0].yaxis.set_label_coords(-0.5 / column, 0.5)
        above = below - (0.1 if number else 0.27)
        write(left, above, row.title, size=8.5, weight="bold", color=panels.INK)
        _legend(figure, grid, (1 - right / width, 1 - (above + 0.04) / height))
        if number == 0:
            for axes in grid:
                panels.trace_clock(axes, run)
        below += row.height_in + gap
    for axes in grid:
        axes.set_xlabel("seconds of the demo")
    clock = run.info.clock
    note = f"upper scale: time of day in the trace ({clock.day:%Y-%m-%d}, {clock.time_zone})"
    write(left, height - 0.1, note, size=7.5, color=panels.FAINT)


def _legend(figure: Any, grid: Sequence[Any], anchor: tuple[float, float]) -> None:
    """One legend for a row's panels, in one line that ends at `anchor`."""
    entries = [pair for axes in grid for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
    unique = {label: handle for handle, label in reversed(entries)}
    if unique:
        labels = list(dict.fromkeys(label for _, label in entries))
        figure.legend(
            [unique[label] for label in labels],
            labels,
            loc="lower right",
            bbox_to_anchor=anchor,
            ncols=len(labels),
            handlelength=1.4,
            columnspacing=1.2,
            handletextpad=0.5,
            borderaxespad=0,
            borderpad=0,
        )
