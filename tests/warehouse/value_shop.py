"""A hundred simulated customers as the steps before value would have left them.

Add here what a date's value is made from; what must hold of it is in test_value_totals.py.
"""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd

FIRST, SECOND, THIRD = (dt.date(2023, month, 28) for month in (4, 5, 6))
HORIZONS = (30, 90, 180, 365)
CENT = Decimal("0.01")
STAGES = ("new", "active", "churned")


def simulated_orders(customers=70):
    """customer_id, event_date, revenue_amount; new customers come all the time."""
    chance = np.random.default_rng(4)
    rows = []
    for number in range(customers):
        day = dt.date(2023, 1, 5) + dt.timedelta(days=int(chance.integers(0, 160)))
        level = chance.gamma(3.0, 10.0)
        while day <= THIRD:
            amount = Decimal(str(round(chance.gamma(4.0, level / 4) + 1, 2)))
            rows.append((f"c{number:03d}", day, amount))
            if chance.random() < 0.2:
                break
            day += dt.timedelta(days=1 + int(chance.exponential(35)))
    return pd.DataFrame(rows, columns=["customer_id", "event_date", "revenue_amount"]).assign(
        margin_amount=lambda orders: [(a / 4).quantize(CENT) for a in orders["revenue_amount"]]
    )


def features(orders, day, gone=()):
    """The columns of marts.fct_customer_features that value is made from."""
    known = orders[(orders["event_date"] <= day) & ~orders["customer_id"].isin(gone)]
    days = known.groupby(["customer_id", "event_date"], as_index=False)["revenue_amount"].sum()
    rows = []
    for name, part in days.groupby("customer_id"):
        amounts, dates = part["revenue_amount"].tolist(), part["event_date"].tolist()
        rows.append(
            {
                "customer_id": name,
                "as_of_date": day,
                "purchase_days_count": len(dates),
                "repeat_purchase_days_count": len(dates) - 1,
                "active_span_days": (dates[-1] - dates[0]).days,
                "tenure_days": (day - dates[0]).days,
                "first_purchase_date": dates[0],
                "first_purchase_amount": amounts[0],
                "repeat_purchase_amount": sum(amounts[1:], Decimal("0.00")),
                "first_purchase_log_amount": float(np.log(float(amounts[0]))),
                "purchase_log_amount_sum": float(np.log(np.array(amounts, dtype=float)).sum()),
                "observed_revenue_amount": sum(amounts),
                "observed_margin_amount": sum(amounts) / 4,
                "acquisition_channel": ("search", None)[int(name[1:]) % 2],
            }
        )
    prospect = dict.fromkeys(rows[0], None) | {
        "customer_id": "prospect",
        "as_of_date": day,
        "purchase_days_count": 0,
        "observed_revenue_amount": Decimal("0.00"),
    }
    return pd.DataFrame([*rows, prospect])


def parameters(alpha):
    """Draws of a fitted model, as rows of models.model_parameters."""
    chance = np.random.default_rng(1)
    draws = {
        "r": chance.gamma(50, 0.8 / 50, 60),
        "alpha": chance.gamma(50, alpha / 50, 60),
        "a": chance.gamma(50, 0.8 / 50, 60),
        "b": chance.gamma(50, 2.5 / 50, 60),
        "p": chance.gamma(50, 4.0 / 50, 60),
        "q": chance.gamma(50, 4.0 / 50, 60),
        "v": chance.gamma(50, 25.0 / 50, 60),
    }
    return pd.concat(
        pd.DataFrame(
            {
                "model": "spend" if name in "pqv" else "mbg_nbd",
                "draw": range(60),
                "parameter": name,
                "value": values,
            }
        )
        for name, values in draws.items()
    )


def write_slice(warehouse, orders, day, gone=()):
    """Everything that a date's value is made from, as the steps before would have left it."""
    connection = warehouse.connection
    frame = features(orders, day, gone)
    connection.register("frame", frame)
    connection.execute(
        "create table if not exists marts.fct_customer_features as select * replace ("
        "observed_revenue_amount::decimal(18, 2) as observed_revenue_amount, "
        "observed_margin_amount::decimal(18, 2) as observed_margin_amount, "
        "first_purchase_amount::decimal(18, 2) as first_purchase_amount, "
        "repeat_purchase_amount::decimal(18, 2) as repeat_purchase_amount) from frame limit 0"
    )
    connection.execute("delete from marts.fct_customer_features where as_of_date = ?", [day])
    connection.execute("insert into marts.fct_customer_features by name from frame")
    people = frame["customer_id"].tolist()
    segments = pd.DataFrame(
        {
            "customer_id": people,
            "as_of_date": day,
            "stage": [STAGES[hash_of(name) % 3] for name in people],
            "microsegment_key": [f"m{hash_of(name) % 6}" for name in people],
            "model_version_id": "segments",
        }
    )
    connection.register("segments", segments)
    for table in ("customer_lifecycle", "customer_microsegments", "microsegments"):
        connection.execute(f"delete from predictions.{table} where as_of_date = ?", [day])
    connection.execute(
        "insert into predictions.customer_lifecycle (customer_id, as_of_date, stage) "
        "select customer_id, as_of_date, stage from segments"
    )
    connection.execute(
        "insert into predictions.customer_microsegments "
        "(customer_id, as_of_date, stage, microsegment_key, model_version_id) "
        "select customer_id, as_of_date, stage, microsegment_key, model_version_id from segments"
    )
    connection.execute(
        "insert into predictions.microsegments (microsegment_key, as_of_date, stage) "
        "select distinct microsegment_key, as_of_date, stage from segments"
    )
    for step in (
        "dbt_features",
        "predictions.customer_microsegments",
        "predictions.customer_potential",
        "predictions.customer_segment_memberships",
    ):
        connection.execute(
            "insert into models.table_lineage (table_name, as_of_date, input_fingerprint) "
            "values (?, ?, ?)",
            [step, day, f"{step} {len(gone)}"],
        )


def hash_of(name):
    return sum(ord(letter) * 7 for letter in name)
