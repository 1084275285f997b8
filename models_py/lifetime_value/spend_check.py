"""Do the assumptions of the spend model hold: exchangeable first orders, spend and frequency apart?

Add here a question about amounts whose answer changes how they are modelled.
The likelihood itself is in `spend`; whether amounts come out right is asked in `spend_pit`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models_py.lifetime_value import spend

# A first order counts as exchangeable while it tells at least half and at most twice as much about
# a customer's level as an ordinary order does.
FIRST_SHAPE_RANGE = (0.5, 2.0)
# And while, brought to the same scale, first and second orders of the same customers do not lie
# apart by more than this (Kolmogorov-Smirnov), chance excluded: 0.06 to 0.13 on CDNOW, UCI Online
# Retail and Complete Journey, 0.26 on AdventureWorks, where bicycles come first and parts later.
LARGEST_FIRST_DISTANCE = 0.15

# x from which a class of frequency begins: one-time buyers, occasional, regular, frequent.
FREQUENCY_CLASSES = (0, 1, 3, 7)
FEWEST_CUSTOMERS = 50
# Spend depends on frequency when chance would show as much in one shop in a hundred, and when
# ignoring it would misjudge an order by 5 % (root mean square): a large shop finds any trifle.
LARGEST_CHANCE = 0.01
SMALLEST_EFFECT = 0.05


def first_order_check(groups: pd.DataFrame) -> dict[str, float]:
    """Do first orders tell about a customer's level as ordinary orders do?

    First orders get a gamma shape of their own, fitted by penalised maximum likelihood. Given the
    customer, the first order then counts as ``shape_ratio`` = (its shape / p) ordinary orders: 1
    when they are exchangeable up to scale; near 0 when first orders do not follow the customer's
    level (a promotion, a gift); far above 1 when they hardly vary (a starter box at one price).

    Returns
    -------
    dict
        ``shape_ratio``, ``kappa``, ``distance`` and its ``distance_p_value`` of first and second
        orders (see `_first_distance`), and ``is_exchangeable``: 1.0 when the ratio is within
        `FIRST_SHAPE_RANGE` and the distance is below `LARGEST_FIRST_DISTANCE` or due to chance.
        Without repeat purchases nothing can be compared, and it is 1.0.
    """
    from scipy.optimize import minimize

    data = spend.statistics(groups)
    if not data["x"].any():
        return {
            "shape_ratio": 1.0,
            "kappa": 1.0,
            "distance": 0.0,
            "distance_p_value": 1.0,
            "is_exchangeable": 1.0,
        }

    def loss(point: np.ndarray) -> float:
        log_p, log_excess, log_v, log_kappa, log_ratio = point
        fitted = spend.log_likelihood(
            data,
            np.exp(log_p),
            1.0 + np.exp(log_excess),
            np.exp(log_v),
            np.exp(log_kappa),
            np.exp(log_p + log_ratio),
        )
        # The priors of `spend.PRIORS`, and ln ratio ~ N(0, 1): few repeat orders decide nothing.
        prior = (log_p - np.log(2.0)) ** 2 + (log_excess - np.log(2.0)) ** 2
        prior += (2.0 * log_kappa) ** 2 + log_ratio**2
        return -fitted + 0.5 * prior

    start = np.array([np.log(2.0), np.log(2.0), 0.0, 0.0, 0.0])
    best = minimize(loss, start, method="L-BFGS-B", bounds=[(-4.0, 6.0)] * 5).x
    ratio = float(np.exp(best[4]))
    low, high = FIRST_SHAPE_RANGE
    distance, p_value = _first_distance(data)
    is_apart = distance > LARGEST_FIRST_DISTANCE and p_value < LARGEST_CHANCE
    return {
        "shape_ratio": ratio,
        "kappa": float(np.exp(best[3])),
        "distance": distance,
        "distance_p_value": p_value,
        "is_exchangeable": float(low <= ratio <= high and not is_apart),
    }


def _first_distance(data: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """Kolmogorov-Smirnov distance of first orders, rescaled, from second ones, and its p-value.

    Of customers with exactly two purchase days, whose both amounts the groups hold. Were first
    orders exchangeable up to a scale, both would have one distribution after division by the ratio
    of geometric means. Amounts of one customer are alike, which makes the test cautious.
    """
    from scipy import stats

    two = data["x"] == 1
    weight = data["customers"][two]
    count = weight.sum()
    if count < 2:
        return 0.0, 1.0
    logs = [np.log(data[name][two]) for name in ("first", "repeat")]
    logs = [values - np.average(values, weights=weight) for values in logs]
    everywhere = np.concatenate(logs)
    reached = []
    for values in logs:
        order = np.argsort(values)
        share = np.concatenate([[0.0], np.cumsum(weight[order])]) / count
        # Logs of one price differ in the last digits only.
        reached.append(share[np.searchsorted(values[order], everywhere + 1e-6, side="right")])
    distance = float(np.abs(reached[0] - reached[1]).max())
    return distance, float(stats.kstwobign.sf(distance * np.sqrt(count / 2.0)))


def frequency_classes(data: Mapping[str, np.ndarray]) -> tuple[int, ...]:
    """Smallest x of each class; a class of fewer than `FEWEST_CUSTOMERS` joins the one below.

    Customers without a usable amount do not count, so that one-time buyers are of the class of
    occasional ones where first orders are left out.
    """
    informs = data["x"] + data["first_weight"] > 0
    kept: list[int] = []
    ends = (*FREQUENCY_CLASSES[1:], np.inf)
    waiting = 0.0
    for smallest, end in reversed(list(zip(FREQUENCY_CLASSES, ends, strict=True))):
        inside = informs & (data["x"] >= smallest) & (data["x"] < end)
        waiting += float(data["customers"][inside].sum())
        if waiting >= FEWEST_CUSTOMERS:
            kept.append(smallest)
            waiting = 0.0
    # What is left over at the bottom joins the lowest class there is.
    return (0, *sorted(kept)[1:]) if kept else (0,)


def frequency_check(data: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Do customers who buy often spend at another level than those who buy seldom?

    Each class of `frequency_classes` gets a level of its own in the spend likelihood, so that
    one-time buyers count by their first order (through kappa) and nobody's count of orders is
    mistaken for information about their level. The hypothesis that all levels are equal is tested
    by Wald's statistic with a sandwich covariance, which holds its rate also where amounts are not
    quite gamma. Levels of classes without a usable amount are not tested.

    Parameters
    ----------
    data : mapping
        From `spend.statistics`.

    Returns
    -------
    dict
        ``effect``, the root mean square over purchases of the log level (0.1: ignoring it
        misjudges an order by about 10 %); ``p_value``; ``is_independent`` (1.0 unless p_value
        is below `LARGEST_CHANCE` and effect above `SMALLEST_EFFECT`); ``log_level_<x>`` of each
        class tested, relative to the mean over purchases. Fewer than two classes decide nothing.

    References
    ----------
    White (1982), "Maximum likelihood estimation of misspecified models", Econometrica 50.
    """
    from scipy import optimize, stats

    used = {name: np.atleast_1d(value) for name, value in data.items() if np.ndim(value)}
    informs = used["x"] + data["first_weight"] > 0
    data = dict(data) | {name: value[informs] for name, value in used.items()}
    classes = frequency_classes(data)
    if len(classes) < 2:
        return {"effect": 0.0, "p_value": 1.0, "is_independent": 1.0}
    number = np.searchsorted(classes, data["x"], side="right") - 1
    customers, fixed = data["customers"], len(spend.PARAMETERS)
    member = np.eye(len(classes))[number][:, 1:]  # (group, class after the first)

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        each, slopes = _at(data, point, member)
        penalty, slope = _penalty(point)
        return penalty - float(customers @ each), slope - customers @ slopes

    start = np.concatenate([[np.log(2.0), np.log(2.0), 0.0, 0.0], np.zeros(len(classes) - 1)])
    bounds = [(-6.0, 7.0)] * len(start)
    best = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    move = 1e-4 * np.eye(len(best))
    # (parameter, parameter)
    curvature = np.stack([(loss(best + m)[1] - loss(best - m)[1]) / 2e-4 for m in move])
    slopes = _at(data, best, member)[1]
    inverse = np.linalg.pinv((curvature + curvature.T) / 2)
    covariance = inverse @ ((slopes * customers[:, None]).T @ slopes) @ inverse
    levels = best[fixed:]
    if np.abs(levels).max() < 1e-6:  # one price: no spread to measure chance by
        p_value = 1.0
    else:
        statistic = levels @ np.linalg.pinv(covariance[fixed:, fixed:]) @ levels
        p_value = float(stats.chi2.sf(statistic, len(levels)))
    weight = np.bincount(number, customers * (data["x"] + data["first_weight"]))
    all_levels = np.concatenate([[0.0], levels])
    all_levels = all_levels - np.average(all_levels, weights=weight)
    effect = float(np.sqrt(np.average(all_levels**2, weights=weight)))
    depends = p_value < LARGEST_CHANCE and effect > SMALLEST_EFFECT
    return {
        "effect": effect,
        "p_value": p_value,
        "is_independent": float(not depends),
        **{f"log_level_{c}": float(v) for c, v in zip(classes, all_levels, strict=True)},
    }


