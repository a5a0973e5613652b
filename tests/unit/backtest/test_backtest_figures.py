"""What is read from a backtest: estimates over seeds, curves at one cost or at one share of violations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista.report.backtest import Backtest, Estimate, Figures, Point, PolicyResult, document
from barista.report.backtest_page import sentences, write_page
from barista.report.backtest_text import rows


def figures(cost, violations):
    return Figures(violations, 100.0, 200.0, cost, 1.0, 3, 0.5, 1000, 2, np.ones(4))


def result(name="barista", standard=(10, 0.01), curve=(), knob="demand_quantile"):
    points = tuple(Point(float(k), (figures(*at),)) for k, at in enumerate(curve))
    return PolicyResult(name, Point(None, (figures(*standard),)), knob if curve else "", points)


def backtest(**results):
    return Backtest(
        "a trace",
        "replica-hours",
        0.0,
        60.0,
        np.arange(4.0),
        np.ones(4),
        {r.name: r for r in results.values()},
    )


def test_one_seed_has_no_confidence_interval_and_two_have_a_wide_one():
    assert Estimate.of([2.0]) == Estimate(2.0, None)
    two = Estimate.of([1.0, 3.0])
    assert two.mean == 2
    assert two.within == pytest.approx(12.706 * np.sqrt(2) / np.sqrt(2))


@pytest.mark.parametrize(
    ("cost", "violations"),
    [(10, 0.01), (15, 0.006), (20, 0.002), (1000, 0.002), (9, None)],
)
def test_violations_are_read_at_a_cost_between_points_on_a_line(cost, violations):
    # The point at 18 lies above the line from 10 to 20: a mixture of the two would be better.
    of = result(curve=[(20, 0.002), (18, 0.009)])
    read = of.violations_at(cost)
    assert read is None if violations is None else read == pytest.approx(violations)


def test_the_cost_at_a_share_of_violations_is_the_least_at_which_no_more_are_made():
    of = result(curve=[(20, 0.002), (30, 0.02)])
    assert of.cost_at(0.5) == pytest.approx(10)
    assert of.cost_at(0.006) == pytest.approx(15)
    assert of.cost_at(0.001) is None


costs = st.lists(st.tuples(st.floats(1, 100), st.floats(0, 1)), min_size=1, max_size=8)


@given(costs, st.floats(1, 200))
def test_a_read_is_never_worse_than_any_point_that_costs_no_more(points, cost):
    of = result(standard=points[0], curve=points[1:])
    read = of.violations_at(cost)
    affordable = [v for c, v in points if c <= cost]
    assert (read is None) == (not affordable)
    if read is not None:
        assert read <= min(affordable) + 1e-9


def test_the_document_holds_what_was_agreed_for_every_policy():
    made = document(backtest(a=result(curve=[(20, 0.002)]), b=result("kpa", (15, 0.1))))
    assert set(made) == {"policies", "tradeoff"}
    assert set(made["policies"]) == {"barista", "kpa"}
    assert made["policies"]["kpa"] == {
        "slo_violation_ratio": 0.1,
        "p95_ms": 100,
        "p99_ms": 200,
        "cost": 15,
        "over_provision_cost": 1,
        "cold_starts": 3,
        "changes_per_hour": 0.5,
    }
    assert set(made["tradeoff"]) == {"barista"}
    assert made["tradeoff"]["barista"]["points"][0]["setting"] == 0


def test_the_page_says_the_result_in_sentences_and_needs_no_other_file(tmp_path):
    made = backtest(a=result(curve=[(20, 0.002)]), b=result("kpa", (20, 0.1)))
    assert sentences(made) == [
        "barista: 1.000% of the requests missed the objective, kpa: 10.000%; barista cost 50% less than kpa."
    ]
    page = write_page(tmp_path, made).read_text()
    assert sentences(made)[0] in page
    assert "http" not in page
    assert page.count("data:image/png;base64,") == 2
    assert [row[0] for row in rows(made)] == ["barista", "kpa"]
