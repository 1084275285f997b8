"""Which systems hold a record of a person, since when, and under which key.

Add here what decides that a record exists.
What is written in it, and how wrongly, lives in ``record_fields``.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.simulate.retailer.clock import SECONDS_PER_DAY, Clock
from models_py.simulate.retailer.vocabulary import PLACES

SYSTEMS = ("crm", "webshop", "loyalty")
KEY_PREFIXES = ("K", "W", "L")
CRM, WEBSHOP, LOYALTY = range(3)


@dataclass(frozen=True)
class RecordBook:
    """Records and, per person, where to find them.

    Attributes
    ----------
    records : DataFrame, one row per record
        person, system (number of `SYSTEMS`), is_second, created (seconds since 1970, UTC),
        number (random, without order), card (number of the loyalty card of its person).
    crm, webshop, webshop_second, loyalty, loyalty_second : ndarray (person,)
        Row of the record, -1 where the person has none.
    """

    records: pd.DataFrame
    crm: np.ndarray
    webshop: np.ndarray
    webshop_second: np.ndarray
    loyalty: np.ndarray
    loyalty_second: np.ndarray

    @property
    def primary(self) -> np.ndarray:
        """Record that marketing writes to: CRM, else web shop, else loyalty; -1 for guests."""
        best = np.where(self.crm >= 0, self.crm, self.webshop)
        return np.where(best >= 0, best, self.loyalty)


def plan_records(people: pd.DataFrame, clock: Clock, rng: np.random.Generator) -> RecordBook:
    """Give each person one to four records; some five in a hundred buy only as guests.

    There are no shops in Britain, so Britons hold no loyalty card.
    """
    count = len(people)
    is_prospect = people["is_prospect"].to_numpy()
    store_share = people["store_share"].to_numpy()
    draw = rng.random((6, count))
    is_british = np.array([p.country_code == "GB" for p in PLACES])[people["place"]]
    has_loyalty = ~is_prospect & ~is_british & (draw[0] < 0.25 + 0.75 * store_share)
    has_webshop = ~is_prospect & (draw[1] < 0.15 + 0.85 * (1 - store_share))
    is_unknown = ~is_prospect & ~has_loyalty & ~has_webshop
    has_loyalty |= is_unknown & ~is_british & (draw[2] < 0.6)
    has_crm = is_prospect | ((has_loyalty | has_webshop) & (draw[3] < 0.38))
    second_webshop = has_webshop & (draw[4] < 0.09)
    second_loyalty = has_loyalty & ~second_webshop & (draw[5] < 0.05)

    first = (people["first_day"].to_numpy() + clock.start_day) // 1 * SECONDS_PER_DAY
    end = clock.end_seconds
    opening = first + rng.integers(0, 6 * 3600, count)
    # One web customer in six orders as a guest for some weeks before opening an account.
    late = (rng.random(count) < 0.17) * rng.integers(5, 60, count) * SECONDS_PER_DAY
    crm_late = rng.integers(0, 45, count) * SECONDS_PER_DAY * ~is_prospect
    later = opening + (30 + rng.random(count) * 500) * SECONDS_PER_DAY
    seconds = (later < end - 30 * SECONDS_PER_DAY, later)
    plans = [
        (CRM, False, has_crm & (opening + crm_late < end), opening + crm_late),
        (WEBSHOP, False, has_webshop & (opening + late < end), opening + late),
        (WEBSHOP, True, second_webshop & seconds[0], later),
        (LOYALTY, False, has_loyalty, opening),
        (LOYALTY, True, second_loyalty & seconds[0], later),
    ]
    cards = rng.permutation(4 * count)[:count] + 3 * 10**8
    rows, lookups, total = [], [], 0
    for system, is_second, exists, created in plans:
        person = np.flatnonzero(exists)
        lookup = np.full(count, -1)
        lookup[person] = total + np.arange(len(person))
        lookups.append(lookup)
        total += len(person)
        rows.append(
            pd.DataFrame(
                {
                    "person": person,
                    "system": system,
                    "is_second": is_second,
                    "created": created[person].astype("int64"),
                    "card": cards[person],
                }
            )
        )
    records = pd.concat(rows, ignore_index=True)
    records["number"] = rng.permutation(7 * total)[:total] + 10**6
    return RecordBook(records, *lookups)
