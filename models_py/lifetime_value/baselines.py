"""Forecasts that cost nothing to think of, and one that learns without a story: the bar to clear.

Add here a baseline, seeing only what was known at the origin. Models of customers who leave are
`purchases` and `predictive`; the comparison is `scores`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from models_py.frames import require_columns, to_float

DAYS_PER_WEEK = 7.0
_CHUNK = 2000
FEWEST_CUSTOMERS = 10  # of fewer, trees learn nothing
_RECENT = ("customer_id", "recent_orders_count", "recent_revenue_amount")


@dataclass(frozen=True)
class NegativeBinomial:
    """Customers who never leave: Poisson orders at a rate ~ Gamma(r, alpha), Ehrenberg's NBD.

    Attributes
    ----------
    r, alpha : float
        Shape, and rate in weeks.

    References
    ----------
    Ehrenberg (1959); Schmittlein, Bemmaor & Morrison (1985) for the conditional expectation.
    """

    r: float
    alpha: float

    @classmethod
    def fit(cls, x: np.ndarray, weeks: np.ndarray) -> NegativeBinomial:
        """Maximum likelihood over customers (customer,), within 1e-3 to 1e3 for both parameters.

        The bounds matter where all customers are alike, or none comes again: the maximum is then
        at infinity or zero.
        """
        pairs, counts = np.unique(np.column_stack([x, weeks]), axis=0, return_counts=True)
        bought, watched = pairs.T

        def minus_log_likelihood(logs: np.ndarray) -> float:
            r, alpha = np.exp(logs)
            terms = (
                special.gammaln(r + bought)
                - special.gammaln(r)
                + r * (np.log(alpha) - np.log(alpha + watched))
                - bought * np.log(alpha + watched)
            )
            return -float(counts @ terms)

        limits = [(np.log(1e-3), np.log(1e3))] * 2
        found = optimize.minimize(
            minus_log_likelihood, np.zeros(2), method="L-BFGS-B", bounds=limits
        )
        r, alpha = np.exp(found.x)
        return cls(float(r), float(alpha))

    def mean(self, x: np.ndarray, weeks: np.ndarray, ahead: float) -> np.ndarray:
        """Expected orders in the next `ahead` weeks: (r + x) / (alpha + T) x ahead."""
        expected: np.ndarray = (self.r + x) / (self.alpha + weeks) * ahead
        return expected

    def crps(
        self, x: np.ndarray, weeks: np.ndarray, ahead: float, actual: np.ndarray
    ) -> np.ndarray:
        """Score of the whole distribution: sum over k of (P(orders <= k) - [actual <= k])^2."""
        score = np.empty(len(x))
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            shape = self.r + x[part]
            stay = (self.alpha + weeks[part]) / (self.alpha + weeks[part] + ahead)
            far = stats.nbinom.ppf(1.0 - 1e-9, shape, stay).max(initial=0.0)
            k = np.arange(max(far, actual[part].max(initial=0.0)) + 1.0)
            below = stats.nbinom.cdf(k[None, :], shape[:, None], stay[:, None])
            score[part] = ((below - (actual[part][:, None] <= k)) ** 2).sum(axis=1)
        return score


class GradientBoosting:
    """Boosted trees on whatever features there are, learned at an earlier date.

    Parameters
    ----------
    random_state : int

    Attributes
    ----------
    columns_ : list of str
        The numeric features it learned from.
    """

    columns_: list[str]

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, features: pd.DataFrame, outcomes: pd.DataFrame) -> GradientBoosting:
        """Learn orders and revenue, one row per customer.

        Parameters
        ----------
        features : DataFrame
            customer_id and numbers, as known at the earlier date.
        outcomes : DataFrame
            customer_id, realised_orders_count, realised_revenue_amount over the horizon after that
            date. The caller sees to it that this window ends by the date that is forecast from.
        """
        from sklearn.ensemble import HistGradientBoostingRegressor

        if len(features) < FEWEST_CUSTOMERS:
            raise ValueError(
                f"features hold {len(features)} customers, and trees need {FEWEST_CUSTOMERS}. "
                "Leave this baseline out."
            )
        require_columns(outcomes, ["customer_id", *_TARGETS.values()], "outcomes")
        self.columns_ = [
            str(name)
            for name in features.columns
            if name != "customer_id" and features[name].notna().any()
        ]
        inputs = self._inputs(features)
        ids = features["customer_id"].astype(str)
        self._models: dict[str, HistGradientBoostingRegressor | None] = {}
        for quantity, column in _TARGETS.items():
            by_customer = pd.Series(
                to_float(outcomes[column], "outcomes"), index=outcomes["customer_id"].astype(str)
            )
            target = np.maximum(by_customer.reindex(ids, fill_value=0.0).to_numpy(), 0.0)
            # Trees of a Poisson loss cannot learn from nothing but zeros, which say: nothing.
            self._models[quantity] = (
                HistGradientBoostingRegressor(
                    loss="poisson",
                    max_iter=100,
                    learning_rate=0.1,
                    # A tenth held out, or it learns the noise by heart; too few to part below 20.
                    early_stopping=len(target) >= 20,
                    random_state=self.random_state,
                ).fit(inputs, target)
                if target.sum() > 0
                else None
            )
        return self

    def predict(self, features: pd.DataFrame) -> dict[str, np.ndarray]:
        """``orders`` and ``revenue`` (customer,) over the horizon that was learned."""
        inputs = self._inputs(features)
        return {
            quantity: np.zeros(len(features)) if model is None else model.predict(inputs)
            for quantity, model in self._models.items()
        }

    def _inputs(self, features: pd.DataFrame) -> np.ndarray:
        return np.column_stack([to_float(features[name], "features") for name in self.columns_])


_TARGETS = {"orders": "realised_orders_count", "revenue": "realised_revenue_amount"}


def naive_forecasts(
    batch: pd.DataFrame, horizon_days: int, recent: pd.DataFrame | None = None
) -> dict[str, dict[str, np.ndarray]]:
    """Forecasts of every baseline that needs no earlier origin.

    Parameters
    ----------
    batch : DataFrame
        Columns of `frames.LTV_FEATURES` at the origin.
    horizon_days : int
    recent : DataFrame, optional
        customer_id, recent_orders_count and recent_revenue_amount of the `horizon_days` up to the
        origin; customers without a row had nothing.

    Returns
    -------
    dict of dict of ndarray (customer,)
        Model to ``orders`` and ``revenue``: ``all_zero``; ``mean`` (everyone at the rate and the
        order value of all); ``naive_rate`` (x / T carried on at the customer's mean amount);
        ``last_period`` (the same again), when `recent` is given; ``nbd`` (`NegativeBinomial` at the
        customer's mean amount).
    """
    x = to_float(batch["repeat_purchase_days_count"], "batch")
    weeks = to_float(batch["tenure_days"], "batch") / DAYS_PER_WEEK
    spent = to_float(batch["first_purchase_amount"], "batch")
    spent = spent + np.where(x > 0, to_float(batch["repeat_purchase_amount"], "batch"), 0.0)
    ahead = horizon_days / DAYS_PER_WEEK
    amount = spent / (x + 1.0)
    rate = np.where(weeks > 0, x / np.maximum(weeks, 1e-9), 0.0) * ahead
    everyone = np.full(len(x), x.sum() / max(float(weeks.sum()), 1e-9) * ahead)
    mean_amount = spent.sum() / max(float((x + 1.0).sum()), 1.0)
    by_rates = NegativeBinomial.fit(x, weeks).mean(x, weeks, ahead)
    found = {
        "all_zero": {"orders": np.zeros(len(x)), "revenue": np.zeros(len(x))},
        "mean": {"orders": everyone, "revenue": everyone * mean_amount},
        "naive_rate": {"orders": rate, "revenue": rate * amount},
        "nbd": {"orders": by_rates, "revenue": by_rates * amount},
    }
    if recent is not None:
        require_columns(recent, _RECENT, "recent")
        table = recent.set_index(recent["customer_id"].astype(str))
        table = table.reindex(batch["customer_id"].astype(str))
        found["last_period"] = {
            "orders": np.nan_to_num(to_float(table["recent_orders_count"], "recent")),
            "revenue": np.nan_to_num(to_float(table["recent_revenue_amount"], "recent")),
        }
    return found
