"""Capacity models by name, as settings choose them."""

from typing import Literal, get_args

from barista.capacity.published import PublishedCapacity
from barista.capacity.queueing import QueueingCapacity
from barista.capacity.shape import Shape
from barista.ports.capacity import CapacityModel

CapacityName = Literal["mgc", "mdc", "mmc", "published"]
NAMES: tuple[CapacityName, ...] = get_args(CapacityName)


def capacity_model(name: CapacityName) -> CapacityModel:
    """The model called `name`: M/G/c with the measured service times, M/D/c, M/M/c, or the published rule."""
    shapes = {"mgc": Shape.MEASURED, "mdc": Shape.FIXED, "mmc": Shape.EXPONENTIAL}
    return QueueingCapacity(shapes[name]) if name in shapes else PublishedCapacity()
