"""Potential value in the warehouse: five dates of a small shop, run through the asset.

Add here what must hold of the rows that are written. Peers, shares and words alone are tested in
tests/models/test_segmentation_potential.py.
"""

import datetime as dt

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from dagster_project import potential_value
from dagster_project.assets.potential import potential
from dagster_project.assets.publish import GATES
from dagster_project.config import PROJECT_ROOT, ConfigError, load_config
from dagster_project.feature_catalogue import PREDICTED
from dagster_project.resources import ClientelaResource
from dagster_project.warehouse import open_warehouse

DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=30 * number) for number in range(5)]
HORIZONS = (30, 90, 180, 365)
SIZE = 600
LIFT = 0.4  # of its gap a customer realises, beyond what is predicted


def write_date(warehouse, day, seed):
    """Features, stages, segments and predicted value of a date, and what happened after it."""
    chance = np.random.default_rng(seed)
    kind = np.arange(SIZE) % 3
    people = pd.DataFrame(
        {
            "customer_id": [f"c{number:04d}" for number in range(SIZE)],
            "as_of_date": day,
            "stage": np.where(np.arange(SIZE) < 20, "star", "active"),
            "microsegment_key": [f"active-{k}" for k in kind],
            "tenure_days": 400,
            "recency_days": chance.integers(1, 60, SIZE),
            "purchase_days_count": chance.integers(1, 9, SIZE),
            "average_order_amount": chance.gamma(4.0, 10.0, SIZE),
            "revenue_365d_amount": chance.gamma(4.0, 100.0, SIZE),
            "discount_share": kind / 10 + 0.02 * chance.random(SIZE),
            "categories_count": 1 + 2 * kind,
            "refunds_count": None,
        }
    )
    for name in potential_value.layer_features(load_config()):
        if name not in people and name not in PREDICTED:
            people[name] = np.nan  # A layer whose sources this shop does not deliver.
    monthly = chance.gamma(2.0, 10.0 * (1 + kind), SIZE)
    value = pd.concat(
        people[["customer_id", "as_of_date"]].assign(
            horizon_days=horizon,
            model_version_id="v1",
            value_rank=np.arange(SIZE) + 1,
            value_tier="gold",
            **{
                f"predicted_revenue_{q}": monthly * horizon / 30 * factor
                for q, factor in zip(("mean", "p05", "p25", "p50", "p75", "p95"),
                                     (1, 0.1, 0.5, 0.9, 1.4, 2.5), strict=True)
            },
        )
        for horizon in HORIZONS
    )  # fmt: skip
    line = pd.Series(monthly).groupby(kind).transform(lambda part: part.quantile(0.75))
    spent = monthly + LIFT * np.maximum(0.0, line - monthly) + chance.normal(0, 1, SIZE)
    ledger = people[["customer_id"]].assign(
        event_date=day + dt.timedelta(days=9),
        purchase_date=day + dt.timedelta(days=9),
        event_type="order",
        revenue_amount=np.round(np.maximum(spent, 0.01), 2),
    )
    connection = warehouse.connection
    for name, frame in (("people", people), ("value", value), ("ledger", ledger)):
        connection.register(name, frame)
    connection.execute(
        "create table if not exists marts.fct_customer_features as select * exclude (stage, "
        "microsegment_key) replace (refunds_count::bigint as refunds_count) from people limit 0"
    )
    connection.execute("insert into marts.fct_customer_features by name select * exclude (stage, "
                       "microsegment_key) from people")  # fmt: skip
    connection.execute(
        "create table if not exists marts.fct_revenue_ledger as select * replace ("
        "revenue_amount::decimal(18, 2) as revenue_amount) from ledger limit 0"
    )
    connection.execute("insert into marts.fct_revenue_ledger select * from ledger")
    connection.execute(
        "insert into predictions.customer_microsegments (customer_id, as_of_date, stage, "
        "microsegment_key) select customer_id, as_of_date, stage, microsegment_key from people"
    )
    names = ", ".join(value.columns)
    connection.execute(f"insert into predictions.customer_ltv ({names}) select {names} from value")
    for step in ("predictions.customer_ltv", "predictions.customer_microsegments"):
        connection.execute(
            "insert into models.table_lineage (table_name, as_of_date, input_fingerprint) "
            "values (?, ?, ?)",
            [step, day, step],
        )


def run(file, day):
    done = dg.materialize(
        [potential], partition_key=str(day), resources={"clientela": ClientelaResource()}
    )
    assert done.success
    with open_warehouse(file) as warehouse:
        warehouse.connection.execute(
            "delete from models.promoted_dates where as_of_date = ?", [day]
        )
        warehouse.connection.execute(
            "insert into models.promoted_dates values (?, true, '')", [day]
        )
    return done


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    file = tmp_path_factory.mktemp("potential") / "w.duckdb"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CLIENTELA_WAREHOUSE", str(file))
        patched.setenv("CLIENTELA_DATASET", "retailer")
        with open_warehouse(file) as warehouse:
            for number, day in enumerate(DAYS):
                write_date(warehouse, day, number)
        for day in DAYS:
            run(file, day)
        yield file


