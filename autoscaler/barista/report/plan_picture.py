"""A plan as a picture: for each service, capacity by flavor as steps under the line of its demand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from barista.report import panels
from barista.report.plan_course import Course
from barista.report.plots import DPI, STYLE, WIDTH_IN
from barista.values.problem import Plan, Problem

COLUMNS, PANEL_IN = 2, 1.9


def draw_plan(path: Path, kind: str, problem: Problem, plan: Plan, courses: Sequence[Course]) -> None:
    """Draw `courses`, those to be shown, to `path` as `kind` (svg, png). OSError when it cannot be."""
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    flavors = sorted(problem.flavors, key=lambda flavor: (flavor.cpu, flavor.name))
    palette = panels.FLAVOR_COLOURS
    colours = {flavor.name: palette[i % len(palette)] for i, flavor in enumerate(flavors)}
    rows = -(-len(courses) // COLUMNS)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 0.9 + PANEL_IN * rows), layout="constrained")
        FigureCanvasAgg(figure)
        gap = "no bound" if plan.gap is None else f"gap {plan.gap:.2%}"
        cost = "" if plan.cost is None else f", cost {plan.cost:.4g}"
        figure.suptitle(f"{problem.name}: plan by {plan.planner}{cost}, {gap}", x=0.01, ha="left")
        grid = figure.subplots(rows, COLUMNS, squeeze=False)
        for axes, course in zip(grid.flat, courses, strict=False):
            _panel(axes, course, problem.step_s, colours)
        for axes in grid.flat[len(courses) :]:
            axes.axis("off")
        labels: dict[str, Any] = {}
        for axes in grid.flat[: len(courses)]:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                labels.setdefault(label, handle)
        figure.legend(labels.values(), labels.keys(), loc="outside upper right", ncols=len(labels))
        figure.savefig(path, format=kind, dpi=DPI)


def _panel(axes: Any, course: Course, step_s: float, colours: dict[str, str]) -> None:
    edges_min = np.arange(len(course.demand_rps) + 1) * step_s / 60
    below = np.zeros_like(course.demand_rps)
    for flavor in course.flavors:
        above = below + course.ready_rps[flavor]
        axes.stairs(
            above, edges_min, baseline=below, fill=True, color=colours[flavor], label=f"capacity on {flavor}"
        )
        below = above
    axes.stairs(course.demand_rps, edges_min, baseline=None, color=panels.FORESEEN, lw=1.6, label="demand")
    axes.set_title(f"{course.name}: {course.served_share:.1%} served", loc="left", size=8.5, weight="bold")
    axes.set_xlabel("minutes")
    axes.set_ylabel("requests / s")
    axes.set_ylim(bottom=0)
