"""The simulated retailer is a plausible shop whose sources do not give its truth away.

Add here what the delivered tables must look like before defects are counted.
Defects, campaigns and files have tests of their own beside this one.
"""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from models_py.simulate import simulate_retailer
from models_py.simulate.retailer import text


@pytest.fixture(scope="module")
def shop():
    return simulate_retailer(3_000, 11)


@pytest.fixture(scope="module")
def orders(shop):
    """Orders as delivered, once each, with numbers; broken values are NaN."""
    frame = shop.sources["orders"].drop_duplicates()
    for column in ("gross_amount", "discount_amount"):
        frame[column] = pd.to_numeric(frame[column], errors="coerce")
    frame["ordered_at"] = pd.to_datetime(frame["ordered_at"], errors="coerce")
    return frame.dropna(subset=["order_id", "gross_amount", "ordered_at"])


def test_sources_are_text_with_the_columns_of_the_contract(shop):
    contract = pytest.importorskip("dagster_project.source_contract")
    shapes = {s.name: s for s in contract.SHAPES.values()}
    for shape, frame in shop.sources.items():
        assert set(frame.columns) <= set(shapes[shape].column_names), shape
        assert set(shapes[shape].required_columns) <= set(frame.columns), shape
        assert (frame.dtypes == "str").all(), shape
    assert set(shapes) - set(shop.sources) == {"contracts", "identity_overrides"}


def test_sources_hold_no_truth(shop):
    secret = re.compile(r"p\d{7}|h\d{7}")
    segments = set(shop.truth["persons"]["segment"])
    for shape, frame in shop.sources.items():
        for column in frame.columns:
            values = set(frame[column].dropna())
            assert not values & segments, f"{shape}.{column} names a hidden segment"
            assert not any(secret.fullmatch(v) for v in values), f"{shape}.{column}: person ids"


def test_record_keys_do_not_follow_the_order_of_persons(shop):
    records = shop.truth["person_records"].query("kind == 'record'")
    number = records["source_record_id"].str[1:].astype(int)
    person = records["person_id"].str[1:].astype(int)
    assert abs(np.corrcoef(number, person)[0, 1]) < 0.06
    for shape in ("customer_records", "action_exposures", "consents"):
        first = shop.sources[shape].drop_duplicates(["source_system", "source_record_id"])
        joined = first.merge(records, on=["source_system", "source_record_id"])
        place = joined["person_id"].str[1:].astype(int)
        assert abs(np.corrcoef(place, np.arange(len(place)))[0, 1]) < 0.1, shape


def test_every_record_guest_order_and_order_has_one_owner(shop, orders):
    owners = shop.truth["person_records"]
    assert not owners.duplicated(["source_system", "source_record_id"]).any()
    named = orders.dropna(subset=["source_record_id"])
    joined = named.merge(owners, on=["source_system", "source_record_id"])
    assert len(joined) == len(named)
    truth = joined.merge(shop.truth["orders"], on=["source_system", "order_id"])
    assert (truth["person_id_x"] == truth["person_id_y"]).all()
    guests = orders[orders["source_record_id"].isna()]
    keys = "order:" + guests["order_id"]
    assert keys.isin(owners["source_record_id"]).all()
    assert guests[["email", "loyalty_id"]].notna().any(axis=1).all()


def test_persons_hold_one_to_four_records_and_few_orders(shop):
    persons, owners = shop.truth["persons"], shop.truth["person_records"]
    records = owners.query("kind == 'record'").groupby("person_id").size()
    assert records.max() <= 4
    assert 0.4 < (records > 1).mean() < 0.75
    buyers = persons.loc[~persons["is_prospect"], "person_id"]
    counts = shop.truth["orders"].groupby("person_id").size().reindex(buyers, fill_value=0)
    assert counts.min() >= 1
    assert 4 < counts.mean() < 7
    assert 0.55 < (counts <= 3).mean() < 0.75


def test_households_share_phones_but_are_different_persons(shop):
    records = shop.sources["customer_records"].dropna(subset=["source_record_id", "phone"])
    owners = shop.truth["person_records"].merge(
        shop.truth["persons"][["person_id", "household_id"]], on="person_id"
    )
    records = records.merge(owners, on=["source_system", "source_record_id"])
    by_phone = records.assign(phone=records["phone"].str[-9:]).groupby("phone")
    shared = by_phone["person_id"].nunique()
    assert (shared > 1).sum() > 50
    households = by_phone["household_id"].nunique()
    assert (households > 1).mean() < 0.01


