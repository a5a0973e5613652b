"""Looks of surge that can find nothing are left out, and nothing comes out differently."""

import numpy as np
import pytest

from barista.cli.calm import Calm
from barista.cli.lognormal import lognormal
from barista.cli.replay import Case, oracle_tape, play, taped
from barista.values.profile import Distribution, ExecutionProfile
from barista.values.series import Demand
from barista.values.service import ServiceId

START_S = 1_700_006_400.0


def case(rates_rps):
    return Case(
        service=ServiceId("default/trace"),
        demand=Demand(START_S, 300.0, np.array(rates_rps, dtype=float)),
        start_s=START_S,
        end_s=START_S + 300 * len(rates_rps),
        profile=ExecutionProfile("m", "replica", lognormal(0.08, 0.12), Distribution.constant(60.0)),
        slo_s=0.4,
        percentile=0.95,
        queue_limit=50,
        forecaster="last-value",
    )


@pytest.mark.parametrize("rates_rps", [[5, 5, 5, 5], [2, 40, 2, 40], [0, 0, 30, 0], [11, 12, 13, 60]])
def test_a_replay_comes_to_the_same_to_the_last_digit_with_and_without_it(rates_rps, monkeypatch):
    looks = {"asked": 0}

    def never_calm(calm, surge):
        def look(memory, now_s):
            looks["asked"] += 1
            return surge(memory, now_s)

        return look

    tape = taped(case(rates_rps))
    quick = play(case(rates_rps), "barista", {}, 0, tape)
    monkeypatch.setattr(Calm, "before", never_calm)
    whole = play(case(rates_rps), "barista", {}, 0, tape)
    assert looks["asked"] > 500
    for name in quick.__slots__:
        assert np.array_equal(getattr(quick, name), getattr(whole, name)), name


def test_nearly_all_looks_at_a_service_that_is_well_are_left_out(monkeypatch):
    asked = []
    before = Calm.before

    def counted(calm, surge):
        def look(memory, now_s):
            asked.append(now_s)
            return surge(memory, now_s)

        return before(calm, look)

    monkeypatch.setattr(Calm, "before", counted)
    steady = case([1, 1, 1, 1])
    play(steady, "barista", {}, 0, oracle_tape(steady))
    assert len(asked) < 60
