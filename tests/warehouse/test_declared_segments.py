"""Segments by rule: what is refused and how it is said, and who is in them on a date.

Add here a mistake that a rule could hold, or what must be true of memberships.
The SQL of the customer row is compared with Python in `test_dbt_project`.
"""

import datetime as dt
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dagster_project.config import ConfigError, load_config
from dagster_project.declared_segments import declared_segments
from dagster_project.declared_segments.columns import row_columns, unfed
from dagster_project.declared_segments.definitions import (
    Line,
    Part,
    Segment,
    checker_for,
    ready_made,
    tried,
)
from dagster_project.declared_segments.expressions import RuleChecker
from dagster_project.declared_segments.functions import DATES, FUNCTIONS, LISTS, NUMBERS, TEXTS
from dagster_project.declared_segments.memberships import SegmentFailedError, evaluate
from dagster_project.result_tables import CUSTOMER_SEGMENT_MEMBERSHIPS, SEGMENT_DEFINITIONS
from dagster_project.settings_segments import TRIED_STAGES
from dagster_project.source_contract import SHAPES
from dagster_project.warehouse import open_warehouse

SHIPPED = Path(__file__).resolve().parents[2] / "config.yml"
FIRST, SECOND = dt.date(2024, 1, 31), dt.date(2024, 2, 29)


@pytest.fixture(autouse=True)
def no_overrides(monkeypatch):
    for name in ("CLIENTELA_CONFIG", "CLIENTELA_DATASET"):
        monkeypatch.delenv(name, raising=False)


def configured(folder, own="{}", ready="{}"):
    """The shipped config.yml with segments of its own."""
    text = SHIPPED.read_text()
    text = re.sub(r"(?m)^  ready_made: .*$", lambda _: f"  ready_made: {ready}", text)
    text = re.sub(r"(?m)^  own: \{\}$", lambda _: f"  own: {own}", text)
    file = folder / "config.yml"
    file.write_text(text)
    return load_config(file)


