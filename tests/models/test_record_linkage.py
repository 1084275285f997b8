"""Exact linkage: transitive, blind to row order, named after the earliest record; and its scores.

Add here what any linkage must keep true.
Normalising and capping identifiers is tested with the dbt models.
"""

from hashlib import sha256
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from models_py.record_linkage import CUSTOMERS_MAP_COLUMNS, ExactLinkage, pairwise_scores

KEY = ["source_system", "source_record_id"]


def records_of(*rows: tuple[str, str, str | None]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=[*KEY, "first_seen_at"])
    table["first_seen_at"] = pd.to_datetime(table["first_seen_at"])
    return table.assign(last_seen_at=table["first_seen_at"])


def identifiers_of(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    columns = [*KEY, "identifier_type", "identifier_value"]
    return pd.DataFrame(rows, columns=columns).assign(is_joinable=True)


def person_id(system: str, record: str) -> str:
    return "c_" + sha256(f"{system}|{record}".encode()).hexdigest()[:16]


RECORDS = records_of(
    ("crm", "1", "2024-03-01"),
    ("web", "2", "2024-01-01"),
    ("till", "3", "2024-02-01"),
    ("crm", "4", None),
    ("crm", "5", "2020-01-01"),
)
IDENTIFIERS = identifiers_of(
    ("crm", "1", "email", "a@example.org"),
    ("web", "2", "email", "a@example.org"),
    ("web", "2", "device_id", "d1"),
    ("till", "3", "device_id", "d1"),
    ("till", "3", "loyalty_id", "L9"),
    ("crm", "4", "loyalty_id", "L9"),
    ("crm", "5", "email", "alone@example.org"),
)


def random_world(count: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    person = rng.integers(0, count // 3 + 1, count)
    ids = [str(number) for number in range(count)]
    seen = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 99, count), unit="D")
    records = pd.DataFrame({"source_system": "crm", "source_record_id": ids, "first_seen_at": seen})
    records["last_seen_at"] = records["first_seen_at"]
    # Two addresses a person, and now and then one of somebody else.
    address = person * 2 + rng.integers(0, 2, count)
    wrong = rng.random(count) < 0.03
    address[wrong] = rng.integers(0, count, int(wrong.sum()))
    identifiers = pd.DataFrame(
        {
            "source_system": "crm",
            "source_record_id": ids,
            "identifier_type": "email",
            "identifier_value": address.astype(str),
            "is_joinable": True,
        }
    )
    return records, identifiers, records[KEY].assign(person_id=person)


def test_records_that_reach_each_other_are_one_person_named_after_the_earliest() -> None:
    answer = ExactLinkage().link(RECORDS, IDENTIFIERS)
    assert list(answer.columns) == CUSTOMERS_MAP_COLUMNS
    ids = answer.set_index("source_record_id")["customer_id"]
    assert set(ids[["1", "2", "3", "4"]]) == {person_id("web", "2")}
    assert ids["5"] == person_id("crm", "5")
    assert (answer["match_probability"] == 1.0).all()


def test_the_rule_is_the_strongest_identifier_shared() -> None:
    rules = ExactLinkage().link(RECORDS, IDENTIFIERS).set_index("source_record_id")["match_rule"]
    assert rules.to_dict() == {
        "1": "email",
        "2": "email",
        "3": "loyalty_id",
        "4": "loyalty_id",
        "5": "singleton",
    }


def test_rows_that_are_not_joinable_join_nobody() -> None:
    answer = ExactLinkage().link(RECORDS, IDENTIFIERS.assign(is_joinable=False))
    assert answer["customer_id"].is_unique
    assert (answer["match_rule"] == "singleton").all()


def test_ties_in_age_are_broken_by_the_key_and_unknown_ages_come_last() -> None:
    records = records_of(("b", "1", "2024-01-01"), ("a", "2", "2024-01-01"), ("a", "1", None))
    shared = identifiers_of(*[(s, r, "email", "x") for s, r in zip("baa", "121", strict=True)])
    answer = ExactLinkage().link(records, shared)
    assert set(answer["customer_id"]) == {person_id("a", "2")}


def test_row_order_does_not_matter() -> None:
    records, identifiers, _ = random_world(600, seed=1)
    answer = ExactLinkage().link(records, identifiers)
    shuffled = ExactLinkage().link(
        records.sample(frac=1.0, random_state=2), identifiers.sample(frac=1.0, random_state=3)
    )
    pd.testing.assert_frame_equal(answer, shuffled)


def test_a_later_record_does_not_rename_a_person() -> None:
    later = records_of(("web", "9", "2025-01-01"))
    more = pd.concat([RECORDS, later], ignore_index=True)
    known = pd.concat([IDENTIFIERS, identifiers_of(("web", "9", "email", "a@example.org"))])
    before = ExactLinkage().link(RECORDS, IDENTIFIERS)
    after = ExactLinkage().link(more, known)
    both = before.merge(after, on=KEY)
    assert (both["customer_id_x"] == both["customer_id_y"]).all()


def test_no_identifiers_and_no_records_are_fine() -> None:
    alone = ExactLinkage().link(RECORDS, IDENTIFIERS.head(0))
    assert alone["customer_id"].nunique() == len(RECORDS)
    nobody = ExactLinkage().link(RECORDS.head(0), IDENTIFIERS.head(0))
    assert list(nobody.columns) == CUSTOMERS_MAP_COLUMNS and nobody.empty


def test_scores_equal_a_count_of_every_pair() -> None:
    records, identifiers, truth = random_world(200, seed=5)
    linked = ExactLinkage().link(records, identifiers)
    scores = pairwise_scores(linked, truth)
    both = truth.merge(linked, on=KEY)
    pairs = list(combinations(range(len(both)), 2))
    same = [
        (
            both["customer_id"].iloc[i] == both["customer_id"].iloc[j],
            both["person_id"].iloc[i] == both["person_id"].iloc[j],
        )
        for i, j in pairs
    ]
    predicted, true = sum(p for p, _ in same), sum(t for _, t in same)
    correct = sum(p and t for p, t in same)
    assert 0 < correct < predicted and correct < true
    assert (scores["pairs_predicted"], scores["pairs_true"], scores["pairs_correct"]) == (
        predicted,
        true,
        correct,
    )
    assert scores["precision"] == pytest.approx(correct / predicted)
    assert scores["recall"] == pytest.approx(correct / true)
    assert scores["f1"] == pytest.approx(2 * correct / (predicted + true))


def test_bad_input_is_refused_with_table_and_remedy() -> None:
    linkage = ExactLinkage()
    with pytest.raises(ValueError, match="more than once"):
        linkage.link(pd.concat([RECORDS, RECORDS]), IDENTIFIERS)
    with pytest.raises(ValueError, match=r"not in identity\.source_records"):
        linkage.link(RECORDS.head(2), IDENTIFIERS)
    with pytest.raises(ValueError, match="truth has 3 records"):
        pairwise_scores(linkage.link(RECORDS, IDENTIFIERS).head(2), RECORDS.assign(person_id="p"))
