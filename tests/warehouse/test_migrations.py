"""Movement counted in SQL against movement that was planted, customer by customer.

Add here what must hold of counts between dates. Rates and forecasts made from counts are tested in
tests/models.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from dagster_project.migration_counts import (
    count_moves,
    date_ahead,
    periods_ending,
    promoted_before,
)
from dagster_project.warehouse import open_warehouse

DAYS = [dt.date(2025, 6, day) for day in (1, 2, 3, 4, 5)]
REFITS = {DAYS[2], DAYS[4]}
KEYS = ["active-a", "active-b", "churned-a", "churned-b", "star-a"]
HORIZON = 90


def stage_of(key):
    return key.split("-")[0]


def planted(customers=400, seed=3, is_moving=True):
    """Where everybody stands on five days; on two of them a refit renames some of them.

    The truth is written down beside it: the key of each day in the fits of the day before.
    """
    rng = np.random.default_rng(seed)
    rows, key = [], {}
    for day in DAYS:
        for number in range(customers):
            name = f"c{number:03d}"
            if name not in key:
                if rng.random() < 0.7:
                    key[name] = str(rng.choice(KEYS))
                    value = float(rng.gamma(2, 50))
                    rows.append((name, day, key[name], key[name], value, None))
                continue
            if rng.random() < 0.02 and is_moving:
                del key[name]  # gone that day, perhaps back another
                continue
            moved = is_moving and rng.random() < 0.2
            former = str(rng.choice(KEYS)) if moved else key[name]
            now = former
            if day in REFITS and rng.random() < 0.3:
                now = str(rng.choice(KEYS))
            key[name] = now
            value = float(rng.gamma(2, 50))
            jump = float(rng.normal(0, 5)) if day in REFITS else None
            rows.append((name, day, now, former, value, None if jump is None else value + jump))
    columns = ["customer_id", "as_of_date", "key", "former", "value", "former_value"]
    return pd.DataFrame(rows, columns=columns)


def write(warehouse, table, promoted=DAYS):
    connection = warehouse.connection
    frame = table.assign(
        stage=table["key"].map(stage_of),
        former_stage=table["former"].map(stage_of),
        version=[("before" if day in REFITS else None) for day in table["as_of_date"]],
    )
    connection.register("frame", frame)
    connection.execute(
        "insert into predictions.customer_microsegments (customer_id, as_of_date, stage, "
        "microsegment_key, former_stage, former_microsegment_key, former_predicted_revenue_mean, "
        "former_model_version_id, model_version_id) select customer_id, as_of_date, stage, key, "
        "former_stage, former, former_value, version, 'now' from frame"
    )
    connection.execute(
        "insert into predictions.customer_ltv (customer_id, as_of_date, horizon_days, "
        "predicted_revenue_mean) select customer_id, as_of_date, 90, value from frame"
    )
    for day in promoted:
        connection.execute("insert into models.promoted_dates values (?, true, '')", [day])


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    table = planted()
    with open_warehouse(tmp_path_factory.mktemp("moves") / "w.duckdb") as warehouse:
        write(warehouse, table)
        yield warehouse, table


def counted(moves, cause):
    rows = moves[moves["cause"] == cause]
    return {
        (row.from_key if isinstance(row.from_key, str) else None,
         row.to_key if isinstance(row.to_key, str) else None): row.customers_count
        for row in rows.itertuples()
    }  # fmt: skip


def tally(pairs):
    found = {}
    for pair in pairs:
        found[pair] = found.get(pair, 0) + 1
    return found


@pytest.mark.parametrize("level", ["microsegment", "stage"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_step_of_one_day_tells_behaviour_from_refit(shop, level, number):
    warehouse, table = shop
    if level == "stage":
        table = table.assign(key=table["key"].map(stage_of), former=table["former"].map(stage_of))
    before = table[table["as_of_date"] == DAYS[number - 1]].set_index("customer_id")
    after = table[table["as_of_date"] == DAYS[number]].set_index("customer_id")
    moves = count_moves(warehouse, DAYS[number - 1], DAYS[number], level, HORIZON)
    everyone = before.index.union(after.index)
    truth = tally((before["key"].get(c), after["former"].get(c)) for c in everyone)
    assert counted(moves, "behaviour") == truth
    assert counted(moves, "refit") == tally(zip(after["former"], after["key"], strict=True))
    is_refit_day = DAYS[number] in REFITS
    changed = moves[(moves["cause"] == "refit") & (moves["from_key"] != moves["to_key"])]
    assert (len(changed) > 0) == is_refit_day


def test_over_several_days_sizes_lead_from_start_to_end_and_value_with_them(shop):
    warehouse, table = shop
    moves = count_moves(warehouse, DAYS[0], DAYS[4], "microsegment", HORIZON)
    behaviour = moves[moves["cause"] == "behaviour"]
    refit = moves[moves["cause"] == "refit"]
    by_key = {
        day: part.groupby("key").agg(size=("value", "size"), value=("value", "sum"))
        for day, part in table.groupby("as_of_date")
    }
    start, end = by_key[DAYS[0]], by_key[DAYS[4]]
    assert (
        behaviour.groupby("from_key")["customers_count"].sum().to_dict() == start["size"].to_dict()
    )
    assert refit.groupby("to_key")["customers_count"].sum().to_dict() == end["size"].to_dict()
    middle = behaviour.groupby("to_key")[["customers_count", "value_after_amount"]].sum()
    former = refit.groupby("from_key")[["customers_count", "value_before_amount"]].sum()
    assert middle["customers_count"].to_dict() == former["customers_count"].to_dict()
    assert np.allclose(middle["value_after_amount"], former["value_before_amount"])
    carried = behaviour.groupby("from_key")["value_before_amount"].sum()
    assert np.allclose(carried, start["value"])
    assert np.allclose(refit.groupby("to_key")["value_after_amount"].sum(), end["value"])


def test_who_only_was_refitted_never_moved_by_behaviour(tmp_path):
    table = planted(is_moving=False)
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        write(warehouse, table)
        moves = count_moves(warehouse, DAYS[0], DAYS[4], "microsegment", HORIZON)
    known = moves[(moves["cause"] == "behaviour") & moves["from_key"].notna()]
    assert (known["from_key"] == known["to_key"]).all() and len(known) == len(KEYS)
    changed = moves[(moves["cause"] == "refit") & (moves["from_key"] != moves["to_key"])]
    assert changed["customers_count"].sum() > 100


def test_slices_that_were_not_promoted_say_nothing_of_refits(tmp_path):
    table = planted(is_moving=False)
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        write(warehouse, table, promoted=[DAYS[0]])
        moves = count_moves(warehouse, DAYS[0], DAYS[3], "microsegment", HORIZON)
    refit = moves[moves["cause"] == "refit"]
    assert (refit["from_key"] == refit["to_key"]).all()


def test_merged_persons_count_once_under_the_id_that_stayed(tmp_path):
    rows = [
        ("kept", DAYS[0], "active-a", "active-a", 10.0, None),
        ("old", DAYS[0], "churned-a", "churned-a", 5.0, None),
        ("kept", DAYS[1], "star-a", "star-a", 20.0, None),
    ]
    columns = ["customer_id", "as_of_date", "key", "former", "value", "former_value"]
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        write(warehouse, pd.DataFrame(rows, columns=columns))
        apart = count_moves(warehouse, DAYS[0], DAYS[1], "stage", HORIZON)
        warehouse.connection.execute("insert into identity.superseded values ('old', 'kept')")
        merged = count_moves(warehouse, DAYS[0], DAYS[1], "stage", HORIZON)
    assert counted(apart, "behaviour") == {("active", "star"): 1, ("churned", None): 1}
    assert counted(merged, "behaviour") == {("active", "star"): 1}


def test_slices_of_an_older_release_have_no_former_key_and_count_as_behaviour(tmp_path):
    table = planted()
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        write(warehouse, table)
        warehouse.connection.execute(
            "update predictions.customer_microsegments set former_stage = null, "
            "former_microsegment_key = null, former_predicted_revenue_mean = null, "
            "former_model_version_id = null"
        )
        moves = count_moves(warehouse, DAYS[1], DAYS[2], "stage", HORIZON)
    refit = moves[moves["cause"] == "refit"]
    assert (refit["from_key"] == refit["to_key"]).all()


def test_periods_are_named_by_their_length():
    day = dt.date
    assert periods_ending(day(2025, 6, 2), []) == {}
    assert periods_ending(day(2025, 6, 3), [day(2025, 6, 2)]) == {"day": day(2025, 6, 2)}
    assert periods_ending(day(2025, 6, 10), [day(2025, 6, 3)]) == {"week": day(2025, 6, 3)}
    assert periods_ending(day(2025, 2, 28), [day(2025, 1, 31)]) == {"month": day(2025, 1, 31)}
    assert periods_ending(day(2025, 6, 15), [day(2025, 5, 15)]) == {"month": day(2025, 5, 15)}
    assert periods_ending(day(2025, 6, 15), [day(2025, 5, 31)]) == {"irregular": day(2025, 5, 31)}
    every = [day(2025, 5, 1) + dt.timedelta(days=step) for step in range(61)]
    assert periods_ending(day(2025, 6, 30), every) == {
        "day": day(2025, 6, 29),
        "month": day(2025, 5, 31),
    }
    assert periods_ending(day(2025, 6, 29), every) == {
        "day": day(2025, 6, 28),
        "week": day(2025, 6, 22),
    }


def test_month_ends_stay_month_ends():
    assert date_ahead(dt.date(2025, 2, 28), "month", 1) == dt.date(2025, 3, 31)
    assert date_ahead(dt.date(2025, 1, 15), "month", 3) == dt.date(2025, 4, 15)
    assert date_ahead(dt.date(2025, 1, 31), "week", 6) == dt.date(2025, 3, 14)


def test_only_promoted_dates_are_started_from(shop):
    warehouse, _ = shop
    assert promoted_before(warehouse, DAYS[3]) == DAYS[:3]


def test_who_moved_after_a_refit_is_told_by_the_fits_of_today(tmp_path):
    """A refit sends a to b; one stays there, one then goes to c, one had gone to c before."""
    a, b, c = "active-a", "active-b", "churned-a"
    rows = [(name, DAYS[1], a, a, 1.0, None) for name in ("stays", "goes_after", "went_before")]
    rows += [
        ("stays", DAYS[2], b, a, 1.0, 1.0),
        ("goes_after", DAYS[2], b, a, 1.0, 1.0),
        ("went_before", DAYS[2], c, c, 1.0, 1.0),
        ("stays", DAYS[3], b, b, 1.0, None),
        ("goes_after", DAYS[3], c, c, 1.0, None),
        ("went_before", DAYS[3], c, c, 1.0, None),
    ]
    columns = ["customer_id", "as_of_date", "key", "former", "value", "former_value"]
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        write(warehouse, pd.DataFrame(rows, columns=columns))
        moves = count_moves(warehouse, DAYS[1], DAYS[3], "microsegment", HORIZON)
    assert counted(moves, "behaviour") == {(a, a): 1, (a, c): 2}
    assert counted(moves, "refit") == {(a, b): 1, (c, c): 2}


def test_a_slice_made_before_its_horizon_was_predicted_has_no_value_which_is_not_zero(tmp_path):
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        write(warehouse, planted(40))
        warehouse.connection.execute(
            "insert into predictions.customer_ltv (customer_id, as_of_date, horizon_days, "
            "predicted_revenue_mean) select customer_id, as_of_date, 365, 7 "
            "from predictions.customer_ltv where as_of_date = ?",
            [DAYS[1]],
        )
        moves = count_moves(warehouse, DAYS[0], DAYS[1], "stage", 365)
    moved = moves[(moves["cause"] == "behaviour") & moves["from_key"].notna()]
    assert len(moved) and moved["value_before_amount"].isna().all()
    stayed = moved[moved["to_key"].notna()]
    assert (stayed["value_after_amount"] == 7 * stayed["customers_count"]).all()
    came = moves[(moves["cause"] == "behaviour") & moves["from_key"].isna()]
    assert (came["value_before_amount"] == 0).all()