def own(rule, lines=""):
    return '{mine: {description: Mine., where: "' + rule + '"' + lines + "}}"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("order_count > 3", r"names order_count, which is no column.*nearest is orders_count"),
        ("email like '%@x.com'", "names email, which is no column of serving.customer_360"),
        ("stage = new", "names new, which is no column.*single quotes"),
        ("stage = 'atrisk'", "asks for stage 'atrisk'.*nearest is 'at_risk'"),
        ("stage in ('new', 'gone')", "asks for stage 'gone', which is none of prospect, new"),
        ("value_tier = 'golden'", "asks for value_tier 'golden'.*nearest is 'gold'"),
        ("orders_count", "gives BIGINT, not true or false"),
        ("orders_count >", "is no SQL expression"),
        ("2 > 1", "names no column"),
        ("orders_count > (select 3)", "holds a subquery"),
        ("exists (from marts.dim_customers)", "holds a subquery"),
        ("orders_count = any([1, 2])", "holds a subquery"),
        ("orders_count > 1; drop table x", "is no SQL expression"),
        ("orders_count > 1); select (true", "second statement"),
        ("orders_count > 1) limit (1", "goes on after the condition"),
        ("true) union all select * from customer_360 where (true", "goes on after the condition"),
        ("sum(orders_count) > 1", "calls sum, which sums up over customers.*lines"),
        ("rank() over (order by orders_count) < 9", "holds a window function"),
        ("read_csv('/etc/passwd') is null", "calls read_csv, which reads from outside"),
        ("first_purchase_date > current_date - 30", "calls current_date.*use as_of_date"),
        ("first_purchase_date > now()", "calls now.*use as_of_date"),
        ("random() < orders_count", "calls random.*another answer"),
        ("getvariable('x') = region", "calls getvariable"),
        ("pg_sleep(orders_count)", "calls pg_sleep"),
        ("lower_case(region) = 'x'", "calls lower_case, which is no function"),
        ("age(last_purchase_date) > interval 60 day", "calls age.*use as_of_date"),
        ("last_purchase_date < current_localtimestamp()", "calls current_localtimestamp.*as_of"),
        ("region < current_localtime()::varchar", "calls current_localtime.*use as_of_date"),
        ("version() = region", "calls version, which rules do not use.*docs/segments.md"),
        ("sqrt(observed_revenue_amount) > 9", "calls sqrt, which rules do not use.*no number"),
        ("orders_count ** -1 > 3", r"calls \*\*, which rules do not use"),
        ("observed_revenue_amount / orders_count >= 1000", r"divides \(/\).*write nullif"),
        ("recency_days % orders_count = 0", r"divides \(%\) by what can be zero"),
        ("recency_days // (orders_count + 1) = 0", r"divides \(//\) by what can be zero"),
        ("mod(recency_days, orders_count) = 0", r"divides \(mod\) by what can be zero"),
        ("orders_count / 0.0 > 1", r"divides \(/\) by what can be zero"),
        ("orders_count / nullif(recency_days, 1) > 1", r"divides \(/\) by what can be zero"),
        ("orders_count > $1", "holds a parameter"),
        ("columns('.*_count') > 1", "holds a star"),
        ("region > 3", "cannot be evaluated.*VARCHAR"),
        ("cast(region as int) = 3", "different kinds.*try_cast"),
        ("orders_count > {limit}", r"names the line \{limit\}, which is not declared"),
        (" ", "is empty"),
    ],
)
def test_a_rule_that_is_no_condition_on_a_customer_is_refused(tmp_path, rule, message):
    with pytest.raises(ConfigError, match=message) as refused:
        configured(tmp_path, own(rule))
    assert f"segments.own.mine.where: the rule `{rule}`" in str(refused.value)


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ({"own": "{Mine: {description: M., where: is_online_first}}"}, "'Mine' is no name"),
        ({"own": "{mine: {where: is_online_first}}"}, "own.mine.description is missing"),
        ({"own": "{mine: {description: M., where: a, when: b}}"}, "when is no known key.*`where`"),
        (
            {"own": "{mine: {description: M., where: a}, mine: {description: N., where: b}}"},
            "mine stands more than once",
        ),
        (
            {"own": "{high_value: {description: M., where: is_online_first}}"},
            "has the name of a ready-made segment",
        ),
        (
            {"own": own("orders_count > {l}", ", lines: {l: {of: order_count, top: 0.1}}")},
            "line through order_count, which is no column.*nearest is orders_count",
        ),
        (
            {"own": own("orders_count > {l}", ", lines: {l: {of: region, top: 0.1}}")},
            "line through region, which holds no number",
        ),
        (
            {"own": own("recency_days / {l} > 2", ", lines: {l: {of: orders_count, top: 0.1}}")},
            r"divides \(/\) by what can be zero",
        ),
        (
            {"own": own("orders_count > {l}", ", lines: {l: {of: orders_count, top: 1.5}}")},
            r"lines\.l\.top: 1.5.*less than 1",
        ),
        ({"ready": "{high_valu: off}"}, "high_valu is no ready-made.*nearest is high_value"),
        ({"ready": "{high_value: on}"}, "must be off, or limits by name"),
        ({"ready": "{high_value: {value_lin: 3}}"}, "value_lin is no limit.*is value_line"),
        ({"ready": "{high_value: {value_line: {top: 2}}}"}, "share of the buyers between 0 and 1"),
        ({"ready": "{high_value: {value_line: lots}}"}, "no number and no {top: share}"),
        ({"ready": "{one_and_done: {silent_days: .inf}}"}, "inf, which is no number"),
        ({"ready": "{one_and_done: {silent_days: {top: 0.5}}}"}, "is a number, not a line"),
        ({"ready": "{category_buyer: {at_most: 0.5}}"}, "whole number from 1"),
    ],
)
def test_mistakes_around_a_rule_are_named_with_the_remedy(tmp_path, segments, message):
    with pytest.raises(ConfigError, match=message):
        configured(tmp_path, **segments)


