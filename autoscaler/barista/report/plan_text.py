"""A plan as text for a terminal: what it costs and proves, and how its services fare step by step.

Each flavor of a service is a bar over the steps with the number of its replicas, solid while all of them
serve. Below stand capacity and demand; demand that is not covered is red. What does not fit into the width
of the terminal is drawn with one character a step.
"""

from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from barista.plan.counts import Amounts, Counts
from barista.plan.price import PlanPrice
from barista.report.plan_course import Course
from barista.values.problem import Plan

LEVELS = " ▁▂▃▄▅▆▇█"
SOLID, WAITING = "━", "┄"
CELL, LABEL = 5, 14
COVERED, SHORT, STARTING = "green", "red", "yellow"


def summary(plan: Plan, priced: PlanPrice | None) -> RenderableType:
    """Who made the plan, what it costs, and what is proven."""
    table = Table(box=None, show_header=False)
    table.add_row("planner", plan.planner)
    table.add_row("status", f"{plan.status}{': ' if plan.note else ''}{plan.note}")
    if priced is not None:
        parts = [f"provision {priced.provision_cost:.4f}", f"shortfall {priced.shortfall_cost:.4f}"]
        parts += [f"switching {priced.switching_cost:.4f}"] if priced.switching_cost else []
        lost = f"{priced.unserved_requests:.0f} requests"
        table.add_row("cost", f"{priced.cost:.4f} ({', '.join(parts)}: {lost})")
    table.add_row("bound", "none" if plan.bound is None else f"{plan.bound:.4f}")
    table.add_row("gap", "not proven" if plan.gap is None else f"{plan.gap:.3%}")
    table.add_row("time", ", ".join(f"{phase} {spent:.2f} s" for phase, spent in plan.seconds.items()))
    return table


def services(courses: Sequence[Course], most: int, width: int) -> RenderableType:
    """The first `most` of `courses`, over `width` characters."""
    drawn: list[RenderableType] = []
    for course in courses[:most]:
        drawn += [Text(""), *_service(course, width)]
    left = len(courses) - most
    if left > 0:
        cost = sum(course.cost for course in courses[most:])
        drawn.append(
            Text(f"\n{left} more services, which cost {cost:.4f}: --services shows more", style="dim")
        )
    return Group(*drawn)


def print_plan(plan: Plan, priced: PlanPrice | None, courses: Sequence[Course], most: int) -> None:
    """Print both to the terminal."""
    console = Console(soft_wrap=True)
    console.print(summary(plan, priced))
    if courses and most > 0:
        console.print(services(courses, most, console.width))


def _service(course: Course, width: int) -> Iterable[Text]:
    steps = len(course.demand_rps)
    wide = LABEL + steps * CELL <= width
    peak = float(max(course.demand_rps.max(), course.capacity_rps.max()))
    head = Text(course.name, style="bold")
    head.append(
        f"  peak {course.demand_rps.max():.4g} requests/s, {course.served_share:.1%} served,"
        f" cost {course.cost:.4f}",
        style="not bold",
    )
    yield head
    if wide:
        yield _row("step", (Text(f"{step:<{CELL}}", style="dim") for step in range(steps)))
    for flavor in course.flavors:
        yield _row(flavor, _bar(course.ready[flavor], course.starting[flavor], wide=wide))
    covered = [COVERED] * steps
    short = [
        SHORT if demand > capacity + 1e-9 else COVERED
        for demand, capacity in zip(course.demand_rps, course.capacity_rps, strict=True)
    ]
    yield _row("capacity", _levels(course.capacity_rps, peak, covered, wide=wide))
    yield _row("demand", _levels(course.demand_rps, peak, short, wide=wide))


def _row(label: str, cells: Iterable[Text]) -> Text:
    name = label if len(label) < LABEL - 2 else f"{label[: LABEL - 4]}…"
    row = Text(f"  {name:<{LABEL - 2}}")
    for cell in cells:
        row.append_text(cell)
    return row


def _bar(ready: Counts, starting: Counts, *, wide: bool) -> Iterable[Text]:
    most = int((ready + starting).max())
    for serving, waiting in zip(ready.tolist(), starting.tolist(), strict=True):
        style = STARTING if waiting else COVERED
        if serving + waiting == 0:
            yield Text("·" + " " * (CELL - 1) if wide else "·", style="dim")
        elif wide:
            yield Text(f"{serving + waiting}".ljust(CELL, WAITING if waiting else SOLID), style=style)
        else:
            yield Text(_level(serving + waiting, most), style=style)


def _levels(rps: Amounts, peak: float, styles: Sequence[str], *, wide: bool) -> Iterable[Text]:
    for value, style in zip(rps.tolist(), styles, strict=True):
        block = _level(value, peak)
        yield Text(f"{_short(value)}{block}".ljust(CELL) if wide else block, style=style)


def _short(value: float) -> str:
    """`value` in at most four characters, as 0.12, 3.73, 508, 1.1k."""
    if value < 1:
        return f"{value:.2f}".removesuffix(".00")
    for unit in ("", "k", "M"):
        if value < 999.5:
            digits = 2 if unit and value < 99.5 else 3
            return f"{value:.{digits}g}{unit}"
        value /= 1000
    return f"{value:.3g}G"


def _level(value: float, most: float) -> str:
    return LEVELS[round(value / most * (len(LEVELS) - 1))] if most > 0 else LEVELS[0]
