"""The page of a backtest: one self-contained HTML file that can be sent on."""

import base64
from pathlib import Path

from barista.report.backtest import Backtest, PolicyResult
from barista.report.backtest_plots import course, tradeoff
from barista.report.backtest_text import COLUMNS, cell, rows


def write_page(output: Path, backtest: Backtest) -> Path:
    """Write ``backtest.html`` and its pictures into `output`; the page's path."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    output.mkdir(parents=True, exist_ok=True)
    pictures = {"course": course(backtest), "tradeoff": tradeoff(backtest)}
    for name, picture in pictures.items():
        (output / f"{name}.png").write_bytes(picture)
    environment = Environment(
        loader=PackageLoader("barista.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = output / "backtest.html"
    page.write_text(
        environment.get_template("backtest.html.j2").render(
            title=backtest.title,
            unit=backtest.unit,
            headline=sentences(backtest),
            notes=backtest.notes,
            columns=[heading for heading, _, _ in COLUMNS],
            rows=rows(backtest),
            curves=[(result, _curve(result)) for result in backtest.policies.values() if result.curve],
            pictures={name: base64.b64encode(picture).decode() for name, picture in pictures.items()},
        )
    )
    return page


def sentences(backtest: Backtest, ours: str = "barista") -> list[str]:
    """What a manager wants to know first: ours beside each other policy, as they come."""
    mine = backtest.policies.get(ours)
    if mine is None:
        return []
    said = []
    for name, other in backtest.policies.items():
        if name == ours:
            continue
        cost = mine.standard.cost / other.standard.cost - 1 if other.standard.cost else 0.0
        said.append(
            f"{ours}: {mine.standard.violations:.3%} of the requests missed the objective,"
            f" {name}: {other.standard.violations:.3%};"
            f" {ours} cost {abs(cost):.0%} {'less' if cost < 0 else 'more'} than {name}."
        )
    return said


def _curve(result: PolicyResult) -> list[tuple[str, ...]]:
    return [
        (
            "as it comes" if point.setting is None else f"{point.setting:g}",
            *(cell(point.estimate(figure), form) for _, figure, form in COLUMNS),
        )
        for point in result.points
    ]
