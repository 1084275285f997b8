"""Probabilistic linkage: finds known persons without labels, the same whatever the row order.

Add here what `RecordLinkage` must keep true on simulated or public data.
Clusters are tested in their own file; long studies are benchmarks.
"""

import numpy as np
import pandas as pd
import pytest

from models_py.record_linkage import (
    PAIR_COLUMNS,
    RecordLinkage,
    cluster_scores,
    link_persons,
    pairwise_scores,
)
from models_py.record_linkage.blocking import block_keys
from models_py.record_linkage.prepare import COMPARED, prepare_records

KEY = ["source_system", "source_record_id"]
IDENTIFIERS = [*KEY, "identifier_type", "identifier_value", "is_joinable"]
GIVEN = ["maria", "robert", "ana", "pedro", "elizabeth", "tomas", "irene", "hugo", "laura", "diego"]
ENDINGS = ["ez", "ova", "sen", "ides", "ini", "land"]


def people(count: int, seed: int) -> pd.DataFrame:
    """Two records a person; the second has typing errors, a nickname or nothing in some fields."""
    rng = np.random.default_rng(seed)
    roots = ["".join(rng.choice(list("bcdfglmnprstaeiou"), 5)) for _ in range(90)]
    given = rng.choice(GIVEN, count)
    parts = zip(rng.choice(roots, count), rng.choice(ENDINGS, count), strict=True)
    family = [root + end for root, end in parts]
    days = pd.Timestamp("1950-01-01") + pd.to_timedelta(rng.integers(0, 18_000, count), unit="D")
    first = pd.DataFrame(
        {
            "source_system": "crm",
            "source_record_id": [f"a{k:05d}" for k in range(count)],
            "given_name": given,
            "family_name": family,
            "birth_date": days.strftime("%Y-%m-%d"),
            "phone": [f"6{number:08d}" for number in rng.integers(0, 10**8, count)],
            "postal_code": rng.integers(10_000, 10_060, count).astype(str),
            "person_id": [f"p{k}" for k in range(count)],
        }
    )
    second = first.assign(source_system="web", source_record_id=first["source_record_id"].str[1:])
    draw = rng.random((4, count))
    second["given_name"] = second["given_name"].where(
        draw[0] > 0.3, second["given_name"].replace({"robert": "bob", "elizabeth": "liz"})
    )
    typo = second["family_name"].str[:2] + "x" + second["family_name"].str[3:]
    second["family_name"] = second["family_name"].where(draw[1] > 0.25, typo)
    second["birth_date"] = second["birth_date"].where(draw[2] > 0.3)
    second["phone"] = second["phone"].where(draw[3] > 0.5)
    return pd.concat([first, second], ignore_index=True)


RECORDS = people(500, seed=4)
SETTINGS = {"max_random_pairs": 100_000}


@pytest.fixture(scope="module")
def fitted() -> RecordLinkage:
    return RecordLinkage(**SETTINGS).fit(RECORDS)


def persons_of(linkage: RecordLinkage, records: pd.DataFrame) -> pd.DataFrame:
    nobody = pd.DataFrame({name: [] for name in IDENTIFIERS}, dtype=object)
    told = records.reindex(columns=[*KEY, *COMPARED])
    found, _ = link_persons(records[KEY], nobody, told, linkage)
    return records[KEY].assign(customer_id=found.person)


def test_known_persons_are_found_without_labels(fitted: RecordLinkage) -> None:
    persons = persons_of(fitted, RECORDS)
    pairs, whole = pairwise_scores(persons, RECORDS), cluster_scores(persons, RECORDS)
    assert pairs["precision"] >= 0.99 and pairs["recall"] >= 0.93
    assert whole["cluster_precision"] >= 0.99
    assert fitted.estimated_precision_ >= 0.99
    # Names and birth dates of two records agree exactly for fewer than half of the persons.
    exact = RECORDS.groupby(["given_name", "family_name", "birth_date"]).ngroup()
    baseline = pairwise_scores(
        RECORDS[KEY].assign(customer_id=exact.where(exact >= 0, -RECORDS.index - 2)), RECORDS
    )
    assert pairs["recall"] > baseline["recall"] + 0.3