def test_lines_sum_to_the_order_and_there_are_about_two_and_a_half(shop, orders):
    items = shop.sources["order_items"].drop_duplicates().dropna(subset=["order_id"])
    items = items.assign(net=pd.to_numeric(items["net_amount"], errors="coerce"))
    broken = set(items.loc[items["net"].isna(), "order_id"])
    sums = items.groupby("order_id").agg(net=("net", "sum"), lines=("line_number", "size"))
    joined = orders.set_index("order_id").join(sums, how="inner")
    joined = joined[~joined.index.isin(broken) & (joined["gross_amount"] > 0)]
    gap = joined["gross_amount"] - joined["discount_amount"] - joined["net"]
    # A line without its key is missing from the sum; nothing else may be.
    assert (gap.abs() < 0.005).mean() > 0.99
    assert 2.3 < joined["lines"].mean() < 2.7


def test_refunds_never_exceed_their_order(shop, orders):
    refunds = shop.sources["refunds"].drop_duplicates()
    refunds = refunds.assign(amount=pd.to_numeric(refunds["refund_amount"], errors="coerce"))
    joined = refunds.dropna(subset=["order_id", "amount"]).merge(
        orders, on=["source_system", "order_id"]
    )
    net = joined["gross_amount"] - joined["discount_amount"]
    assert len(joined) > 300
    assert (joined["amount"] <= net + 0.001).all()
    assert (joined["amount"] > net - 0.001).mean() > 0.3
    nameless = refunds[refunds["order_id"].isna()]
    assert len(nameless) > 0
    assert nameless["source_record_id"].notna().all()


def test_seasons_and_weekends_are_visible(shop):
    truth = shop.truth["orders"].merge(shop.truth["persons"], on="person_id")
    day = pd.to_datetime(truth["order_day"])
    gifts = day[truth["segment"] == "gift_buyers"]
    autumn = gifts[(gifts.dt.year == 2025) & gifts.dt.month.isin([9, 10])]
    winter = gifts[(gifts.dt.year == 2025) & gifts.dt.month.isin([11, 12])]
    assert len(winter) > 2 * len(autumn)
    families = day[truth["segment"] == "family_planners"].dt.dayofweek.value_counts()
    assert families[5] > 1.3 * families[1]
    assert day.max() <= pd.Timestamp("2025-12-31")
    assert (day.max() - day.min()).days > 880


def test_acquisition_channels_differ_in_quality(shop):
    persons = shop.truth["persons"].query("not is_prospect")
    spent = shop.truth["orders"].groupby("person_id")["net_eur_amount"].sum()
    by_channel = persons.join(spent, on="person_id").groupby("acquisition_channel")
    value = by_channel["net_eur_amount"].mean()
    assert value["referral"] > 1.5 * value["social_ads"]


def test_pounds_are_paid_on_the_web_and_convert_to_the_true_amount(shop, orders):
    pounds = orders[(orders["currency_code"] == "GBP") & (orders["gross_amount"] > 0)]
    assert set(pounds["channel"]) == {"web"}
    rates = shop.sources["exchange_rates"].query("currency_code == 'GBP'")
    rate = rates.set_index("rate_date")["rate_to_reporting"].astype(float)
    joined = pounds.merge(shop.truth["orders"], on=["source_system", "order_id"])
    euro = (joined["gross_amount"] - joined["discount_amount"]) * joined["order_day"].map(rate)
    assert len(joined) > 50
    assert np.allclose(euro, joined["net_eur_amount"], atol=0.0051)


def test_anonymous_devices_log_in_later(shop):
    events = shop.sources["web_events"].drop_duplicates().dropna(subset=["event_id"])
    is_login = events["event_type"] == "login"
    assert events.loc[is_login, ["source_record_id", "email"]].notna().any(axis=1).all()
    assert events.loc[~is_login, "source_record_id"].isna().all()
    first_seen = events.groupby("device_id")["occurred_at"].min()
    first_login = events[is_login].groupby("device_id")["occurred_at"].min()
    later = first_login > first_seen.reindex(first_login.index)
    assert later.mean() > 0.2
    assert (~first_seen.index.isin(first_login.index)).sum() > 100


def test_identifiers_of_a_large_shop_are_one_array():
    """Above 476,000 people the devices came in two chunks, and the truth could not be joined."""
    count = 2**20 + 1
    identifiers = text.hex_ids(count, np.random.default_rng(1))
    typed = text.misspell(identifiers, np.arange(count) < 9, np.random.default_rng(1))
    joined = pa.concat_arrays([identifiers, typed])
    assert (
        len(joined) == 2 * count and joined[count] != joined[0] and joined[-1] == joined[count - 1]
    )


def test_too_small_a_shop_is_refused():
    with pytest.raises(ValueError, match="at least 200"):
        simulate_retailer(50, 1)
