"""The column contracts of the frames that `models_py` takes, and the check at its door.

Add a contract here when a model starts to read a frame from the warehouse, with the meaning and
unit of every column.
Business rules about rows belong in dbt, and the statistics in the model that reads the frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

PURCHASE_GROUPS: dict[str, str] = {
    "repeat_purchases_count": "integer",  # x: purchase days after the first
    "active_span_days": "number",  # t_x: last minus first purchase day
    "tenure_days": "number",  # T: as-of date minus first purchase day
    "customers_count": "integer",  # customers with exactly these three
}

SPEND_GROUPS: dict[str, str] = {
    "repeat_purchases_count": "integer",  # x, the same for everyone in the group
    "customers_count": "integer",
    "first_amount_sum": "number",  # sum over customers of the first purchase day's amount
    "repeat_amount_sum": "number",  # sum over customers of all later amounts
    "first_log_amount_sum": "number",  # sum over customers of ln(first amount)
    "log_amount_sum": "number",  # sum over customers of ln(amount), all purchase days
}

LAST_ORDER_GROUPS: dict[str, str] = {
    "repeat_purchases_count": "integer",  # x, the same for everyone in the group
    "customers_count": "integer",
    "first_amount_sum": "number",  # sum over customers of the first purchase day's amount
    "earlier_amount_sum": "number",  # sum over customers of repeat amounts before the last
    "last_amount_sum": "number",  # sum over customers of the last purchase day's amount
}

REFUND_LAGS: dict[str, str] = {
    "days_count": "integer",  # days since the order or, NULL, refunds that name no order
    "ordered_amount_sum": "number",  # money taken by orders that are this old
    "refunded_amount_sum": "number",  # refunds this many days after their order, positive
    "refunded_amount_squared_sum": "number",  # sum of squares of the same refunds
}

MARGIN_GROUPS: dict[str, str] = {
    "customers_count": "integer",  # customers alike in revenue R, with orders of known cost only
    "orders_count": "integer",
    "revenue_sum": "number",
    "margin_rate_sum": "number",  # sum over customers of M / R, M their margin
    "margin_rate_squared_sum": "number",  # of (M / R)^2
    "margin_squared_per_revenue_sum": "number",  # of M^2 / R
    "order_margin_squared_per_revenue_sum": "number",  # the same sum over orders
}

CONTRACT_GROUPS: dict[str, str] = {
    "cohort": "string",  # contracts that are alike: plan, month or channel of the start
    "renewals_count": "integer",  # running: renewals so far; ended: the renewal that was refused
    "is_ended": "boolean",
    "contracts_count": "integer",
}

CONTRACT_FEATURES: dict[str, str] = {
    "contract_id": "string",
    "cohort": "string",
    "renewals_count": "integer",  # renewals so far of a running contract
    "period_amount": "number",  # what one renewal pays
    "period_days": "number",  # from one renewal to the next
    "days_to_renewal": "number",  # from the as-of date to the next one, above 0
}

LTV_FEATURES: dict[str, str] = {
    "customer_id": "string",
    "repeat_purchase_days_count": "integer",
    "active_span_days": "number",  # whole days in the warehouse, any time in simulations
    "tenure_days": "number",
    "first_purchase_amount": "number",
    "repeat_purchase_amount": "number",
    "observed_revenue_amount": "number",
}

LTV_LOG_FEATURES: dict[str, str] = {
    "first_purchase_log_amount": "number",
    "purchase_log_amount_sum": "number",
}

LTV_OUTCOMES: dict[str, str] = {
    "customer_id": "string",
    "horizon_days": "integer",
    "realised_orders_count": "integer",
    "realised_revenue_amount": "number",
}


def require_columns(
    frame: pd.DataFrame, columns: Mapping[str, str] | Iterable[str], table: str
) -> None:
    """Refuse a frame that lacks a column, or holds text where numbers are due.

    Parameters
    ----------
    frame : DataFrame
    columns : mapping of name to kind, or names alone
        Kinds are ``string``, ``integer``, ``number``, ``date``, ``boolean``. Only ``integer`` and
        ``number`` are checked, by converting; NULL passes, because what may be NULL differs.
    table : str
        The table the frame was read from, for the message.

    Raises
    ------
    ValueError
        Naming table, column and remedy.
    """
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(
            f"{table} has no column {', '.join(missing)} (it has: "
            f"{', '.join(map(str, frame.columns)) or 'none'}). Select or build it before the "
            "model is called."
        )
    if not isinstance(columns, Mapping):
        return
    for name, kind in columns.items():
        if kind in ("integer", "number"):
            to_float(frame[name], table, whole=kind == "integer")


def to_float(values: pd.Series, table: str, *, whole: bool = False) -> np.ndarray:
    """Turn a column of any numeric dress (decimal, nullable, Arrow) into float64, NULL as NaN.

    Raises
    ------
    ValueError
        When a value is no number, or is fractional while `whole` numbers are due.
    """
    try:
        numbers = np.array(
            values.to_numpy(dtype="float64", na_value=np.nan), dtype="float64", copy=True
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{table}.{values.name} holds values that are not numbers ({error}). Cast the column "
            "to a number in SQL first."
        ) from error
    if whole and bool(np.any(np.abs(numbers - np.round(numbers))[np.isfinite(numbers)] > 0)):
        raise ValueError(
            f"{table}.{values.name} holds fractions where whole numbers are due. Count days and "
            "purchases as integers in SQL first."
        )
    return numbers


def require_complete(frame: pd.DataFrame, columns: Iterable[str], table: str, remedy: str) -> None:
    """Refuse a frame with NULL in any of `columns`; the message counts and shows the rows.

    Raises
    ------
    ValueError
        Naming table, column, number of rows, up to three of them, and the remedy.
    """
    for name in columns:
        is_null = frame[name].isna().to_numpy(dtype=bool)
        if is_null.any():
            key = "customer_id" if "customer_id" in frame.columns else None
            shown = frame.loc[is_null, key].astype(str) if key else frame.index[is_null].astype(str)
            raise ValueError(
                f"{table}.{name} is NULL in {int(is_null.sum())} rows (for example "
                f"{', '.join(list(shown)[:3])}). {remedy}"
            )
