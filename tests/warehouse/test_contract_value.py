"""Contracts in the warehouse: what is known on a day, what they will pay, and when nothing is made.

Add here what must hold of predictions.contract_ltv. How long contracts last is tested in
tests/models/test_lifetime_value_contracts.py.
"""

import datetime as dt

import dagster as dg
import duckdb
import numpy as np
import pandas as pd
import pytest

from dagster_project.assets.contract_value import contract_ltv
from dagster_project.config import PROJECT_ROOT, load_config
from dagster_project.lineage import FORCE_TAG
from dagster_project.model_rollback import roll_back
from dagster_project.resources import ClientelaResource
from dagster_project.warehouse import open_warehouse

FIRST, SECOND = dt.date(2023, 12, 31), dt.date(2024, 6, 30)
BETWEEN = dt.date(2024, 2, 29)  # served by the fit of the first date
HORIZONS = (30, 90, 180, 365)
# Plan: first day, amount, alpha and beta of the chance to leave at a renewal.
PLANS = {
    "basic": (dt.date(2023, 3, 10), 10.0, 1.5, 6.0),
    "gold": (dt.date(2023, 5, 18), 40.0, 0.7, 9.0),
}
EACH = 800


def simulated_contracts():
    """Contracts as a source delivers them years later, when most ends are known."""
    chance = np.random.default_rng(11)
    parts = []
    for plan, (first, amount, alpha, beta) in PLANS.items():
        start = pd.Timestamp(first) + pd.to_timedelta(chance.integers(0, 10, EACH), unit="D")
        refused = chance.geometric(chance.beta(alpha, beta, EACH))
        ends = [
            day + pd.DateOffset(months=int(months)) - pd.Timedelta(days=1)
            for day, months in zip(start, np.minimum(refused, 1200), strict=True)
        ]
        parts.append(
            pd.DataFrame(
                {
                    "contract_id": [f"{plan}-{number:04d}" for number in range(EACH)],
                    "source_system": "crm",
                    "source_record_id": [f"{plan}{number // 2}" for number in range(EACH)],
                    "plan": plan,
                    "started_on": start.date,
                    "ended_on": [day.date() for day in ends],
                    "period_amount": amount,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def renewals_paid(contracts, day, horizon):
    """What each contract really paid within the horizon after a day."""
    start, end = (pd.to_datetime(contracts[name]) for name in ("started_on", "ended_on"))
    today = pd.Timestamp(day)
    until = np.minimum(end, today + pd.Timedelta(days=horizon))
    count = months_between(start, until) - months_between(start, pd.Series(today, start.index))
    return count.clip(lower=0) * contracts["period_amount"]


def months_between(start, until):
    """Whole months; every contract starts early enough in its month for each month to have it."""
    months = 12 * (until.dt.year - start.dt.year) + until.dt.month - start.dt.month
    return months - (until.dt.day < start.dt.day)


def build(day, force=False):
    return run(day, force).asset_materializations_for_node("contract_ltv")[0].metadata


def run(day, force=False):
    done = dg.materialize(
        [contract_ltv],
        partition_key=str(day),
        resources={"clientela": ClientelaResource()},
        tags={FORCE_TAG: "true"} if force else {},
    )
    assert done.success
    return done


def rows(file, sql, *values):
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql, values).fetchall()


def change(file, *statements):
    with open_warehouse(file) as warehouse:
        for statement in statements:
            warehouse.connection.execute(statement)


def measure(file, day):
    with open_warehouse(file) as warehouse:
        return warehouse.measure("predictions.contract_ltv", day)


def configure(patched, file, mode, fewest_effective_draws=400):
    text = (PROJECT_ROOT / "config.yml").read_text()
    text = text.replace("mode: purchases ", f"mode: {mode} ").replace(
        "prediction_draws: 500", "prediction_draws: 100"
    )
    text = text.replace("ess_min: 400", f"ess_min: {fewest_effective_draws}")
    file.write_text(text)
    patched.setenv("CLIENTELA_CONFIG", str(file))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A warehouse with two thousand good contracts and five others, built for two dates."""
    file = tmp_path_factory.mktemp("contracts") / "w.duckdb"
    contracts = simulated_contracts()
    odd = contracts.iloc[:5].assign(
        contract_id=["stranger", "no start", "backwards", "no amount", "staff"],
        source_record_id=["nobody", "basic1", "basic1", "basic1", "staff"],
    )
    odd.loc[1, "started_on"] = None
    odd.loc[2, "ended_on"] = dt.date(2020, 1, 1)
    odd.loc[3, "period_amount"] = 0.0
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CLIENTELA_WAREHOUSE", str(file))
        patched.setenv("CLIENTELA_DATASET", "retailer")
        configure(patched, file.with_name("config.yml"), "contracts")
        with open_warehouse(file) as warehouse:
            connection = warehouse.connection
            connection.register("delivered", pd.concat([contracts, odd], ignore_index=True))
            connection.execute(
                "create table staging.contracts as select * replace "
                "(started_on::date as started_on, ended_on::date as ended_on, "
                "period_amount::decimal(18, 2) as period_amount) from delivered"
            )
            connection.execute(
                "insert into identity.customers_map (source_system, source_record_id, customer_id) "
                "select distinct source_system, source_record_id, 'c-' || source_record_id "
                "from delivered where source_record_id <> 'nobody'"
            )
            connection.execute(
                "create table marts.dim_customers as select distinct customer_id, "
                "customer_id = 'c-staff' as is_test from identity.customers_map"
            )
        yield file, contracts, {day: build(day) for day in (FIRST, SECOND)}


def test_every_contract_begun_has_a_row_for_each_horizon(built):
    file, contracts, _ = built
    for day in (FIRST, SECOND):
        found = rows(
            file,
            "select contract_id, customer_id, contract_status, count(*), min(interval_status), "
            "list(horizon_days order by horizon_days) from predictions.contract_ltv "
            "where as_of_date = ? group by all order by contract_id",
            day,
        )
        expected = contracts.sort_values("contract_id")
        assert [row[0] for row in found] == expected["contract_id"].tolist()
        assert [row[1] for row in found] == ("c-" + expected["source_record_id"]).tolist()
        status = np.where(expected["ended_on"] <= day, "ended", "active")
        assert [row[2] for row in found] == status.tolist()
        assert EACH / 4 < (status == "ended").sum() < EACH * 1.5
        assert all(row[5] == list(HORIZONS) for row in found)
    # The oldest contract is of March 2023: by the end of that year no year of it had been seen.
    seen = rows(
        file,
        "select distinct as_of_date, horizon_days, interval_status from predictions.contract_ltv "
        "where horizon_days >= 180 order by all",
    )
    assert [row[2] for row in seen] == ["uncalibrated", "extrapolated"] + ["uncalibrated"] * 2


def test_ended_contracts_pay_nothing_and_running_ones_something(built):
    file, _, _ = built
    ended, active = rows(
        file,
        "select contract_status = 'active' as is_active, max(predicted_revenue_p95), "
        "max(predicted_present_value_mean), max(retention_probability), "
        "min(predicted_revenue_mean), min(retention_probability), "
        "bool_and(predicted_present_value_mean < predicted_revenue_mean), count(*) "
        "from predictions.contract_ltv where horizon_days = 365 group by all order by 1",
    )
    assert ended[1:6] == (0.0,) * 5
    assert active[4] > 0 and 0 < active[5] < active[3] < 1 and active[6]


@pytest.mark.parametrize("day", [FIRST, SECOND])
@pytest.mark.parametrize("horizon", [90, 365])
def test_totals_of_a_plan_are_near_what_was_paid(built, day, horizon):
    file, contracts, _ = built
    paid = renewals_paid(contracts, day, horizon).groupby(contracts["plan"]).sum()
    found = rows(
        file,
        "select split_part(contract_id, '-', 1), sum(predicted_revenue_mean) "
        "from predictions.contract_ltv where as_of_date = ? and horizon_days = ? group by all",
        day,
        horizon,
    )
    assert len(found) == 2
    for plan, predicted in found:
        assert predicted == pytest.approx(paid[plan], rel=0.1), plan


def test_contracts_that_cannot_be_used_are_counted_by_reason(built):
    _, _, told = built
    found = {name: value.value for name, value in told[SECOND].items() if "left out" in name}
    reasons = ("no customer record", "no start", "an end before the start", "no amount above 0")
    assert found == {f"left out: {reason}": 1 for reason in reasons}


def test_a_fit_is_stored_and_serves_until_it_is_too_old(built):
    file, _, _ = built
    found = rows(
        file,
        "select data_end_date, status, k_hat_max < 0.7, customers_count "
        "from models.model_versions where model = 'contracts' order by all",
    )
    assert found == [(day, "promoted", True, EACH) for day in (FIRST, SECOND)]
    used = rows(file, "select count(distinct model_version_id) from predictions.contract_ltv")
    assert used == [(2,)]


def test_what_happened_later_does_not_change_a_past_date(built):
    """Neither later ends nor later starts, nor when they are delivered."""
    file, _, _ = built
    assert "unchanged" in build(FIRST)
    assert "unchanged" not in build(BETWEEN)
    before = measure(file, BETWEEN)
    change(
        file,
        "create table staging.kept as from staging.contracts",
        f"update staging.contracts set ended_on = null where ended_on > date '{BETWEEN}'",
        "insert into staging.contracts select * replace (contract_id || '+' as contract_id, "
        f"date '{BETWEEN}' + 1 as started_on, null as ended_on) from staging.kept limit 50",
    )
    assert "unchanged" in build(BETWEEN)
    assert "unchanged" not in build(BETWEEN, force=True)
    assert measure(file, BETWEEN) == before
    change(
        file,
        f"update staging.contracts set ended_on = date '{BETWEEN}' where plan = 'gold'",
    )
    assert "unchanged" not in build(BETWEEN)
    assert measure(file, BETWEEN) != before
    change(
        file,
        "create or replace table staging.contracts as from staging.kept",
        "drop table staging.kept",
    )
    build(BETWEEN)
    assert measure(file, BETWEEN) == before


def test_a_fit_of_contracts_can_be_rolled_back(built):
    file, _, _ = built
    change(
        file,
        "insert into models.promoted_dates (as_of_date, is_promoted) values "
        f"('{FIRST}', true), ('{SECOND}', true)",
    )
    newest = rows(
        file,
        "select max(model_version_id) from models.model_versions "
        f"where status = 'promoted' and data_end_date = date '{SECOND}'",
    )[0][0]
    with open_warehouse(file) as warehouse:
        assert roll_back(warehouse, newest, "a test") == [SECOND]
    build(SECOND)
    serving = rows(
        file,
        "select distinct model_version_id, as_of_date "
        "from predictions.contract_ltv order by as_of_date",
    )
    assert len({version for version, _ in serving}) == 1 and newest != serving[1][0]


def test_without_contracts_or_in_the_other_mode_nothing_is_made(built, tmp_path, monkeypatch):
    file, _, _ = built
    early = dt.date(2023, 1, 31)
    assert "had begun by 2023-01-31" in build(early)["skipped"].value
    assert measure(file, early)[0] == 0
    assert measure(file, SECOND)[0] > 0
    configure(monkeypatch, tmp_path / "config.yml", "purchases")
    told = build(SECOND)
    assert "not contracts" in told["skipped"].value
    assert measure(file, SECOND)[0] == 0
    assert "unchanged" in build(SECOND)


def test_a_first_fit_that_fails_its_gates_leaves_the_slice_empty_and_warns(
    built, tmp_path, monkeypatch
):
    """Orders of the date are valued all the same, so that the run must go on."""
    file, _, _ = built
    early = dt.date(2023, 5, 10)  # one of the plans had begun

    def outcome():
        done = run(early)
        (check,) = done.get_asset_check_evaluations()
        assert check.severity == dg.AssetCheckSeverity.WARN
        told = done.asset_materializations_for_node("contract_ltv")[0].metadata
        return check.passed, told["skipped"].value if "skipped" in told else ""

    configure(monkeypatch, tmp_path / "config.yml", "contracts", fewest_effective_draws=10**9)
    passed, why = outcome()
    assert not passed and "ess_bulk_min" in why and "no promoted fit of contracts" in why
    assert measure(file, early)[0] == 0
    change(
        file,
        "update models.model_versions set status = 'rolled_back' "
        f"where data_end_date = date '{early}'",
    )
    passed, why = outcome()
    assert not passed and "was rolled back" in why
    assert measure(file, early)[0] == 0


def test_the_mode_asks_for_no_refit_of_purchases(tmp_path, monkeypatch):
    purchases = load_config(PROJECT_ROOT / "config.yml").lifetime_value
    configure(monkeypatch, tmp_path / "config.yml", "contracts")
    contracts = load_config().lifetime_value
    assert contracts.mode == "contracts" and purchases.mode == "purchases"
    told = contracts.of_purchases()
    assert told == purchases.of_purchases() | {"prediction_draws": 100}
    assert {"horizons_days", "gates", "chains"} <= set(told)
