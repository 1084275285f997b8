"""When persons buy: rounds of exponential gaps on the segment's clock, until they leave.

Add here what decides the dates of purchases without marketing.
What campaigns add or take away lives in ``actions``; money lives in ``orders``.
"""

import numpy as np
import pandas as pd

from models_py.simulate.retailer.clock import Clock


def draw_purchases(
    people: pd.DataFrame, clock: Clock, rng: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray]:
    """Purchases of everyone who is no prospect, and when each person left.

    The first purchase falls on `first_day`; after every purchase, the first included, the person
    leaves with probability `dropout`; else the next gap is exponential in operational weeks.

    Returns
    -------
    events : DataFrame, one row per purchase
        person, day (days from the start of data, with fraction).
    left_day : ndarray (person,)
        Day of the last purchase of those who left, infinite for those still there.
    """
    segment = people["segment"].to_numpy()
    rate = people["rate"].to_numpy() / 7
    dropout = people["dropout"].to_numpy()
    first_day = people["first_day"].to_numpy()
    left_at = np.full(len(people), np.inf)
    end = clock.cumulative[:, -1]

    active = np.flatnonzero(~people["is_prospect"].to_numpy())
    time = clock.operational(segment[active], first_day[active])
    owners, times = [], []
    while len(active):
        owners.append(active)
        times.append(time)
        leaves = rng.random(len(active)) < dropout[active]
        left_at[active[leaves]] = time[leaves]
        active, time = active[~leaves], time[~leaves]
        time = time + rng.standard_exponential(len(active)) / np.maximum(rate[active], 1e-12)
        is_seen = time < end[segment[active]]
        active, time = active[is_seen], time[is_seen]
    person = np.concatenate(owners)
    day = clock.calendar(segment[person], np.concatenate(times))
    left_day = np.where(np.isinf(left_at), np.inf, 0.0)
    gone = np.flatnonzero(~np.isinf(left_at))
    left_day[gone] = clock.calendar(segment[gone], left_at[gone])
    day = np.minimum(day, clock.days - 1e-6)
    return pd.DataFrame({"person": person, "day": day}), left_day
