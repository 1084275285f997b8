"""Keys and sizes of micro-segments over many dates, two simulated chains through the whole line.

Run `python -m benchmarks.segment_history [--days 90] [--months 27]`; it writes
`benchmarks/results/segment_history.json`. One chain is built for ninety days in a row with a refit
of the micro-segments every week, another for month-ends with a refit every quarter. Told are
keys that came or went without a row of lineage, how many customers a day moves and how many a
refit, and how often the 90 % interval of a micro-segment's size a month ahead held it. Planted
movement, whose truth is known, is in migration_keys.py. About an hour and a half.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import pairwise
from pathlib import Path

import duckdb

from benchmarks.migration import covered
from benchmarks.retailer import run_line

RESULT = Path(__file__).parent / "results" / "segment_history.json"
REFIT = "  refit_after_days: 90    # look for new groups"
FIT = "  refit_after_days: 90               # estimate again"
KEYS = "select as_of_date, microsegment_key, pattern from predictions.microsegments"
LINEAGE = """
    select as_of_date, old_key, new_key from predictions.microsegment_lineage
    where layer = 'microsegment'
"""
MOVES = """
    select as_of_date, level, cause, sum(customers_count)::bigint as customers,
        coalesce(sum(customers_count) filter (from_key <> to_key), 0)::bigint as moved
    from predictions.segment_migrations
    where period = ? and from_key is not null and to_key is not null
    group by all order by all
"""
# The size at the target date by the fits of the forecast, which are the former fits of that date.
FORECASTS = """
    with sizes as (
        select as_of_date, 'microsegment' as level, former_microsegment_key as key, count(*) as size
        from predictions.customer_microsegments group by all
        union all
        select as_of_date, 'stage', former_stage, count(*)
        from predictions.customer_microsegments group by all
    )
    select told.as_of_date as origin, told.level, told.key, told.forecast_status,
        told.customers_p05, told.customers_p95, coalesce(sizes.size, 0) as actual
    from predictions.segment_migration_forecasts as told
    left join sizes
        on told.target_date = sizes.as_of_date and told.level = sizes.level and told.key = sizes.key
    where told.periods_ahead = 1
        and told.target_date in (select as_of_date from predictions.microsegments)
"""


def run_days(home: Path, days: int) -> None:
    """A chain of 1,500 people day by day, micro-segments refitted weekly and value never."""
    often = {REFIT: REFIT.replace("90", "7"), FIT: FIT.replace("90", "1000")}
    run_line(home, 1_500, 90, "--as-of-every", "day", "--back", str(days - 1), settings=often)


def run_months(home: Path, months: int) -> None:
    """A chain of 4,000 people month by month, by the shipped settings."""
    run_line(home, 4_000, 12, "--as-of-every", "month", "--back", str(months - 1))


def measure_keys(connection: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """Keys without lineage, and movers by cause, over the days of a warehouse."""
    patterns = {
        day: dict(zip(part["microsegment_key"], part["pattern"], strict=True))
        for day, part in connection.execute(KEYS).df().groupby("as_of_date")
    }
    keys = {day: set(found) for day, found in patterns.items()}
    lineage = dict(tuple(connection.execute(LINEAGE).df().groupby("as_of_date")))
    days = sorted(keys)
    lost = born = changed = back = back_elsewhere = 0
    ended: dict[str, str] = {}
    for before, after in pairwise(days):
        rows = lineage.get(after)
        if rows is None:
            changed += len(keys[before] ^ keys[after])
        else:
            lost += len(keys[before] - set(rows["old_key"].dropna()))
            born += len(keys[after] - set(rows["new_key"].dropna()))
        again = (keys[after] - keys[before]) & set(ended)
        back += len(again)
        back_elsewhere += sum(ended[key] != patterns[after][key] for key in again)
        ended |= {key: patterns[before][key] for key in keys[before] - keys[after]}
    moves = connection.execute(MOVES, ["day"]).df()
    moves["share"] = moves["moved"] / moves["customers"]
    moves["is_refit_day"] = moves["as_of_date"].isin(list(lineage))
    shares: dict[str, object] = {}
    for (level, cause), part in moves.groupby(["level", "cause"]):
        on_refit = part[part["is_refit_day"]] if cause == "refit" else part
        shares[f"{level} by {cause}"] = {
            "customers_moved": int(part["moved"].sum()),
            "moved_on_days_without_refit": int(part.loc[~part["is_refit_day"], "moved"].sum()),
            "share_per_event_mean": round(float(on_refit["share"].mean()), 4),
            "share_per_event_max": round(float(on_refit["share"].max()), 4),
        }
    return {
        "days": len(days),
        "refits": len(lineage),
        "keys_at_the_end": len(keys[days[-1]]),
        "old_keys_without_lineage": lost,
        "new_keys_without_lineage": born,
        "keys_changed_without_refit": changed,
        "ended_keys_that_came_back": back,
        "of_them_to_another_pattern": back_elsewhere,
        "movers": shares,
    }


def measure_sizes(connection: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """Coverage of sizes a month ahead, clustered by origin, by level and status of the forecast."""
    rows = connection.execute(FORECASTS).df()
    base = rows.groupby(["origin", "level"])["actual"].transform("sum")
    low, high, actual = rows["customers_p05"], rows["customers_p95"], rows["actual"]
    miss = (low - actual).clip(lower=0) + (actual - high).clip(lower=0)
    rows["is_inside"], rows["width"] = miss == 0, (high - low) / base
    rows["score"] = rows["width"] + 20 * miss / base
    rows = rows[(high >= 1) | (actual > 0)]
    moves = connection.execute(MOVES, ["month"]).df()
    refit = moves[(moves["cause"] == "refit") & (moves["level"] == "microsegment")]
    refit = refit[refit["moved"] > 0]
    return {
        "months": int(rows["origin"].nunique()) + 1,
        "moved_share_by_refit": (refit["moved"] / refit["customers"]).round(4).tolist(),
        "coverage": {level: covered(part) for level, part in rows.groupby("level")},
        "coverage_once_learned": {
            level: covered(part)
            for level, part in rows[rows["forecast_status"] == "learned"].groupby("level")
        },
    }


def main() -> None:
    """Run both chains, unless their finished homes are named; print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--months", type=int, default=27)
    parser.add_argument("--days-home", type=Path, help="home of a finished run over days")
    parser.add_argument("--months-home", type=Path, help="the same over months")
    given = parser.parse_args()
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="clientela-bench-") as scratch:
        by_day = given.days_home or Path(scratch) / "days"
        if given.days_home is None:
            run_days(by_day, given.days)
        with duckdb.connect(str(by_day / "work.duckdb"), read_only=True) as connection:
            found["days"] = measure_keys(connection)
        by_month = given.months_home or Path(scratch) / "months"
        if given.months_home is None:
            run_months(by_month, given.months)
        with duckdb.connect(str(by_month / "work.duckdb"), read_only=True) as connection:
            found["months"] = measure_sizes(connection)
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