def _at(
    data: Mapping[str, np.ndarray], point: np.ndarray, member: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood (group,) and slopes (group, parameter) at ln p, ln(q - 1), ln v, ln kappa and
    the log levels of classes after the first.
    """
    from scipy.special import digamma

    p, excess, v_first, kappa = np.exp(point[:4])
    q, v = 1.0 + excess, v_first * np.exp(member @ point[4:])
    weight, x = data["first_weight"], data["x"]
    shape = q + p * (x + weight)
    first = weight * data["first"] / kappa
    total = v + data["repeat"] + first
    more = digamma(shape) - np.log(total)
    by_p = (x + weight) * (more - digamma(p)) + data["log_repeat"]
    by_p = by_p + weight * (data["log_first"] - np.log(kappa))
    by_v = q - shape * v / total
    slopes = [
        p * by_p,
        excess * (np.log(v) - digamma(q) + more),
        by_v,
        shape * first / total - weight * p,
        *(by_v * column for column in member.T),
    ]
    return spend.per_customer(data, p, q, v, kappa), np.stack(slopes, axis=1)


def _penalty(point: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus the log of `spend.PRIORS`, and its slope; levels have none."""
    scale = np.array([width for _, _, width in spend.PRIORS.values()])
    centre = np.array([place for _, place, _ in spend.PRIORS.values()])
    log_mean = point[2] + point[0] - point[1]
    apart = (np.array([point[0], point[1], log_mean, point[3]]) - centre) / scale
    along = apart / scale
    slope = np.zeros(len(point))
    slope[:4] = along[0] + along[2], along[1] - along[2], along[2], along[3]
    return float(0.5 * apart @ apart), slope
