"""Customers who follow the models' own assumptions on a clock with a season, day by day.

Add here what a test or study of seasons needs of an ideal shop.
One without seasons lives in ``plain``; a shop that breaks the assumptions in ``retailer``.
"""

import numpy as np
import pandas as pd

from models_py.simulate.plain import PlainParameters, repeat_purchases


def simulate_seasonal(
    parameters: PlainParameters,
    speed: np.ndarray,
    customers: int,
    acquisition_days: int,
    random_state: int | np.random.Generator,
) -> pd.DataFrame:
    """Purchase days of MBG/NBD customers whose time runs at the speed of the day.

    Customers are won at uniform times of the first days. Gaps are exponential in operational time,
    the sum of speeds of the days passed; after every purchase, the first included, a customer may
    leave. Spend has no season.

    Parameters
    ----------
    parameters : PlainParameters
        Rates per operational week.
    speed : ndarray (day,)
        Of every day that is simulated; mean 1 makes an operational year as long as a year.
    customers : int
    acquisition_days : int
    random_state : int or Generator

    Returns
    -------
    DataFrame
        customer_id, day (0 is the first), amount; purchases of a day are one.
    """
    rng = np.random.default_rng(random_state)
    elapsed = np.concatenate([[0.0], np.cumsum(speed)])
    days = np.arange(len(elapsed), dtype="float64")
    rate = rng.gamma(parameters.r, 1 / parameters.alpha, customers)
    dropout = rng.beta(parameters.a, parameters.b, customers)
    spend_rate = rng.gamma(parameters.q, 1 / parameters.v, customers)
    first = np.interp(rng.uniform(0, acquisition_days, customers), days, elapsed)
    leaves_at_first = rng.random(customers) < dropout
    owner, gone_by, _ = repeat_purchases(rate, dropout, leaves_at_first, elapsed[-1] - first, rng)
    person = np.concatenate([np.arange(customers), owner])
    moment = np.concatenate([first, first[owner] + gone_by])
    day = np.minimum(np.interp(moment, elapsed, days), len(speed) - 1).astype("int64")
    amount = rng.gamma(parameters.p, 1 / spend_rate[person])
    amount[:customers] *= parameters.kappa
    rows = pd.DataFrame(
        {"customer_id": [f"s_{one:06d}" for one in person], "day": day, "amount": amount}
    )
    found: pd.DataFrame = rows.groupby(["customer_id", "day"], as_index=False).sum()
    return found