def read(file, sql, *parameters):
    with open_warehouse(file, read_only=True) as warehouse:
        return warehouse.frame(sql, parameters)


CUSTOMERS = "select * from predictions.customer_potential where as_of_date = ? order by all"


def test_every_customer_has_one_row_a_horizon_and_potential_is_never_below_predicted(shop):
    rows = read(shop, CUSTOMERS, DAYS[-1])
    assert len(rows) == SIZE * len(HORIZONS)
    assert not rows.duplicated(["customer_id", "horizon_days"]).any()
    assert (rows["potential_revenue_mean"] >= rows["predicted_revenue_mean"]).all()
    assert (rows["benchmark_gap_amount"].dropna() >= 0).all()
    expected = rows["predicted_revenue_mean"] + rows["attainable_share"] * rows[
        "benchmark_gap_amount"
    ].fillna(0)
    np.testing.assert_allclose(rows["potential_revenue_mean"], expected)
    with open_warehouse(shop) as warehouse:
        gate = GATES["potential_not_below_predicted"].format(day=f"date '{DAYS[-1]}'", horizons=4)
        assert warehouse.scalar(gate) == 0
        # The gate can fail: one cent below is an offence.
        warehouse.connection.execute("begin transaction")
        warehouse.connection.execute(
            "update predictions.customer_potential set potential_revenue_mean = "
            "predicted_revenue_mean - 0.01 where as_of_date = ? and customer_id = 'c0100'",
            [DAYS[-1]],
        )
        assert warehouse.scalar(gate) == len(HORIZONS)
        warehouse.connection.execute("rollback")


def test_a_share_that_past_dates_show_is_measured_where_enough_of_them_have_ended(shop):
    shares = read(
        shop, "select * from predictions.potential_shares where as_of_date = ? order by 2", DAYS[-1]
    ).set_index("horizon_days")
    assert shares["potential_basis"].tolist() == ["peer_measured", "none", "none", "none"]
    assert shares["origins_count"].tolist() == [4, 1, 0, 0]
    assert shares.loc[30, "slope_p05"] < LIFT < shares.loc[30, "slope_p95"]
    assert abs(shares.loc[30, "attainable_share"] - LIFT) < 0.1
    assert "3 are needed" in shares.loc[90, "reason"]
    first = read(shop, "select * from predictions.potential_shares where as_of_date = ?", DAYS[0])
    assert (first["potential_basis"] == "none").all()
    assert first["last_origin_date"].isna().all()


def test_without_comparable_peers_the_basis_is_none_and_potential_is_what_is_predicted(shop):
    rows = read(shop, CUSTOMERS, DAYS[-1])
    stars = rows[rows["stage"] == "star"]
    assert (stars["peers_count"] == 0).all() and (stars["potential_basis"] == "none").all()
    assert stars["benchmark_amount"].isna().all() and stars["benchmark_gap_amount"].isna().all()
    assert (stars["potential_revenue_mean"] == stars["predicted_revenue_mean"]).all()
    others = rows[(rows["stage"] != "star") & (rows["horizon_days"] == 30)]
    assert (others["potential_basis"] == "peer_measured").all()


def test_micro_segments_sum_their_customers(shop):
    rows = read(shop, CUSTOMERS, DAYS[-1])
    summed = read(
        shop, "select * from predictions.microsegment_potential where as_of_date = ?", DAYS[-1]
    ).set_index(["microsegment_key", "horizon_days"])
    groups = rows.groupby(["microsegment_key", "horizon_days"])
    np.testing.assert_allclose(
        summed["benchmark_gap_amount"].sort_index(), groups["benchmark_gap_amount"].sum()
    )
    uplift = groups["potential_revenue_mean"].sum() - groups["predicted_revenue_mean"].sum()
    np.testing.assert_allclose(summed["potential_uplift_mean"].sort_index(), uplift, atol=1e-6)
    short = summed.xs(30, level="horizon_days")
    assert (short["potential_uplift_p05"] < short["potential_uplift_mean"]).all()
    assert (short["potential_uplift_mean"] < short["potential_uplift_p95"]).all()
    assert summed["leading_attributes"].dropna().str.contains("%").all()
    assert (summed["compared_customers_count"] < summed["customers_count"]).all()


