"""What the benchmark of departures has played is not played again."""

import time
from dataclasses import replace

import numpy as np
import pytest

from barista.values.series import Demand
from benchmarks.departures import KeptPlays, OutOfTime, case


def short(setup_s=60.0):
    whole = case(setup_s, 300.0, "last-value", 1)
    return replace(whole, demand=Demand(whole.start_s, 300.0, np.full(4, 3.0)), end_s=whole.start_s + 1200)


def test_a_play_that_is_kept_is_read_to_the_last_digit_also_when_there_is_no_time(tmp_path):
    first = KeptPlays(tmp_path, time.time() + 60)(short(), "kpa", {"target_utilisation": 0.5}, 0, None)
    late = KeptPlays(tmp_path, time.time() - 1)
    again = late(short(), "kpa", {"target_utilisation": 0.5}, 0, None)
    for name in first.__slots__:
        assert np.array_equal(getattr(first, name), getattr(again, name)), name


@pytest.mark.parametrize(("setup_s", "target", "seed"), [(180.0, 0.5, 0), (60.0, 0.6, 0), (60.0, 0.5, 1)])
def test_another_case_setting_or_seed_is_another_play(tmp_path, setup_s, target, seed):
    KeptPlays(tmp_path, time.time() + 60)(short(), "kpa", {"target_utilisation": 0.5}, 0, None)
    with pytest.raises(OutOfTime):
        KeptPlays(tmp_path, time.time() - 1)(
            short(setup_s), "kpa", {"target_utilisation": target}, seed, None
        )