@pytest.mark.parametrize(
    "rule",
    [
        "orders_count between 2 and 5 and region is not null",
        "CUSTOMER_360.Stage in ('new', 'star') or not is_online_first",
        "first_purchase_date >= as_of_date - interval 30 day -- the last month",
        "lower(favourite_category) like 'snack%'",
        "coalesce(nullif(orders_count, 0), 1) % 2 = 0",
        "observed_revenue_amount / nullif(orders_count, 0) >= 1000",
        "recency_days / 7 > 2 and recency_days // coalesce(nullif(orders_count, 0), 1) > 0.5",
        "mod(recency_days, greatest(orders_count, 1)) = 0 and recency_days % -2.5 = 0",
        "age(as_of_date, last_purchase_date) > interval 60 day",
        "favourite_category similar to 'a.*' and region not ilike 'x%' escape '!'",
        "date_diff('day', last_purchase_date, as_of_date) in [1, 2] or -orders_count < -3",
        "extract(month from last_purchase_date) = 12 and ifnull(gender, 'x') || region <> 'x'",
        "case when region = 'north' then recency_days > 30 else recency_days > 60 end",
    ],
)
def test_what_a_company_would_write_is_accepted(tmp_path, rule):
    assert declared_segments(configured(tmp_path, own(rule)))[-1].kind == "own"


def test_the_guide_says_which_columns_are_not_as_of_the_date():
    """Those that the row takes from dim_customers, which knows only today."""
    macro = (SHIPPED.parent / "dbt" / "macros" / "customer_row.sql").read_text()
    guide = (SHIPPED.parent / "docs" / "segments.md").read_text()
    said = guide.split("Attributes are what is known today")[1].split("| table")[0]
    found = re.findall(r"^    customers\.(\w+),", macro, re.MULTILINE)
    assert found and all(f"`{name}`" in said for name in found)


def test_every_function_of_the_list_exists_and_the_guide_names_it():
    known = set(RuleChecker(row_columns((365,)))._functions)
    parsed_away = {"ifnull"}
    assert not FUNCTIONS - known - parsed_away
    guide = (SHIPPED.parent / "docs" / "segments.md").read_text()
    named = set(re.findall(r"`([^`\s]+)`", guide.split("**What a rule may call.**")[1]))
    assert named >= NUMBERS | TEXTS | DATES | LISTS


def test_ready_made_segments_are_valid_at_any_horizon_and_say_all_their_limits(tmp_path):
    config = configured(tmp_path)
    checker, segments = checker_for(config), declared_segments(config)
    assert {s.name for s in segments} == set(ready_made(365, 90))
    for segment in segments:
        said = " ".join(part.where + part.description for part in segment.parts)
        for part in segment.parts:
            assert checker.check(tried(segment, part)).columns
        for limit in set(segment.limits) - {"at_most"}:
            assert said.count(f"{{{limit}}}") >= 2, f"{segment.name} hides its {limit}"
    other = ready_made(180, 30)["high_value"].parts[0]
    assert "predicted_revenue_180d_mean" in other.where and "180 days" in other.description


def test_a_ready_made_segment_takes_other_limits_or_is_switched_off(tmp_path):
    ready = (
        "{high_value: {value_line: {top: 0.05}}, lapsing_star: {past_line: 500}, near_a_store: off}"
    )
    segments = {s.name: s for s in declared_segments(configured(tmp_path, ready=ready))}
    assert segments["high_value"].limits["value_line"].top == 0.05
    assert segments["high_value"].limits["value_line"].of == "predicted_revenue_365d_mean"
    assert segments["lapsing_star"].limits["past_line"] == 500
    assert "near_a_store" not in segments


def test_stages_of_the_settings_are_those_of_the_models():
    from models_py.segmentation import STAGES

    assert ("prospect", *TRIED_STAGES, "active") == STAGES


