"""Features of a small shop: nothing after the as-of date is seen, and consent of that day holds.

Add here what must be true of every feature over several dates. Rules of one slice stay out and live
beside the models as dbt unit tests.
"""

import json
import shutil
from copy import copy
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from dagster_project.config import ConfigError, load_config
from dagster_project.feature_catalogue import features, features_fed_by, layer_columns
from dagster_project.landing import land
from dagster_project.lifetime_value_statistics import (
    OPTIONAL_PARTS,
    PURCHASE_GROUPS,
    SPEND_GROUPS,
    WEEKLY_PURCHASES,
)
from dagster_project.source_contract import SHAPES
from dagster_project.warehouse import open_warehouse
from tests.warehouse.dbt_command import dbt

DBT_FOLDER = Path(__file__).resolve().parents[2] / "dbt"
# Three days after a campaign by text message, and near the end of the data.
DAY, LATER = "2025-05-10", "2025-12-30"
WITHDRAWN_AT = "2025-09-01T12:00:00Z"
UNITS = {
    "id", "date", "count", "days", "reporting_currency", "log_reporting_currency", "share",
    "ratio", "nats", "hour", "km", "years", "index", "text", "flag",
}  # fmt: skip
EVENTS = {
    "orders": "ordered_at",
    "refunds": "refunded_at",
    "web_events": "occurred_at",
    "message_events": "occurred_at",
    "visits": "visited_at",
    "action_exposures": "assigned_at",
    "consents": "changed_at",
}


