"""A backtest as a table for the terminal."""

from typing import TYPE_CHECKING

from barista.report.backtest import Backtest, Estimate

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = (
    ("violations", "slo_violation_ratio", "{:.3%}"),
    ("p95 ms", "p95_ms", "{:,.0f}"),
    ("p99 ms", "p99_ms", "{:,.0f}"),
    ("cost", "cost", "{:,.1f}"),
    ("idle cost", "over_provision_cost", "{:,.1f}"),
    ("cold starts", "cold_starts", "{:,.0f}"),
    ("changes/h", "changes_per_hour", "{:.2f}"),
)
"""Heading, figure, format."""


def cell(estimate: Estimate, form: str) -> str:
    """The mean, and the half-width of its confidence interval where there is one."""
    text = form.format(estimate.mean)
    return text if estimate.within is None else f"{text} ± {form.format(estimate.within)}"


def rows(backtest: Backtest) -> list[tuple[str, ...]]:
    """A row a policy as it comes: its name and its figures."""
    return [
        (name, *(cell(result.standard.estimate(figure), form) for _, figure, form in COLUMNS))
        for name, result in backtest.policies.items()
    ]


def table(backtest: Backtest) -> "Table":
    """The rows under their headings."""
    from rich.table import Table  # noqa: PLC0415

    made = Table("policy", *(heading for heading, _, _ in COLUMNS), box=None, pad_edge=False)
    for row in rows(backtest):
        made.add_row(*row)
    return made
