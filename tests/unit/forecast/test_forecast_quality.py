"""Quality: forecasts said before are judged by what came, and by nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista.forecast.quality import NEXT, RECENT_OUTCOMES, SETUP, TOLD, Judged, Scores, Watch
from barista.values.forecast import Forecast
from barista.values.series import Demand
from barista.values.service import ServiceId

STEP_S = 10.0
LEVELS = (0.5, 0.9)
A = ServiceId("ns/a")


def forecast(origin_s, mean=5.0, quantiles=(5.0, 9.0), steps=4):
    rows = tuple((q,) * steps for q in quantiles)
    return Forecast(origin_s, STEP_S, (mean,) * steps, LEVELS, rows, "some")


def demand(*values, end_s):
    return Demand(end_s - len(values) * STEP_S, STEP_S, np.array(values, dtype=float))


def tell(watch, made, members=None, setup=3):
    watch.said(A, made, members or {}, setup)


def scores(watch, name=TOLD, lead=NEXT):
    return next((q.scores for q in watch.qualities() if (q.forecaster, q.lead) == (name, lead)), None)


def test_nothing_is_known_before_an_outcome_came():
    watch = Watch()
    tell(watch, forecast(0))
    watch.seen(A, demand(1, 2, end_s=0))
    assert watch.qualities() == ()


def test_the_next_step_and_the_one_after_set_up_are_judged_when_they_are_over():
    watch = Watch()
    tell(watch, forecast(0))
    watch.seen(A, demand(7, end_s=10))
    assert scores(watch) == Scores(LEVELS, 1, pytest.approx((1.0, 0.2)), (0, 1), -2)
    assert scores(watch, lead=SETUP) is None
    watch.seen(A, demand(7, 0, 11, end_s=30))
    assert scores(watch).outcomes == 1
    assert scores(watch, lead=SETUP) == Scores(LEVELS, 1, pytest.approx((3.0, 1.8)), (0, 0), -6)


def test_members_are_judged_beside_what_was_told():
    watch = Watch()
    tell(watch, forecast(0), {"good": forecast(0, 7, (7, 7))})
    watch.seen(A, demand(7, end_s=10))
    assert scores(watch, "good").pinball_rps == (0, 0)
    assert scores(watch).bias_rps == -2


def test_a_step_that_nobody_saw_is_no_outcome():
    watch = Watch()
    for k, value in enumerate((7, np.nan, 7)):
        tell(watch, forecast(k * STEP_S))
        watch.seen(A, demand(value, end_s=(k + 1) * STEP_S))
    assert scores(watch).outcomes == 2


def test_what_was_said_first_of_a_step_counts_not_what_was_said_later():
    watch = Watch()
    tell(watch, forecast(0))
    tell(watch, forecast(0, 7, (7, 7)))
    watch.seen(A, demand(7, end_s=10))
    assert scores(watch).pinball_rps[0] == 1


def test_outcomes_that_come_late_and_together_are_all_judged():
    watch = Watch()
    for k in range(5):
        tell(watch, forecast(k * STEP_S))
    watch.seen(A, demand(*[7] * 5, end_s=50))
    assert scores(watch).outcomes == 5


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50))
def test_the_first_scores_are_plain_means(outcomes):
    judged = Judged(1, STEP_S, Scores.none(LEVELS))
    for k, outcome in enumerate(outcomes):
        judged = judged.said(forecast(k * STEP_S)).seen(demand(outcome, end_s=(k + 1) * STEP_S))
    assert judged.scores.coverage == pytest.approx([np.mean(np.array(outcomes) <= q) for q in (5, 9)])
    assert judged.scores.bias_rps == pytest.approx(5 - np.mean(outcomes))
    assert judged.waiting == ()


def test_later_scores_follow_what_happens_now():
    judged = Judged(1, STEP_S, Scores.none(LEVELS))
    for k in range(10 * RECENT_OUTCOMES):
        outcome = 0 if k < 5 * RECENT_OUTCOMES else 10
        judged = judged.said(forecast(k * STEP_S)).seen(demand(outcome, end_s=(k + 1) * STEP_S))
    assert judged.scores.bias_rps == pytest.approx(-5, abs=0.1)


def test_a_set_up_time_beyond_the_horizon_is_judged_at_its_end_and_a_changed_one_anew():
    watch = Watch()
    tell(watch, forecast(0), setup=9)
    watch.seen(A, demand(7, 7, 7, 7, end_s=40))
    (setup,) = (q for q in watch.qualities() if q.lead == SETUP)
    assert (setup.lead_s, setup.scores.outcomes) == (40, 1)
    tell(watch, forecast(40), setup=2)
    assert scores(watch, lead=SETUP) is None
    assert scores(watch).outcomes == 1