def test_row_order_changes_nothing(fitted: RecordLinkage) -> None:
    shuffled = RECORDS.sample(frac=1.0, random_state=8)
    again = RecordLinkage(**SETTINGS).fit(shuffled)
    pd.testing.assert_frame_equal(again.parameters_, fitted.parameters_)
    pd.testing.assert_frame_equal(again.predict(shuffled), fitted.predict(RECORDS))


def test_parameters_round_trip_through_a_table(fitted: RecordLinkage) -> None:
    table = pd.DataFrame(fitted.parameters_.to_dict("list"))
    rebuilt = RecordLinkage.from_parameters(table, **SETTINGS)
    pd.testing.assert_frame_equal(rebuilt.predict(RECORDS), fitted.predict(RECORDS))
    assert rebuilt.threshold_ == fitted.threshold_


def test_parameters_learned_before_there_were_households_still_serve(
    fitted: RecordLinkage,
) -> None:
    table = fitted.parameters_
    is_new = table["parameter"].str.match(r"h\.|eta$|.*\.year_one_edit$")
    assert is_new.sum() > 10
    earlier = RecordLinkage.from_parameters(table[~is_new], **SETTINGS).predict(RECORDS)
    now = fitted.predict(RECORDS)
    both = earlier.merge(now, on=PAIR_COLUMNS[:4])
    assert len(both) > 0.95 * len(now)


def test_pairs_are_ordered_and_named_by_key(fitted: RecordLinkage) -> None:
    pairs = fitted.predict(RECORDS)
    assert list(pairs.columns) == PAIR_COLUMNS
    left = pairs[["source_system_l", "source_record_id_l"]].agg("|".join, axis=1)
    right = pairs[["source_system_r", "source_record_id_r"]].agg("|".join, axis=1)
    assert (left < right).all() and not pairs.duplicated(PAIR_COLUMNS[:4]).any()


def test_too_little_to_compare_is_said_and_links_nobody() -> None:
    bare = RECORDS[[*KEY, "phone"]]
    linkage = RecordLinkage().fit(bare)
    assert linkage.skipped_because_ is not None and "name" in linkage.skipped_because_
    assert linkage.predict(bare).empty
    for few in (RECORDS.head(0), RECORDS.head(1)):
        assert RecordLinkage().fit(few).predict(few).empty


def test_blocks_stay_bounded_and_the_work_linear() -> None:
    crowd = pd.DataFrame(
        {
            "source_system": "crm",
            "source_record_id": [f"{k:05d}" for k in range(20_000)],
            "given_name": "maria",
            "family_name": "garcia",
            "city": "madrid",
            "birth_date": [f"19{k % 100:02d}-01-01" for k in range(20_000)],
        }
    )
    _, report = block_keys(prepare_records(crowd), max_block_size=100, max_pairs_per_record=10)
    # One name in one city would make two hundred million pairs: every block of it is dropped.
    assert report.empty
    keys, report = block_keys(prepare_records(RECORDS), 50, 10)
    assert not report.empty and (report["largest_block"] <= 50).all()
    assert report["pairs_count"].max() <= 200_000 and len(keys) == len(RECORDS)


def test_febrl_is_linked_at_its_floor(test_data) -> None:  # type: ignore[no-untyped-def]
    raw = pd.read_parquet(test_data / "febrl1.parquet").astype("str")
    date = raw["date_of_birth"]
    records = pd.DataFrame(
        {
            "source_system": "febrl",
            "source_record_id": raw["rec_id"],
            "given_name": raw["given_name"],
            "family_name": raw["surname"],
            "birth_date": date.str[:4] + "-" + date.str[4:6] + "-" + date.str[6:],
            "street": raw["address_1"],
            "house_number": raw["street_number"],
            "city": raw["suburb"],
            "postal_code": raw["postcode"],
            "person_id": raw["rec_id"].str.extract(r"rec-(\d+)-")[0],
        }
    ).replace("nan", None)
    linkage = RecordLinkage(**SETTINGS).fit(records)
    scores = pairwise_scores(persons_of(linkage, records), records)
    assert scores["precision"] >= 0.998 and scores["recall"] >= 0.93
