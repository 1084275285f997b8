"""Totals, tiers, cohorts and the parts of a change, on a hundred simulated customers.

Add here what must hold of sums over customers. Sums of draws alone are tested in tests/models, the
whole line in tests/orchestration.
"""

import datetime as dt
import shutil
from decimal import Decimal

import dagster as dg
import duckdb
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from dagster_project import former_segments, summary
from dagster_project.assets.lifetime_value import customer_ltv
from dagster_project.assets.lifetime_value_totals import ltv_totals
from dagster_project.assets.migrations import segment_migrations
from dagster_project.assets.publish import GATES, promotion
from dagster_project.config import PROJECT_ROOT, load_config
from dagster_project.model_registry import Fit, is_refit_due, store, version_in_force
from dagster_project.model_rollback import UnknownVersionError, roll_back, versions
from dagster_project.past_totals import past_totals
from dagster_project.reconciliation import totals_sql
from dagster_project.resources import ClientelaResource
from dagster_project.tiers import rank_customers
from dagster_project.warehouse import open_warehouse
from tests.warehouse.value_shop import (
    CENT,
    FIRST,
    HORIZONS,
    SECOND,
    THIRD,
    features,
    parameters,
    simulated_orders,
    write_slice,
)


def build(day):
    done = dg.materialize(
        [customer_ltv, ltv_totals, segment_migrations, promotion],
        partition_key=str(day),
        resources={"clientela": ClientelaResource()},
    )
    assert done.success
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Three dates: the second with another model, the third with one customer fewer."""
    file = tmp_path_factory.mktemp("totals") / "w.duckdb"
    orders = simulated_orders()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CLIENTELA_WAREHOUSE", str(file))
        patched.setenv("CLIENTELA_DATASET", "retailer")
        config = (PROJECT_ROOT / "config.yml").read_text()
        own = "acquisition_cost_by_channel: {search: 12.50}"
        file.with_name("config.yml").write_text(
            config.replace("acquisition_cost_by_channel: {}", own)
        )
        patched.setenv("CLIENTELA_CONFIG", str(file.with_name("config.yml")))
        with open_warehouse(file) as warehouse:
            warehouse.connection.register("orders", orders)
            warehouse.connection.execute(
                "create table marts.fct_revenue_ledger as select customer_id, event_date, "
                "revenue_amount, event_date as purchase_date, margin_amount from orders"
            )
            warehouse.connection.execute(
                "create table marts.dim_customers as select distinct customer_id, "
                "case when customer_id like '%0' then 40.00::decimal(18, 2) end "
                "as acquisition_cost_amount from orders"
            )
            for number, day in ((8.0, FIRST), (6.0, SECOND)):
                store(
                    warehouse,
                    Fit("lifetime_value", day, f"{number} weeks of {day}", parameters(number)),
                )
            store(warehouse, Fit("microsegmentation", FIRST, "f", parameters(1.0).head(0)))
            warehouse.connection.execute(
                "update models.model_versions set model_version_id = 'segments' "
                "where model = 'microsegmentation'"
            )
            for day in (FIRST, SECOND):
                write_slice(warehouse, orders, day)
            write_slice(warehouse, orders, THIRD, gone=("c003",))
            # Everything that this customer bought is taken back.
            warehouse.connection.execute(
                "insert into marts.fct_revenue_ledger select customer_id, ?, -sum(revenue_amount), "
                "event_date, -sum(margin_amount) from marts.fct_revenue_ledger "
                "where customer_id = 'c003' group by customer_id, event_date",
                [THIRD],
            )
        yield file, {day: build(day) for day in (FIRST, SECOND, THIRD)}


def rows(file, sql, *values):
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql, values).fetchall()


def value_of(file, day, name):
    """One column of the portfolio by horizon."""
    found = rows(
        file,
        f"select horizon_days, {name} from predictions.portfolio_ltv where as_of_date = ?",
        day,
    )
    return dict(found)


@pytest.mark.parametrize("table", ["stage_ltv", "microsegment_ltv", "cohort_ltv", "customer_ltv"])
def test_groups_sum_to_the_base(built, table):
    file, _ = built
    assert len(rows(file, f"select distinct as_of_date from predictions.{table}")) == 3
    for day, horizon, total in rows(
        file,
        f"select as_of_date, horizon_days, sum(predicted_revenue_mean) from predictions.{table} "
        "where horizon_days > 0 group by all",
    ):
        whole = value_of(file, day, "predicted_revenue_mean")[horizon]
        assert total == pytest.approx(whole, abs=0.004) and total > 100


def test_the_former_value_model_says_of_a_day_what_it_would_have_written(built):
    file, _ = built
    config = load_config()
    with open_warehouse(file, read_only=True) as warehouse:
        first, second = (
            warehouse.scalar(
                "select min(model_version_id) from predictions.customer_ltv where as_of_date = ?",
                [day],
            )
            for day in (FIRST, SECOND)
        )
        assert former_segments.fits_before(warehouse, FIRST, "segments") is None
        assert former_segments.fits_before(warehouse, THIRD, "segments") is None
        found = former_segments.fits_before(warehouse, SECOND, "segments")
        assert found == former_segments.FormerFits("segments", first)
        written = warehouse.frame(
            "select customer_id, purchase_probability, predicted_revenue_mean "
            "from predictions.customer_ltv where as_of_date = ? and horizon_days = ? "
            "order by customer_id",
            [SECOND, config.lifecycle.horizon_days],
        ).set_index("customer_id")
        days = (config.lifecycle.horizon_days, 365)
        again = former_segments._value_of(warehouse, config, SECOND, second, *days)
        other = former_segments._value_of(warehouse, config, SECOND, first, *days)
    # To the last bit: a refit on unchanged data must move nobody.
    assert (again.loc[written.index, written.columns] == written).to_numpy().all()
    assert (other.loc[written.index, written.columns] != written).to_numpy().all()
    # Value is carried at the horizon of today, whatever the stages were told.
    carried = again.loc[written.index, "former_predicted_revenue_mean"]
    assert (carried > written["predicted_revenue_mean"]).mean() > 0.9


def test_movement_ends_in_the_sizes_of_the_day_and_says_how_little_it_learned_from(built):
    file, _ = built
    moved = (
        "select sum(customers_count) from predictions.segment_migrations "
        "where as_of_date = ? and level = 'microsegment' and cause = ?"
    )
    standing = "select count(*) from predictions.customer_microsegments where as_of_date = ?"
    assert rows(file, moved, FIRST, "refit") == [(None,)]
    for day, lost in ((SECOND, 0), (THIRD, 1)):
        size = rows(file, standing, day)[0][0]
        assert rows(file, moved, day, "refit") == [(size,)]
        assert rows(file, moved, day, "behaviour") == [(size + lost,)]
    gone = (
        "select from_key, to_key, customers_count from predictions.segment_migrations "
        "where as_of_date = ? and level = 'stage' and to_key is null"
    )
    assert [row[1:] for row in rows(file, gone, THIRD)] == [(None, 1)]
    ahead = rows(
        file,
        "select periods_ahead, target_date, sum(customers_count), min(past_periods_count), "
        "any_value(forecast_status), bool_and(customers_p05 <= customers_p95) "
        "from predictions.segment_migration_forecasts where as_of_date = ? and level = 'stage' "
        "and period = 'month' group by all order by all",
        THIRD,
    )
    size = rows(file, standing, THIRD)[0][0]
    months = ((1, dt.date(2023, 7, 28)), (3, dt.date(2023, 9, 28)), (6, dt.date(2023, 12, 28)))
    assert ahead == [(n, day, size, 2, "few_past_periods", True) for n, day in months]


def test_a_date_whose_movement_misses_somebody_is_not_promoted(built, tmp_path):
    file, _ = built
    copy = tmp_path / "w.duckdb"
    shutil.copy(file, copy)
    gate = GATES["migrations_sum_to_sizes"].format(day=f"date '{SECOND}'")
    with duckdb.connect(str(copy)) as connection:
        assert connection.execute(gate).fetchall() == [(0,)]
        connection.execute(
            "update predictions.segment_migrations set customers_count = customers_count - 1 "
            "where as_of_date = ? and cause = 'refit' and to_key = 'm1'",
            [SECOND],
        )
        assert connection.execute(gate).fetchall() == [(1,)]


def test_customers_are_counted_once_and_prospects_never(built):
    file, _ = built
    for table in ("stage_ltv", "microsegment_ltv", "cohort_ltv"):
        counts = rows(
            file,
            f"select as_of_date, sum(customers_count) from predictions.{table} "
            "where horizon_days = 30 group by all",
        )
        assert len(counts) == 3
        for day, count in counts:
            assert count == value_of(file, day, "customers_count")[30], (table, day)


def test_the_interval_of_the_base_is_that_of_summed_draws(built):
    """Dependent parts: the base is wider than independent stages would make it."""
    file, _ = built
    for horizon, whole, apart in rows(
        file,
        "select horizon_days, max(base.predicted_revenue_p95 - base.predicted_revenue_p05), "
        "sqrt(sum((stage.predicted_revenue_p95 - stage.predicted_revenue_p05) ** 2)) "
        "from predictions.stage_ltv as stage join predictions.portfolio_ltv as base "
        "using (as_of_date, horizon_days) group by as_of_date, horizon_days",
    ):
        assert whole > apart or horizon < 180
    low, mean, high = rows(
        file,
        "select predicted_revenue_p05, predicted_revenue_mean, predicted_revenue_p95 "
        "from predictions.portfolio_ltv where horizon_days = 365 order by as_of_date limit 1",
    )[0]
    assert low < mean < high


def test_the_parts_of_a_change_sum_to_it_and_mean_what_they_say(built):
    file, _ = built
    found = rows(
        file,
        "select as_of_date, horizon_days, previous_as_of_date, previous_revenue_amount, "
        "departed_change_amount, behaviour_change_amount, new_customers_change_amount, "
        "model_change_amount, predicted_revenue_mean::decimal(18, 2) "
        "from predictions.portfolio_ltv order by all",
    )
    assert len(found) == 12
    for day, horizon, before, start, *parts, end in found:
        if day == FIRST:
            assert before is None and start is None and set(parts) == {None}
            continue
        gone, behaviour, new, model = parts
        assert start + sum(parts) == end
        earlier = value_of(file, before, "predicted_revenue_mean")[horizon]
        assert float(start) == pytest.approx(earlier, abs=0.006)
        assert new > 0 and behaviour != 0
        assert (gone < 0) == (day == THIRD)
        assert (model == 0) == (day == THIRD)  # the second slice has another model, the third not
        if day == THIRD:
            left = worth(file, SECOND, horizon, "customer_id = 'c003'")
            assert -gone == pytest.approx(left, abs=CENT)
            fresh = f"customer_id not in ({of(SECOND)})"
            assert new == pytest.approx(worth(file, THIRD, horizon, fresh), abs=Decimal("0.02"))


def write_backtest(file, ratios):
    """Totals over 30 days up to the second date, as a backtest of that date would have found."""
    with open_warehouse(file) as warehouse:
        warehouse.connection.execute("delete from predictions.ltv_backtests")
        for back, ratio in enumerate(reversed(ratios), start=1):
            origin = SECOND - dt.timedelta(days=30 * back)
            for quantity in ("orders", "revenue"):
                came = ratio if quantity == "revenue" else 1.0
                for kind, value in (("actual", 1000.0 * came), ("predicted", 1000.0)):
                    warehouse.connection.execute(
                        "insert into predictions.ltv_backtests (as_of_date, origin_date, "
                        "horizon_days, slice, model, metric, value) "
                        "values (?, ?, 30, 'all', 'mbg_nbd', ?, ?)",
                        [SECOND, origin, f"{quantity}_{kind}_total", value],
                    )


@pytest.fixture(scope="module")
def broken(built, tmp_path_factory):
    """The second date once more, after a break and after its end: two warehouses."""
    file, _ = built
    files = {}
    for name, ratios in (("broken", [1.0, 0.96, 6.0]), ("over", [1.0, 0.96, 6.0, 1.02, 0.97])):
        files[name] = tmp_path_factory.mktemp(name) / "w.duckdb"
        shutil.copy(file, files[name])
        write_backtest(files[name], ratios)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("CLIENTELA_WAREHOUSE", str(files[name]))
            patched.setenv("CLIENTELA_DATASET", "retailer")
            patched.setenv("CLIENTELA_CONFIG", str(file.with_name("config.yml")))
            build(SECOND)
    return files


ENDS = (
    "predicted_{0}_p05, predicted_{0}_p25, predicted_{0}_p50, predicted_{0}_p75, predicted_{0}_p95"
)


@pytest.mark.parametrize("table", ["portfolio_ltv", "stage_ltv", "microsegment_ltv", "cohort_ltv"])
def test_after_a_break_totals_of_that_quantity_are_refused_everywhere(built, broken, table):
    file, _ = built
    found = rows(
        broken["broken"],
        f"select count(*), count(coalesce({ENDS.format('revenue')})), min(predicted_revenue_mean), "
        f"count(*) filter ({ENDS.format('orders').replace(', ', ' + ')} is not null), "
        "min(interval_status), max(interval_status), max(interval_reason), "
        f"max(orders_interval_status) from predictions.{table} "
        "where as_of_date = ? and horizon_days > 0",
        SECOND,
    )
    ((count, revenue, mean, orders, *statuses, reason, of_orders),) = found
    assert count > 0 and revenue == 0 and mean > 0 and orders == count
    assert statuses == ["refused", "refused"] and of_orders in ("uncalibrated", "extrapolated")
    assert reason == "actual over forecast of the last totals over 30 days: 1, 0.96, 6"
    other = rows(
        file, f"select count(*) from predictions.{table} where interval_status = 'refused'"
    )
    assert other == [(0,)]


def test_the_screen_says_that_totals_are_refused_and_means_still_agree(broken):
    console = Console(record=True, width=200)
    with open_warehouse(broken["broken"], read_only=True) as warehouse:
        assert warehouse.frame(totals_sql(f"date '{SECOND}'"))["is_passed"].all()
        summary._print_value(console, warehouse, load_config(), SECOND)
    shown = console.export_text()
    assert shown.count("refused") == len(HORIZONS) + 1 and "nan" not in shown
    assert (
        "Not to be planned with: totals of 30, 90, 180, 365 days are refused, actual over forecast "
        "of the last totals over 30 days: 1, 0.96, 6." in " ".join(shown.split())
    )


def test_a_change_of_family_forgets_no_past_total_and_refused_orders_are_said(broken, tmp_path):
    copy = tmp_path / "w.duckdb"
    shutil.copy(broken["broken"], copy)
    console = Console(record=True, width=200)
    with open_warehouse(copy) as warehouse:
        before = past_totals(warehouse, SECOND)
        warehouse.connection.execute(
            "update predictions.ltv_backtests set model = 'bg_nbd' where origin_date < ?",
            [SECOND - dt.timedelta(days=30)],
        )
        assert len(before) == 3 and past_totals(warehouse, SECOND) == before
        warehouse.connection.execute(
            "update predictions.portfolio_ltv set interval_status = 'uncalibrated', "
            "orders_interval_status = 'refused', orders_interval_reason = 'a break' "
            "where horizon_days <= 90"
        )
        summary._print_value(console, warehouse, load_config(), SECOND)
    assert "purchase days of 30, 90 days are refused, a break." in console.export_text()


def test_after_the_break_the_interval_is_as_narrow_as_before(built, broken):
    file, _ = built
    width = "(predicted_revenue_p95 - predicted_revenue_p05) / predicted_revenue_mean"
    for horizon, relative in value_of(broken["over"], SECOND, width).items():
        untested = value_of(file, SECOND, width)[horizon]
        assert 0.5 * untested < relative < 1.1 * untested, horizon
    status = value_of(broken["over"], SECOND, "interval_status || ': ' || interval_reason")
    assert status == {
        30: "uncalibrated: 4 past totals over 30 days, 8 are needed",
        90: "extrapolated: no total over 90 days has been tested",
        180: "extrapolated: no total over 180 days has been tested",
        365: "extrapolated: no total over 365 days has been tested",
    }


def of(day):
    return f"select customer_id from predictions.customer_ltv where as_of_date = date '{day}'"


def worth(file, day, horizon, condition):
    return rows(
        file,
        "select sum(predicted_revenue_mean::decimal(38, 9))::decimal(18, 2) "
        f"from predictions.customer_ltv where as_of_date = ? and horizon_days = ? and {condition}",
        day,
        horizon,
    )[0][0]


def test_the_model_part_is_the_old_model_on_the_history_of_today(built):
    """Predicted once more, by the library alone."""
    from models_py.lifetime_value import LifetimeValue

    file, _ = built
    frame = features(simulated_orders(), SECOND).query("purchase_days_count > 0")
    old = LifetimeValue.from_parameters(
        parameters(8.0), horizons_days=HORIZONS, random_state=20171231
    ).predict(frame, SECOND)
    for horizon, part in old.groupby("horizon_days"):
        today = value_of(file, SECOND, "predicted_revenue_mean")[horizon]
        model = value_of(file, SECOND, "model_change_amount")[horizon]
        expected = today - part["predicted_revenue_mean"].sum()
        assert float(model) == pytest.approx(expected, abs=0.011)


def test_drift_tells_parameters_and_totals_only_where_the_model_changed(built):
    file, done = built
    found = rows(
        file,
        "select as_of_date, kind, name, before_mean, after_mean, relative_change, "
        "standardised_change from models.model_drift order by all",
    )
    assert {row[0] for row in found} == {SECOND}
    by_name = {(kind, name): values for _, kind, name, *values in found}
    assert len(by_name) == 7 + len(HORIZONS)
    before, after, _, standardised = by_name["parameter", "mbg_nbd: alpha"]
    draws = [parameters(weeks).query("parameter == 'alpha'")["value"] for weeks in (8.0, 6.0)]
    assert (before, after) == pytest.approx((draws[0].mean(), draws[1].mean()))
    spread = np.hypot(draws[0].std(), draws[1].std())
    assert standardised == pytest.approx((after - before) / spread)
    assert by_name["parameter", "spend: q"][3] == 0
    for horizon in HORIZONS:
        before, after, relative, _ = by_name["predicted_revenue", f"{horizon} days"]
        assert after - before == pytest.approx(
            float(value_of(file, SECOND, "model_change_amount")[horizon]), abs=0.011
        )
        assert relative == pytest.approx(after / before - 1) and relative > 0
    (shown,) = [
        event.materialization.metadata["drift"].value
        for event in done[SECOND].get_asset_materialization_events()
        if event.asset_key.path[-1] == "model_drift"
    ]
    assert "mbg_nbd: alpha" in shown and "90 days" in shown


def test_a_model_rolled_back_is_never_in_force_again_and_its_slices_are_built_anew(built, tmp_path):
    file, _ = built
    copy = tmp_path / "w.duckdb"
    shutil.copy(file, copy)
    with open_warehouse(copy) as warehouse:
        bad, good = (
            version_in_force(warehouse, "lifetime_value", day)[0] for day in (SECOND, FIRST)
        )
        assert roll_back(warehouse, bad, "one wholesaler") == [SECOND, THIRD]
        assert version_in_force(warehouse, "lifetime_value", THIRD) == (good, FIRST)
        promoted = warehouse.frame("select * from models.promoted_dates order by as_of_date")
        assert promoted["is_promoted"].tolist() == [True, False, False]
        assert promoted["reason"].iloc[1] == f"{bad} was rolled back: one wholesaler"
        kept = warehouse.scalar(
            "select count(*) from predictions.customer_ltv where model_version_id = ?", [bad]
        )
        assert kept > 0, "the last results stay readable until the next run"
        listed = versions(warehouse).set_index("model_version_id")
        assert listed.loc[bad, ["status", "slices_count"]].tolist() == ["rolled_back", 2]
        assert listed.loc[good, ["status", "slices_count"]].tolist() == ["promoted", 1]
        for again, told in ((bad, "is rolled_back"), ("nonsense", f"In force: {good}")):
            with pytest.raises(UnknownVersionError, match=told):
                roll_back(warehouse, again, "twice")
        same = Fit("lifetime_value", SECOND, f"6.0 weeks of {SECOND}", parameters(6.0))
        assert same.version_id == bad
        with pytest.raises(dg.Failure, match="for good"):
            store(warehouse, same)
        context = dg.build_asset_context()
        asked = [context, warehouse, "lifetime_value", SECOND, same.fingerprint, 90, {}]
        assert not is_refit_due(*asked), "the same fit is not made again"
        assert is_refit_due(*asked[:4], "other data", 30, {}), "another one is"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CLIENTELA_WAREHOUSE", str(copy))
        patched.setenv("CLIENTELA_DATASET", "retailer")
        patched.setenv("CLIENTELA_CONFIG", str(file.with_name("config.yml")))
        build(SECOND)
    used = rows(
        copy,
        "select distinct model_version_id from predictions.customer_ltv where as_of_date = ?",
        SECOND,
    )
    assert used == [(good,)]
    assert set(value_of(copy, SECOND, "model_change_amount").values()) == {Decimal("0.00")}
    assert rows(copy, "select is_promoted from models.promoted_dates order by as_of_date") == [
        (True,),
        (True,),
        (False,),
    ]


def test_the_only_fit_rolled_back_says_what_to_do(tmp_path):
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        fit = Fit("lifetime_value", FIRST, "f", parameters(8.0), data_hash="d", priors={"r": 1})
        store(warehouse, fit)
        recorded = warehouse.frame("select * from models.model_versions").iloc[0]
        assert (recorded["data_hash"], recorded["priors"]) == ("d", '{"r": 1}')
        assert roll_back(warehouse, fit.version_id, "by hand") == []
        context = dg.build_asset_context()
        with pytest.raises(dg.Failure, match="was rolled back, and no other fit"):
            is_refit_due(context, warehouse, "lifetime_value", FIRST, "f", 90, {})


def test_ranks_are_distinct_and_tiers_follow_them(built):
    file, _ = built
    ranked = rows(
        file,
        "select value_rank, value_tier, predicted_revenue_mean, customer_id "
        "from predictions.customer_ltv where as_of_date = ? and horizon_days = 365 "
        "order by value_rank",
        FIRST,
    )
    count = len(ranked)
    assert [rank for rank, *_ in ranked] == list(range(1, count + 1))
    assert ranked == sorted(ranked, key=lambda row: (-row[2], row[3]))
    sizes = pd.Series([tier for _, tier, *_ in ranked]).value_counts().to_dict()
    ends = [int(np.ceil(count * share)) for share in (0.05, 0.2, 0.5, 1.0)]
    assert sizes == dict(
        zip(("platinum", "gold", "silver", "bronze"), np.diff(ends, prepend=0), strict=True)
    )
    other = rows(
        file,
        "select count(distinct (customer_id, as_of_date)) - "
        "count(distinct (customer_id, as_of_date, value_rank, value_tier)) "
        "from predictions.customer_ltv",
    )
    assert other == [(0,)], "a customer has one rank over all horizons of a slice"


def test_equal_values_rank_by_customer_and_ten_customers_fill_their_tiers(tmp_path):
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        warehouse.connection.execute(
            "insert into predictions.customer_ltv "
            "(customer_id, as_of_date, horizon_days, predicted_revenue_mean) "
            "select 'c' || i, date '2023-04-28', 30, 7.0 from range(10) as numbers(i)"
        )
        rank_customers(warehouse, FIRST, 30, {"best": 0.8, "rest": 0.0})
        found = warehouse.connection.execute(
            "select customer_id, value_rank, value_tier from predictions.customer_ltv order by 2"
        ).fetchall()
    assert [row[0] for row in found] == [f"c{i}" for i in range(10)]
    assert [row[2] for row in found] == ["best"] * 2 + ["rest"] * 8


def test_a_cohort_is_the_ledger_by_age(built):
    """Reckoned again in pandas from the orders."""
    file, _ = built
    orders = simulated_orders()
    orders = orders[orders["event_date"] <= SECOND]
    first = orders.groupby("customer_id")["event_date"].transform("min")
    month = first.map(lambda day: day.replace(day=1))
    age = orders["event_date"].map(lambda day: day.month) - first.map(lambda day: day.month)
    channel = np.where(orders["customer_id"].str[1:].astype(int) % 2, "unknown", "search")
    expected = orders.assign(month=month, channel=channel, age=age)
    found = rows(
        file,
        "select acquisition_month, acquisition_channel, age_months, customers_count, "
        "observed_revenue_amount, observed_margin_amount from predictions.cohort_ltv "
        "where as_of_date = ? and horizon_days = 0",
        SECOND,
    )
    cohorts = {(row[0], row[1]) for row in found}
    assert len(found) == sum(SECOND.month - month.month + 1 for month, _ in cohorts)
    for month, channel, age, customers, revenue, margin in found:
        part = expected[(expected["month"] == month) & (expected["channel"] == channel)]
        assert customers == part["customer_id"].nunique()
        seen = part[part["age"] <= age]
        assert revenue == sum(seen["revenue_amount"])
        assert margin == sum(seen["margin_amount"])


def test_cost_and_payback_are_known_only_when_every_customer_s_cost_is(built):
    file, _ = built
    costs = rows(
        file,
        "select acquisition_channel, count(*), count(acquisition_cost_amount), "
        "count(margin_to_cost_ratio) filter (horizon_days = 0), count(payback_age_months) "
        "from predictions.cohort_ltv where as_of_date = ? group by all order by all",
        SECOND,
    )
    (search, every, known, ratios, _), (unknown, _, none, *empty) = costs
    assert (search, unknown) == ("search", "unknown")
    # 12.50 by config for those of whom the source says nothing, 40 for every fifth.
    assert every == known and ratios > 0
    assert none == 0 and empty == [0, 0]
    for month, cost, revenue, margin, ratio, whole, payback, age in rows(
        file,
        "select acquisition_month, acquisition_cost_amount, observed_revenue_amount, "
        "observed_margin_amount, margin_to_cost_ratio, revenue_to_cost_ratio, "
        "payback_age_months, age_months from predictions.cohort_ltv "
        "where as_of_date = ? and horizon_days = 0 and acquisition_channel = 'search'",
        SECOND,
    ):
        assert ratio == pytest.approx(float(margin) / float(cost)), month
        assert whole == pytest.approx(float(revenue) / float(cost))
        if payback is not None and age >= payback:
            assert margin >= cost
        else:
            assert margin < cost


def test_a_cent_in_a_stage_refuses_the_date(built, tmp_path):
    file, _ = built
    copy = tmp_path / "w.duckdb"
    shutil.copy(file, copy)
    with open_warehouse(copy) as warehouse:
        day = f"date '{THIRD}'"
        assert warehouse.frame(totals_sql(day))["is_passed"].all()
        warehouse.connection.execute(
            "update predictions.stage_ltv set predicted_revenue_mean = predicted_revenue_mean + "
            f"0.01 where as_of_date = {day} and stage = 'new' and horizon_days = 90"
        )
        warehouse.connection.execute(
            "update predictions.portfolio_ltv set model_change_amount = model_change_amount - 0.01 "
            f"where as_of_date = {day} and horizon_days = 30"
        )
        found = warehouse.frame(totals_sql(day))
        failed = found.loc[~found["is_passed"].astype(bool), ["check_name", "difference"]]
        assert failed.to_numpy().tolist() == [
            ["parts of the change make the change, 30 days", Decimal("-0.01")],
            ["stages predict what the base does, 90 days", Decimal("0.01")],
        ]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CLIENTELA_WAREHOUSE", str(copy))
        patched.setenv("CLIENTELA_DATASET", "retailer")
        resources = {"clientela": ClientelaResource()}
        refused = dg.materialize(
            [promotion], partition_key=str(THIRD), resources=resources, raise_on_error=False
        )
    checks = {c.check_name: c.passed for c in refused.get_asset_check_evaluations()}
    assert not checks["totals_reconcile"] and checks["observed_revenue_equals_ledger"]
    reason = rows(copy, "select reason from models.promoted_dates where as_of_date = ?", THIRD)
    assert reason == [("totals_reconcile: 2 rows",)]


def test_a_second_build_changes_nothing_and_an_earlier_date_rebuilds_the_later(built, tmp_path):
    file, done = built
    assert all(run.success for run in done.values())
    copy = tmp_path / "w.duckdb"
    shutil.copy(file, copy)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CLIENTELA_WAREHOUSE", str(copy))
        patched.setenv("CLIENTELA_DATASET", "retailer")
        patched.setenv("CLIENTELA_CONFIG", str(file.with_name("config.yml")))
        assert is_unchanged(build(SECOND))
        with duckdb.connect(str(copy)) as connection:
            connection.execute("delete from models.promoted_dates where as_of_date = ?", [FIRST])
        assert not is_unchanged(build(SECOND))
    assert set(value_of(copy, SECOND, "previous_as_of_date").values()) == {None}


def is_unchanged(run):
    (totals,) = [
        event.materialization.metadata
        for event in run.get_asset_materialization_events()
        if event.asset_key.path[-1] == "portfolio_ltv"
    ]
    return "unchanged" in totals


def test_pictures_of_the_change_and_of_cohorts_are_attached(built):
    _, done = built
    for day, run in done.items():
        shown = {
            event.asset_key.path[-1]: event.materialization.metadata
            for event in run.get_asset_materialization_events()
        }
        change = shown["portfolio_ltv"]["change since the slice before"].value
        assert change.startswith("![what moved the predicted value](data:image/png;base64,")
        assert (len(change) > 15_000) == (day != FIRST), "a waterfall, or a sentence"
        assert "value by age" in shown["cohort_ltv"]
