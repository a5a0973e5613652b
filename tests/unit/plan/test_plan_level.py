import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_plugins.level import level

amounts = st.floats(0.0, 1e6, allow_subnormal=False)


@pytest.mark.parametrize(
    ("gaps", "left", "expected"),
    [
        ([4.0, 1.0, 3.0], 6.0, 2.5),
        ([4.0, 1.0, 3.0], 3.0, 1.0),
        ([4.0, 1.0, 3.0], 9.0, math.inf),
        ([4.0], 0.0, math.inf),
        ([], 1.0, math.inf),
        ([2.0, math.inf, math.inf], 8.0, 3.0),
    ],
)
def test_the_least_stay_as_they_are_and_the_others_share_what_is_left(
    gaps: list[float], left: float, expected: float
) -> None:
    assert level(np.array(gaps), left) == pytest.approx(expected)


@given(st.lists(amounts, min_size=1, max_size=20), st.floats(1e-3, 1e6))
def test_cut_off_at_the_level_they_are_what_is_left(gaps: list[float], left: float) -> None:
    found = level(np.array(gaps), left)
    if math.isinf(found):
        assert sum(gaps) <= left * (1 + 1e-9)
    else:
        assert np.minimum(gaps, found).sum() == pytest.approx(left, rel=1e-6)
