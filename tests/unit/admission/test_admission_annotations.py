"""Annotations: what they say, and that each mistake is told with its place and its mend."""

import pytest

from barista.platforms.knative.annotations import (
    AnnotationError,
    Choices,
    Known,
    check_names,
    duration_ms,
    opted_in,
    read_choices,
)
from barista.values.service import Authority

PREFIX = "knative-barista.dev/"
KNOWN = Known(frozenset({"cpu-1", "cpu-2"}), frozenset({"ensemble"}), frozenset({"auto"}))


def choices(**said: str) -> Choices:
    return read_choices(
        {PREFIX + key.replace("_", "-"): text for key, text in said.items()}, "default/resnet"
    )


def test_annotations_become_what_a_service_sets_for_itself() -> None:
    assert choices(
        latency_slo="250ms",
        latency_percentile="p99",
        flavors="cpu-1, cpu-2",
        forecaster="ensemble",
        planner="auto",
        authority="floor",
        profile="resnet50",
        priority="2",
        paused="true",
    ) == Choices(
        latency_slo_ms=250,
        latency_percentile=99,
        flavors=("cpu-1", "cpu-2"),
        forecaster="ensemble",
        planner="auto",
        authority=Authority.FLOOR,
        profile="resnet50",
        priority=2,
        paused=True,
    )


def test_a_service_opts_in_by_its_latency_objective_alone() -> None:
    assert opted_in({PREFIX + "latency-slo": "250ms"})
    assert not opted_in({PREFIX + "authority": "pin"})
    assert choices(latency_slo="1.5s").given() == {"latency_slo_ms": 1500}


def test_annotations_of_others_say_nothing() -> None:
    assert read_choices({"autoscaling.knative.dev/min-scale": "two"}, "default/a") == Choices()


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (
            {"latency_slo": "25x"},
            "annotation knative-barista.dev/latency-slo of default/resnet: '25x':"
            " need a duration like 250ms or 1.5s",
        ),
        ({"latency_slo": "0ms"}, "need a duration"),
        ({"latency_percentile": "100"}, "need a percentile from 1 to below 100, like 95"),
        ({"latency_percentile": "nan"}, "need a percentile"),
        ({"flavors": "cpu-1,,cpu-2"}, "need a name of lower-case letters, digits, '-' and '.'"),
        ({"flavors": "cpu-1,cpu-1"}, "cpu-1 given more than once: remove one"),
        ({"authority": "rule"}, "need one of advise, floor, pin"),
        ({"forecaster": "https://mine.example/"}, "need a name"),
        ({"priority": "0"}, "need a number above 0, like 2"),
        ({"priority": "inf"}, "need a number above 0, like 2"),
        ({"paused": "yes"}, "need true or false"),
        ({"latency_slos": "250ms"}, "no such annotation; known: knative-barista.dev/authority, "),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_mend(said: dict[str, str], fault: str) -> None:
    with pytest.raises(AnnotationError) as caught:
        choices(**said)
    assert fault in str(caught.value)
    assert "default/resnet" in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(AnnotationError) as caught:
        choices(latency_slo="soon", authority="all")
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("250ms", 250), ("1.5s", 1500), (".5s", 500), (" 2s ", 2000)]
)
def test_durations_are_milliseconds_or_seconds(text: str, milliseconds: float) -> None:
    assert duration_ms(text) == milliseconds


def test_only_what_the_operator_has_can_be_named() -> None:
    check_names(choices(flavors="cpu-1", forecaster="ensemble", planner="auto"), KNOWN, "default/resnet")
    with pytest.raises(AnnotationError) as caught:
        check_names(choices(flavors="gpu-l4", forecaster="mine", planner="best"), KNOWN, "default/resnet")
    assert caught.value.faults[0] == (
        "flavor 'gpu-l4' in annotation knative-barista.dev/flavors of default/resnet: no such flavor;"
        " known: cpu-1, cpu-2"
    )
    assert len(caught.value.faults) == 3


def test_what_is_not_known_is_not_refused() -> None:
    check_names(choices(flavors="gpu-l4"), Known(None, None, None), "default/resnet")


def test_choices_laid_over_others_keep_what_only_those_say() -> None:
    mine, theirs = Choices(latency_slo_ms=250, paused=False), Choices(latency_slo_ms=500, flavors=("a",))
    assert mine.over(theirs) == Choices(latency_slo_ms=250, paused=False, flavors=("a",))