class Lake:
    """A warehouse with true persons instead of linked ones, so that linkage plays no part."""

    def __init__(self, shop, folder: Path, target: Path) -> None:
        self.warehouse, self.target = folder / "lake.duckdb", target
        self.config = load_config(shop.home / "config.yml", str(shop.source))
        self.lookback_days = self.config.identity.device_lookback_days
        truth = pd.read_parquet(shop.truth / "person_records.parquet")
        truth.loc[truth["kind"] == "device", "source_system"] = "device"
        truth = truth[["source_system", "source_record_id", "person_id"]]
        truth = truth.drop_duplicates(["source_system", "source_record_id"])
        # Until the last date, nothing but a device has shown most of those who have one.
        first_seen = (
            "case when source_system <> 'device' and right(person_id, 1) < '6' and person_id in "
            "(select person_id from truth where source_system = 'device') "
            f"then timestamp '{LATER}' else timestamp '2023-01-01' end"
        )
        with open_warehouse(self.warehouse) as opened:
            land(opened.connection, self.config)
            opened.connection.register("truth", truth)
            opened.connection.execute(
                "insert into identity.customers_map (source_system, source_record_id, customer_id, "
                "match_rule, match_probability, first_seen_at, last_seen_at) select source_system, "
                f"source_record_id, person_id, 'truth', 1.0, {first_seen}, {first_seen} from truth"
            )

    def dbt(self, as_of_date: str, *selected: str, but: str = "nothing") -> None:
        lookback = {"identity_device_lookback_days": self.lookback_days}
        variables = json.dumps(self.config.dbt_vars() | lookback, sort_keys=True)
        done = dbt(
            self.warehouse,
            *("run", "--vars", variables, "--select", *selected, "--exclude", but),
            target=self.target,
            CLIENTELA_AS_OF_DATE=as_of_date,
        )
        assert done.returncode == 0, done.stdout[-4000:]

    def used_before_login(self, periods: str) -> int:
        """Devices with such a period and events before DAY, both before their first login."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(
                "select count(distinct p.device_id) from identity.device_periods p "
                "join (select device_id, min(used_at) as login_at from identity.device_uses "
                "where customer_id is not null group by device_id) l using (device_id) "
                f"join staging.web_events e using (device_id) where p.{periods} "
                "and e.occurred_at >= p.valid_from and e.occurred_at < p.valid_until "
                f"and e.occurred_at < '{DAY}' and l.login_at > '{DAY}'"
            ).fetchall()[0][0]

    def value_rows(self) -> dict[str, pd.DataFrame]:
        """All that lifetime value at DAY is fitted on: the ledger up to it, and grouped rows."""
        ledger = "select * from marts.fct_revenue_ledger where event_date <= ? order by all"
        asked = {"ledger": ledger, "purchases": PURCHASE_GROUPS, "spend": SPEND_GROUPS}
        asked |= {"weeks": WEEKLY_PURCHASES} | OPTIONAL_PARTS
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return {name: connection.execute(sql, [DAY]).df() for name, sql in asked.items()}

    def features(self, as_of_date: str) -> pd.DataFrame:
        columns = ", ".join(features())
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(
                f"select {columns} from marts.fct_customer_features where as_of_date = ? "
                "order by customer_id",
                [as_of_date],
            ).df()


def withdraw(source: Path) -> set[tuple[str, str, str]]:
    """Take back every second consent to location and profiling after DAY, before LATER."""
    file = source / "consents.parquet"
    consents = pd.read_parquet(file)
    granted = consents[
        consents["purpose"].isin(["geo", "profiling"])
        & consents["is_granted"].str.lower().isin(["true", "1", "yes", "t"])
        & (pd.to_datetime(consents["changed_at"], errors="coerce", utc=True) < DAY)
    ]
    taken_back = granted.iloc[::2].assign(changed_at=WITHDRAWN_AT, is_granted="false")
    pd.concat([consents, taken_back]).to_parquet(file, index=False)
    keys = ["source_system", "source_record_id", "purpose"]
    return set(taken_back[keys].itertuples(index=False, name=None))


@pytest.fixture(scope="module")
def lake(make_shop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    shop = make_shop(folder / "whole", 400, 3)
    taken_back = withdraw(shop.source)
    whole = Lake(shop, folder, folder / "target")
    whole.dbt(LATER, "+fct_customer_features")
    # The earlier date is built after the withdrawals are known.
    whole.dbt(DAY, "path:models/marts/features", "fct_customer_features")
    whole.shop, whole.taken_back = shop, taken_back
    return whole


@pytest.mark.slow
def test_a_source_cut_at_the_date_gives_the_same_features_and_the_same_fit(lake, tmp_path):
    removed = 0
    for shape, column in EVENTS.items():
        file = lake.shop.source / f"{shape}.parquet"
        frame = pd.read_parquet(file)
        moments = pd.to_datetime(frame[column], errors="coerce", utc=True)
        is_later = moments.dt.tz_convert("Europe/Madrid").dt.strftime("%Y-%m-%d") > DAY
        removed += int(is_later.sum())
        frame[~is_later].to_parquet(file, index=False)
    assert removed > 500
    cut = Lake(lake.shop, tmp_path, lake.target)
    # Whose a device is, only a login tells: before the first one it is nobody's.
    with duckdb.connect(str(cut.warehouse)) as connection:
        connection.execute(f"attach '{lake.warehouse}' as whole (read_only)")
        periods = "from whole.identity.device_periods"
        later = f"select device_id {periods} group by device_id having min(known_date) > '{DAY}'"
        unknown = connection.execute(
            "delete from identity.customers_map where source_system = 'device' "
            f"and source_record_id in ({later}) returning 1"
        ).fetchall()
    assert len(unknown) > 20
    cut.dbt(DAY, "+fct_customer_features")
    # Devices of those whom nothing else had shown, used long before they logged in.
    assert lake.used_before_login("known_date <= date '1900-01-01'") > 3
    pd.testing.assert_frame_equal(cut.features(DAY), lake.features(DAY), check_exact=True)
    of_the_whole = lake.value_rows()
    for name, found in cut.value_rows().items():
        assert len(found) > 1, name
        pd.testing.assert_frame_equal(found, of_the_whole[name], check_exact=True)
    # As shipped, the others used no device before DAY that was theirs only after: in a year, some.
    shutil.copy(lake.warehouse, tmp_path / "whole.duckdb")
    wide = copy(lake)
    wide.warehouse = tmp_path / "whole.duckdb"
    for one in (cut, wide):
        one.lookback_days = 365
        one.dbt(DAY, "device_periods+,+fct_customer_features")
    assert wide.used_before_login(f"known_date > '{DAY}'") > 2
    pd.testing.assert_frame_equal(cut.features(DAY), wide.features(DAY), check_exact=True)


@pytest.mark.slow
def test_every_feature_is_filled_for_somebody_when_every_source_is_delivered(lake):
    found = pd.concat([lake.features(DAY), lake.features(LATER)])
    empty = [name for name in found.columns if found[name].notna().sum() == 0]
    constant = [name for name in found.columns if found[name].nunique() < 2]
    assert not empty
    # The shop has no app, its messages cannot be unsubscribed from, and its campaigns of these
    # months went out as messages, which count as such.
    silent = {"app_order_share", "has_unsubscribed", "actions_7d_count", "actions_30d_count"}
    assert set(constant) == {"first_seen_date"} | silent


@pytest.mark.slow
def test_withdrawing_location_removes_the_features_from_later_dates_only(lake):
    before, after = (lake.features(day).set_index("customer_id") for day in (DAY, LATER))
    columns = [name for name, f in features().items() if "visits" in f.needs]
    withdrew = before["has_geo_consent"].eq(True) & after["has_geo_consent"].eq(False)
    kept = before["has_geo_consent"].eq(True) & after["has_geo_consent"].eq(True)
    assert withdrew.sum() > 15 and kept.sum() > 15
    assert before.loc[withdrew, "places_count"].notna().all()
    assert before.loc[withdrew, "median_visit_distance_km"].notna().any()
    assert after.loc[withdrew, columns].isna().all(axis=None)
    assert after.loc[kept, "places_count"].notna().all()
    assert after.loc[~after["has_geo_consent"].eq(True), columns].isna().all(axis=None)


@pytest.mark.slow
def test_refused_profiling_withholds_web_and_messages_and_nothing_else(lake):
    found = lake.features(LATER)
    refused = found["has_profiling_consent"].eq(False)
    pressure = [f"messages_{days}d_count" for days in (7, 30, 90)]
    withheld = [
        name
        for name, feature in features().items()
        if {"web_events", "message_events"} & set(feature.needs) and name not in pressure
    ]
    assert refused.sum() > 50 and len(withheld) == 12
    assert found.loc[refused, withheld].isna().all(axis=None)
    assert found.loc[~refused, "web_events_30d_count"].notna().all()
    assert found[[*pressure, "orders_count"]].notna().all(axis=None)


@pytest.mark.slow
def test_visits_without_consent_at_their_moment_never_reach_a_feature(lake):
    with duckdb.connect(str(lake.warehouse), read_only=True) as connection:
        delivered, kept, unallowed = connection.execute(
            "select (select count(*) from staging.visits), count(*), count(*) filter (coalesce(("
            "select arg_max(c.is_granted, c.changed_at) from intermediate.int_consent_changes c "
            "where c.purpose = 'geo' and c.customer_id = v.customer_id "
            "and c.changed_at <= s.visited_at), false) = false) "
            "from intermediate.int_customer_visits v join staging.visits s using (visit_id)"
        ).fetchall()[0]
    assert 0 < kept < delivered
    assert unallowed == 0


def test_every_feature_says_its_unit_and_the_shapes_it_needs():
    catalogue = features()
    assert len(catalogue) > 100
    for name, feature in catalogue.items():
        assert feature.unit in UNITS, name
        shapes = {shape for need in feature.needs for shape in need.split("|")}
        assert shapes <= set(SHAPES), name
        assert feature.needs or name in ("customer_id", "as_of_date", "first_seen_date"), name
        assert (feature.unit == "share") == name.endswith("_share"), name


def test_a_shape_feeds_the_features_that_would_be_lost_without_it():
    delivered = {"customer_records", "orders", "visits", "consents", "web_events"}
    assert set(features_fed_by("visits", delivered)) == {"visits_90d_count", "places_count"}
    assert "web_before_purchase_share" in features_fed_by("orders", delivered)
    assert "contacts_per_purchase_count" in features_fed_by(
        "action_exposures", {*delivered, "action_exposures"}
    )


def test_a_layer_names_columns_of_the_features_only(tmp_path):
    text = (DBT_FOLDER.parent / "config.yml").read_text()
    file = tmp_path / "config.yml"
    assert text.count("      - categories_count\n") == 1
    file.write_text(text.replace("      - categories_count\n", "      - price_indx\n"))
    reason = "is no column of the features; the nearest is price_index"
    with pytest.raises(ConfigError, match=reason):
        load_config(file)
    for name in ("near_home_visit_share", "main_channel"):
        file.write_text(text.replace("      - categories_count\n", f"      - {name}\n"))
        names = load_config(file).segmentation.layers["product"].columns
        assert name in names and set(names) <= set(layer_columns())
