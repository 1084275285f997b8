"""A fit with a season, or by covariates: what is counted, stored, said, and rebuilt from rows.

Add here what the steps of a fit do with either. Whether forecasts come true on its clock is
tested in tests/models.
"""

import datetime as dt

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from benchmarks.discrepancy_data import histories
from dagster_project.assets.lifetime_value_backtests import load_model
from dagster_project.assets.lifetime_value_fit import (
    lifetime_value_draws,
    lifetime_value_statistics,
    lifetime_value_version,
)
from dagster_project.backtest_families import _of_family
from dagster_project.backtest_origins import Origin
from dagster_project.config import PROJECT_ROOT, load_config
from dagster_project.lifetime_value_statistics import PURCHASE_GROUPS
from dagster_project.model_registry import parameters_of, version_in_force
from dagster_project.resources import ClientelaResource
from dagster_project.value_totals import sum_draws
from dagster_project.warehouse import open_warehouse
from models_py.lifetime_value import Sampling, purchases
from models_py.lifetime_value.seasonality import week_of_year
from models_py.simulate import PlainParameters, simulate_seasonal

START = pd.Timestamp("2021-01-01")
YOUNG, GROWN = dt.date(2022, 12, 20), dt.date(2023, 11, 30)
PARAMETERS = PlainParameters(r=1.2, alpha=5.0, a=0.8, b=6.0)


def simulated_days():
    """A rush in the last six weeks of each year."""
    season = np.where(np.arange(52) >= 46, 2.2, 0.84)
    speed = season[week_of_year(pd.date_range(START, periods=3 * 365))]
    days = simulate_seasonal(PARAMETERS, speed, 1_500, 800, 6)
    days["date"] = START + pd.to_timedelta(days["day"], unit="D")
    return days.assign(amount=days["amount"].round(2).clip(lower=0.01))


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """The file of a warehouse with purchases up to the end of 2023 and two slices of features."""
    file = tmp_path / "w.duckdb"
    for name, value in {
        "CLIENTELA_WAREHOUSE": file,
        "CLIENTELA_HOME": tmp_path,
        "CLIENTELA_DATASET": "retailer",
        "CLIENTELA_CONFIG": tmp_path / "config.yml",
    }.items():
        monkeypatch.setenv(name, str(value))
    say(tmp_path, "auto")
    days = simulated_days()
    slices = pd.concat(histories(days, pd.Timestamp(day)) for day in (YOUNG, GROWN))
    slices["purchase_days_count"] = slices["repeat_purchase_days_count"] + 1
    slices["refunds_count"] = None
    age = pd.to_timedelta(slices["tenure_days"], unit="D")
    slices["first_purchase_date"] = (slices["as_of_date"] - age).dt.date
    with open_warehouse(file) as warehouse:
        connection = warehouse.connection
        connection.register("days", days)
        connection.register("slices", slices)
        connection.execute(
            "create table marts.fct_revenue_ledger as select customer_id, "
            "cast(date as date) as purchase_date, purchase_date as event_date, "
            "'order' as event_type, customer_id || day as order_id, "
            "amount as revenue_amount, null as margin_amount from days"
        )
        connection.execute(
            "create table marts.fct_customer_features as select * replace ("
            "cast(as_of_date as date) as as_of_date) from slices"
        )
        for day in (YOUNG, GROWN):
            connection.execute(
                "insert into models.table_lineage (table_name, as_of_date, input_fingerprint) "
                "values ('dbt_features', ?, 'f')",
                [day],
            )
    return file


def say(folder, seasonality):
    """Write config.yml with that word."""
    config = (PROJECT_ROOT / "config.yml").read_text()
    changed = config.replace("seasonality: auto", f"seasonality: {seasonality}")
    (folder / "config.yml").write_text(changed)