def test_a_date_is_built_again_only_when_something_it_is_made_from_has_changed(
    shop, monkeypatch, tmp_path
):
    before = read(shop, CUSTOMERS, DAYS[-1])
    done = run(shop, DAYS[-1])
    assert all(
        event.materialization.metadata.get("unchanged")
        for event in done.get_asset_materialization_events()
        for event in [event.event_specific_data]
    )
    config = (PROJECT_ROOT / "config.yml").read_text()
    (tmp_path / "config.yml").write_text(config.replace("assumed_share: 0", "assumed_share: 0.2"))
    monkeypatch.setenv("CLIENTELA_CONFIG", str(tmp_path / "config.yml"))
    run(shop, DAYS[-1])
    rows = read(shop, CUSTOMERS, DAYS[-1])
    peers = rows[rows["peers_count"] > 0]
    basis = peers.groupby("horizon_days")["potential_basis"].unique().str.join(",")
    assert basis.tolist() == ["peer_measured", *["peer_assumed"] * 3]
    long = peers[peers["horizon_days"] == 365]
    np.testing.assert_allclose(
        long["potential_revenue_p95"],
        before.loc[long.index, "predicted_revenue_mean"] * 2.5 + 0.2 * long["benchmark_gap_amount"],
    )
    monkeypatch.delenv("CLIENTELA_CONFIG")
    run(shop, DAYS[-1])
    pd.testing.assert_frame_equal(read(shop, CUSTOMERS, DAYS[-1]), before)


def test_past_windows_have_ended_and_do_not_overlap():
    days = [dt.date(2024, 6, 30) - dt.timedelta(days=10 * number) for number in range(12)]
    chosen = potential_value.ended_origins(days, dt.date(2024, 7, 5), 30)
    assert chosen == [dt.date(2024, 5, 31), dt.date(2024, 5, 1), dt.date(2024, 4, 1)]
    assert potential_value.ended_origins(days, dt.date(2024, 7, 5), 365) == []


def test_customers_are_compared_by_the_layers_without_what_value_is_made_of():
    config = load_config(PROJECT_ROOT / "config.yml", dataset="retailer")
    assert not set(potential_value.compared_by(config)) & {
        "average_order_amount", "revenue_365d_amount", "purchase_days_count", "recency_days",
    }  # fmt: skip
    assert {"discount_share", "categories_count"} <= set(potential_value.compared_by(config))
    assert "revenue_365d_amount" not in potential_value.told(config)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("compare_by: [discount_shar]", "the nearest is discount_share"),
        ("compare_by: [recency_days]", "predicted value is made of"),
        ("compare_by: [favourite_category]", "holds no number"),
        ("compare_by: []\n  flor_peers: 30", "nearest is `floor_peers`"),
        ("compare_by: []\n  assumed_share: 1.5", "assumed_share"),
    ],
)
def test_a_wrong_key_of_potential_is_refused_with_the_nearest_valid_one(tmp_path, line, message):
    config = (PROJECT_ROOT / "config.yml").read_text()
    if "assumed_share" in line:
        config = config.replace("  assumed_share: 0\n", "")
    (tmp_path / "config.yml").write_text(config.replace("compare_by: []", line))
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "config.yml")


def test_gaps_of_another_comparison_are_no_origins(shop, monkeypatch, tmp_path):
    config = (PROJECT_ROOT / "config.yml").read_text()
    wider = config.replace("benchmark_quantile: 0.75", "benchmark_quantile: 0.9")
    assert wider != config
    (tmp_path / "config.yml").write_text(wider)
    with monkeypatch.context() as patched:
        patched.setenv("CLIENTELA_CONFIG", str(tmp_path / "config.yml"))
        run(shop, DAYS[-1])
    shares = read(shop, "select * from predictions.potential_shares where as_of_date = ?", DAYS[-1])
    assert (shares["origins_count"] == 0).all() and (shares["potential_basis"] == "none").all()
    run(shop, DAYS[-1])


def test_merged_persons_are_measured_at_no_past_date(shop):
    with open_warehouse(shop) as warehouse:
        warehouse.connection.execute(
            "insert into identity.superseded (old_customer_id, customer_id) "
            "values ('c0100', 'c0101')"
        )
        past = warehouse.frame(potential_value.PAST, [DAYS[0], 30])
        warehouse.connection.execute("delete from identity.superseded")
    assert len(past) == SIZE - 2 and not past["customer_id"].isin(["c0100", "c0101"]).any()


def test_value_of_other_buyers_is_refused_with_the_counts():
    buyers = pd.DataFrame({"customer_id": ["a", "b"]})
    value = pd.DataFrame({"customer_id": ["a", "b", "a", "c"]})
    with pytest.raises(ValueError, match=r"customer_ltv has 4 rows.*build the date"):
        potential_value.require_same_buyers(buyers, value, 2)


def test_a_segment_of_nobody_comparable_has_no_gap():
    from models_py.segmentation.potential import attainable_share

    customers = pd.DataFrame(
        {
            "customer_id": ["a", "b"],
            "microsegment_key": ["m1", "m2"],
            "horizon_days": 30,
            "model_version_id": "v",
            "stage": "active",
            "predicted_revenue_mean": [1.0, 2.0],
            "benchmark_amount": [np.nan, 3.0],
            "benchmark_gap_amount": [np.nan, 1.0],
            "leading_attribute": [None, None],
        }
    )
    rows = potential_value.microsegment_rows(customers, {30: (attainable_share([], 0.5), [])})
    assert np.isnan(rows["benchmark_gap_amount"][0]) and rows["benchmark_gap_amount"][1] == 1.0
    assert rows["potential_uplift_mean"].tolist() == [0.0, 0.5]