def test_a_column_without_its_source_is_named_with_what_it_lacks():
    assert unfed(["orders_count", "cart_adds_90d_count"], {"orders"}) == {
        "cart_adds_90d_count": ("web_events",)
    }
    assert not unfed(["contacts_per_purchase_count"], {"orders", "action_exposures"})


def people(count=400):
    """Buyers with values that grow with their number, and every tenth a prospect."""
    number = np.arange(count)
    is_buyer = number % 10 > 0
    return pd.DataFrame(
        {
            "customer_id": [f"c{n:04d}" for n in number],
            "orders_count": np.where(is_buyer, 1 + number % 5, 0),
            "purchase_days_count": np.where(is_buyer, 1 + number % 5, 0),
            "recency_days": np.where(is_buyer, number % 200, np.nan),
            "observed_revenue_amount": np.where(is_buyer, number / 4, 0.0),
            "predicted_revenue_365d_mean": np.where(is_buyer, 7.0 * (count - number), np.nan),
            "favourite_category": np.where(is_buyer, np.array(["It's", "Bread"])[number % 2], None),
            "top_category_share": 0.9,
            "region": "n/a",
        }
    )


@pytest.fixture
def warehouse(tmp_path):
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        body = ", ".join(f"{n} {kind}" for n, kind in row_columns((365,)).items())
        connection = warehouse.connection
        connection.execute(f"create table serving.customer_360_by_date ({body})")
        for date, frame in ((FIRST, people()), (SECOND, people().head(100))):
            connection.register("people", frame.assign(as_of_date=date))
            connection.execute("insert into serving.customer_360_by_date by name from people")
        yield warehouse


def rule(name, where, kind="own", for_each=None, **limits):
    part = Part(name, " ".join(f"{{{limit}}}" for limit in limits), where)
    return Segment(name, kind, (part,), limits, for_each)


def members_of(warehouse, *segments, date=FIRST, delivered=tuple(SHAPES)):
    checker = RuleChecker(row_columns((365,)))
    return evaluate(warehouse, segments, checker, date, delivered, 365)


def test_members_are_those_for_whom_the_rule_is_true_on_that_date(warehouse):
    segment = rule("twice", "orders_count >= 2 and recency_days < 50")
    for date, base in ((FIRST, people()), (SECOND, people().head(100))):
        definitions, members = members_of(warehouse, segment, date=date)
        inside = base[(base["orders_count"] >= 2) & (base["recency_days"] < 50)]
        assert members["customer_id"].to_pylist() == sorted(inside["customer_id"])
        assert set(members["as_of_date"].to_pylist()) == {date}
        row = definitions.iloc[0]
        assert row["customers_count"] == len(inside)
        assert row["customers_share"] == len(inside) / len(base)
        assert float(row["observed_revenue_amount"]) == pytest.approx(
            inside["observed_revenue_amount"].sum(), abs=0.01 * len(inside)
        )
        assert row["predicted_revenue_mean"] == inside["predicted_revenue_365d_mean"].sum()


def test_a_division_by_zero_brings_nobody_into_a_segment(warehouse):
    """Every tenth of these people has no order."""
    rule_of_both = "observed_revenue_amount / nullif(orders_count, 0) >= 20"
    _, members = members_of(warehouse, rule("dear", rule_of_both))
    base = people()
    inside = base[(base["orders_count"] > 0)]
    inside = inside[inside["observed_revenue_amount"] / inside["orders_count"] >= 20]
    assert members["customer_id"].to_pylist() == sorted(inside["customer_id"])
    assert 0 < members.num_rows < 360


def test_a_segment_of_prospects_is_predicted_to_bring_nothing(warehouse):
    definitions, members = members_of(warehouse, rule("never", "orders_count = 0"))
    assert members.num_rows == 40
    assert definitions.iloc[0]["predicted_revenue_mean"] == 0.0