def fit(day):
    """The version that a run of the three steps leaves in force, its season and parameters."""
    done = dg.materialize(
        [lifetime_value_statistics, lifetime_value_draws, lifetime_value_version],
        partition_key=str(day),
        resources={"clientela": ClientelaResource()},
    )
    assert done.success
    with open_warehouse(load_config().warehouse_path) as warehouse:
        version, _ = version_in_force(warehouse, "lifetime_value", day)
        said = warehouse.scalar(
            "select season from models.model_versions where model_version_id = ?", [version]
        )
        return version, said, parameters_of(warehouse, version)


def test_a_fit_takes_the_clock_that_its_date_can_know_and_says_so(shop):
    version, said, rows = fit(YOUNG)
    assert said == "calendar: 102 whole weeks, fewer than two seasons (104)"
    assert "season" not in set(rows["model"])

    version, said, rows = fit(GROWN)
    assert said.startswith("clock: a gain of ")
    index = rows[rows["model"] == "season"].set_index("parameter")["value"]
    assert len(index) == 53 and index["index_week_50"] > 1.6 > 1.1 > index["index_week_20"]
    # Those before November know of two rushes, and of nothing that came after the date.
    with open_warehouse(shop) as warehouse:
        model = load_model(warehouse, version, load_config())
        assert model.clock_ is not None
        np.testing.assert_array_equal(model.clock_.index, index.sort_index().iloc[1:])
        groups = warehouse.frame(PURCHASE_GROUPS, [GROWN])
        other = _of_family(warehouse, "bg_nbd", model, GROWN)
        expected, _ = purchases.fit(
            model.clock_.groups(groups, GROWN), "bg_nbd", Sampling(), 500, model.random_state
        )
        pd.testing.assert_frame_equal(other.draws_[["r", "alpha", "a", "b"]], expected)
        assert other.clock_ is model.clock_
        warehouse.connection.execute("delete from models.model_versions")
        warehouse.connection.execute("delete from models.model_parameters")
        warehouse.connection.execute(
            "delete from marts.fct_revenue_ledger where event_date > ?", [GROWN]
        )
    again, said_again, rows_again = fit(GROWN)
    assert (again, said_again) == (version, said)
    pd.testing.assert_frame_equal(rows_again, rows)

    say(shop.parent, "off")
    other_version, said, rows = fit(GROWN)
    assert other_version != version and said == "calendar: switched off"
    assert "season" not in set(rows["model"])


def test_a_fit_by_covariates_is_forecast_totalled_and_compared_by_them(shop):
    config = shop.parent / "config.yml"
    columns = ["acquisition_channel", "is_online_first"]
    config.write_text(config.read_text().replace("covariates: []", f"covariates: {columns}"))
    with open_warehouse(shop) as warehouse:
        # Of a tenth of the customers nobody knows the channel.
        warehouse.connection.execute(
            "create or replace table marts.fct_customer_features as select *, "
            "case when customer_id[-1] in ('1', '4', '7') then 'partner' "
            "when customer_id[-1] != '2' then 'web' end as acquisition_channel, "
            "customer_id[-2] < '5' as is_online_first, "
            "null::double as observed_margin_amount from marts.fct_customer_features"
        )
    version, said, rows = fit(GROWN)
    assert said.startswith("clock: ")
    effects = {name for name in rows["parameter"] if name.startswith("rate_effect")}
    assert effects == {
        f"rate_effect[{term}]"
        for term in (
            "acquisition_channel=partner",
            "acquisition_channel=unknown",
            "is_online_first=true",
        )
    }
    with open_warehouse(shop) as warehouse:
        priors = warehouse.scalar(
            "select priors from models.model_versions where model_version_id = ?", [version]
        )
        assert '"rate_effect[is_online_first=true]": ["normal", 0.0, 0.5]' in priors
        model = load_model(warehouse, version, load_config())
        assert set(model.covariates) == set(columns)
        origin = Origin.read(warehouse, GROWN)
        other = _of_family(warehouse, "bg_nbd", model, GROWN)
        assert set(other.draws_.filter(like="rate_effect")) == effects
        sums = sum_draws(warehouse, GROWN, model, None, model)
        whole = sums.totals["portfolio"].orders.sum(axis=0)  # (draw, horizon)
        np.testing.assert_array_equal(whole, model.predict_totals(origin.batch, GROWN).orders)
