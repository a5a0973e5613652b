import pytest

from barista.platforms.local.usage import Meter, ServiceUsage
from barista.values.flavor import Catalogue, Flavor, Pool
from barista.values.service import ServiceId

DIGITS, OTHER = ServiceId("default/digits"), ServiceId("default/other")
CATALOGUE = Catalogue(
    {"pool": Pool("pool", 8, 16)},
    {
        "small": Flavor("small", "pool", 0.25, 1, 1.0, family="one"),
        "large": Flavor("large", "pool", 0.5, 1, 3.0, family="one"),
    },
)


def test_a_replica_is_paid_for_from_order_to_end_by_the_flavor_it_had():
    meter = Meter((DIGITS, OTHER), CATALOGUE)
    meter.order("digits-1", DIGITS, "small", 0, initial=True)
    meter.order("digits-2", DIGITS, "large", 600, initial=False)
    meter.change("digits-1", "large", 1800)
    meter.crash(DIGITS)
    meter.release("digits-2", 2400)

    used = meter.usage(3600)

    # small: 1800 s at 1.0 an hour; large: 1800 s and 1800 s at 3.0 an hour.
    assert used[DIGITS].replica_seconds == {"small": 1800, "large": 3600}
    assert used[DIGITS].cost == pytest.approx(0.5 + 3.0)
    assert (used[DIGITS].cold_starts, used[DIGITS].crashes) == (1, 1)
    assert used[OTHER] == ServiceUsage({}, 0, 0, 0)
    assert meter.usage(7200)[DIGITS].replica_seconds["large"] == 7200