def test_a_line_has_the_top_share_of_buyers_above_it_and_is_written_into_the_rule(warehouse):
    top = Line("predicted_revenue_365d_mean", 0.25)
    segment = rule("best", "predicted_revenue_365d_mean >= {line}", line=top)
    definitions, members = members_of(warehouse, segment)
    assert members.num_rows == 90  # a quarter of 360 buyers
    row = definitions.iloc[0]
    again = warehouse.scalar(
        "select count(*) from serving.customer_360_by_date "
        f"where as_of_date = ? and {row['expression']}",
        [FIRST],
    )
    assert again == 90
    assert "(the top 25 % of buyers)" in row["description"]


def test_each_value_of_a_column_gets_a_segment_quoted_as_it_must_be(warehouse):
    segment = rule(
        "category", "favourite_category = {value}", for_each="favourite_category", at_most=5
    )
    definitions, members = members_of(warehouse, segment)
    assert definitions["segment"].tolist() == ["category:Bread", "category:It's"]
    assert definitions["customers_count"].sum() == members.num_rows == 360
    fewer, _ = members_of(warehouse, rule(
        "category", "favourite_category = {value}", for_each="favourite_category", at_most=1
    ))  # fmt: skip
    assert fewer["segment"].tolist() == ["category:Bread"]


def test_the_quadrant_holds_every_buyer_once(warehouse):
    definitions, members = members_of(warehouse, ready_made(365, 90)["value_quadrant"])
    assert definitions["customers_count"].sum() == 360
    assert len(set(members["customer_id"].to_pylist())) == members.num_rows == 360


def test_a_segment_without_its_source_says_so_instead_of_being_empty(warehouse):
    segment = rule("carts", "cart_adds_90d_count > 0 or orders_count > 2")
    definitions, members = members_of(warehouse, segment, delivered=("orders",))
    row = definitions.iloc[0]
    assert row["status"] == "not_available" and members.num_rows == 0
    assert "web_events, which the source does not deliver (cart_adds_90d_count)" in row["reason"]
    assert row["customers_count"] is None
    delivered, _ = members_of(warehouse, segment)
    assert delivered.iloc[0]["status"] == "available" and delivered.iloc[0]["reason"] is None


def test_an_empty_segment_is_available_and_counts_nobody(warehouse):
    definitions, _ = members_of(warehouse, rule("nobody", "orders_count > 1000"))
    assert definitions.iloc[0][["status", "customers_count"]].tolist() == ["available", 0]


def test_a_line_through_an_empty_column_makes_a_segment_not_available(warehouse):
    line = Line("discount_share", 0.5)
    definitions, _ = members_of(warehouse, rule("cheap", "discount_share > {l}", l=line))
    assert definitions.iloc[0]["reason"] == "nobody who bought has a discount_share"


def test_a_rule_that_breaks_on_a_value_is_named(warehouse):
    broken = rule("broken", "cast(case when region = 'a' then '1' else region end as int) = 1")
    with pytest.raises(SegmentFailedError, match=r"segment broken: the rule `cast.*try_cast"):
        members_of(warehouse, rule("fine", "orders_count > 1"), broken)


def test_rows_in_another_order_give_the_same_bytes(warehouse):
    segments = [*ready_made(365, 90).values()][-1], rule("twice", "orders_count >= 2")
    measured = []
    for seed in (1, 2):
        warehouse.connection.execute(
            "create or replace table shuffled as select * from serving.customer_360_by_date "
            f"order by hash(customer_id || '{seed}')"
        )
        warehouse.connection.execute(
            "delete from serving.customer_360_by_date; "
            "insert into serving.customer_360_by_date from shuffled"
        )
        definitions, members = members_of(warehouse, *segments)
        written = [(SEGMENT_DEFINITIONS, definitions), (CUSTOMER_SEGMENT_MEMBERSHIPS, members)]
        warehouse.replace_slices(written, {"as_of_date": FIRST})
        measured.append([warehouse.measure(table.full_name, FIRST) for table, _ in written])
    assert measured[0] == measured[1]
    assert measured[0][1][0] > 0
