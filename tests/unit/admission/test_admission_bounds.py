"""Bounds and quantities: what is written for a plan, whatever the template says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity

from barista.platforms.knative.bounds import Bounds, planned_bounds, read_bounds
from barista.platforms.knative.quantities import amount, cpu_text, gib, memory_text
from barista.values.service import Authority

counts = st.none() | st.integers(0, 20)


@pytest.mark.parametrize(
    ("own", "authority", "replicas", "written"),
    [
        (Bounds(), Authority.FLOOR, 3, Bounds(3, None)),
        (Bounds(1, 10), Authority.FLOOR, 3, Bounds(3, 10)),
        (Bounds(1, 10), Authority.PIN, 3, Bounds(3, 3)),
        (Bounds(), Authority.PIN, 0, Bounds(0, None)),
        (Bounds(None, 10), Authority.PIN, 0, Bounds(0, 10)),
        (Bounds(2, 10), Authority.PIN, 0, Bounds(2, 2)),
        (Bounds(1, 4), Authority.FLOOR, 9, Bounds(4, 4)),
        (Bounds(1, 4), Authority.PIN, 9, Bounds(4, 4)),
        (Bounds(5, 0), Authority.FLOOR, 3, Bounds(5, 0)),
        (Bounds(1, 10), Authority.ADVISE, 3, Bounds(1, 10)),
    ],
)
def test_bounds_are_written_by_authority(
    own: Bounds, authority: Authority, replicas: int, written: Bounds
) -> None:
    assert planned_bounds(own, authority, replicas) == written


@given(
    own=st.builds(Bounds, counts, counts).filter(lambda b: not b.most or (b.least or 0) <= b.most),
    authority=st.sampled_from(Authority),
    replicas=st.integers(0, 30),
    activation_scale=st.none() | st.integers(2, 20),
)
def test_knative_accepts_whatever_is_written_over_bounds_that_it_accepts(
    own: Bounds, authority: Authority, replicas: int, activation_scale: int | None
) -> None:
    def accepted(bounds: Bounds) -> bool:
        least, most = bounds.least or 0, bounds.most or 0
        ordered = not most or least <= most
        return ordered and (
            activation_scale is None or (least <= activation_scale and (not most or most >= activation_scale))
        )

    if accepted(own):
        assert accepted(planned_bounds(own, authority, replicas, activation_scale))


def test_bounds_are_read_under_both_of_their_names() -> None:
    prefix = "autoscaling.knative.dev/"
    assert read_bounds({prefix + "minScale": "1", prefix + "max-scale": "5"}) == Bounds(1, 5)
    assert read_bounds({}) == Bounds()
    with pytest.raises(ValueError, match=r"min-scale: '-1': need a number of replicas"):
        read_bounds({prefix + "min-scale": "-1"})


@pytest.mark.parametrize("text", ["2", "500m", "1.5", "4Gi", "512Mi", "1G", "100k"])
def test_quantities_are_read_as_kubernetes_reads_them(text: str) -> None:
    assert amount(text) == float(parse_quantity(text))


@given(st.integers(1, 64_000))
def test_written_quantities_are_read_back(n: int) -> None:
    assert amount(cpu_text(n / 1000)) == pytest.approx(n / 1000)
    assert gib(memory_text(n / 1024)) == pytest.approx(n / 1024)


def test_what_is_no_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'4GB': need a quantity like 500m or 4Gi"):
        amount("4GB")
