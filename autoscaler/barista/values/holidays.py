"""Public holidays by country: the days that look like no other of their weekday."""

from datetime import date
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Days = npt.NDArray[np.datetime64]


class UnknownCountry(ValueError):
    """There are no holidays on record for a country or its part."""


@lru_cache(maxsize=256)
def holidays_of(country: str, year: int) -> frozenset[date]:
    """Public holidays of `country` in `year`: ISO codes, of a country or of a part of it (``DE``, ``DE-BY``).

    UnknownCountry when none are on record.
    """
    import holidays  # noqa: PLC0415  # a quarter of a second that only those pay who ask

    code, _, part = country.partition("-")
    try:
        return frozenset(holidays.country_holidays(code, subdiv=part or None, years=year))
    except NotImplementedError:
        raise UnknownCountry(
            f"{country!r}: no holidays on record; need an ISO code like DE, or with a part like DE-BY"
        ) from None


def are_holidays(days: Days, country: str) -> npt.NDArray[np.bool_]:
    """Whether each of the local `days` (datetime64[D]) is a holiday of `country`, shape of `days`."""
    distinct, inverse = np.unique(days, return_inverse=True)
    known = [day in holidays_of(country, day.year) for day in distinct.astype(object)]
    return np.array(known, dtype=bool)[inverse].reshape(days.shape)
