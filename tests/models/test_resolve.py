"""Persons out of identifiers, probable pairs and decisions: what joins, what stays apart, and why.

Add here how kinds of links are weighed against one another.
How probable a pair is, and what a contradiction is, are tested with the linkage.
"""

from itertools import pairwise

import pandas as pd
import pytest

from models_py.record_linkage import RecordLinkage, cluster_pairs, link_persons
from models_py.record_linkage.phones import normalise_phones
from models_py.record_linkage.resolve import resolve
from models_py.record_linkage.thresholds import with_threshold

KEY = ["source_system", "source_record_id"]


def records_of(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"source_system": "crm", "source_record_id": names})


def identifiers_of(*rows: tuple[str, str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["source_record_id", "identifier_type", "identifier_value"])
    return frame.assign(source_system="crm", is_joinable=True)


def portraits_of(**rows: tuple[str | None, str | None]) -> pd.DataFrame:
    """Record -> given name and birth date, all of one family behind one door."""
    frame = pd.DataFrame(
        [
            {"source_record_id": name, "given_name": given, "birth_date": pd.Timestamp(born or "")}
            for name, (given, born) in rows.items()
        ],
        columns=["source_record_id", "given_name", "birth_date"],
    )
    return frame.assign(
        source_system="crm",
        family_name="garcia",
        full_name=frame["given_name"].astype(object) + " garcia",
        street="calle mayor",
        house_number="3",
        phone="+34612345678",
        other_id=None,
    )


def decisions_of(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [("crm", a, "crm", b, decision) for a, b, decision in rows],
        columns=[*(f"{s}_{c}" for s in ("left", "right") for c in KEY), "decision"],
    )


def pairs_of(*rows: tuple[str, str, float, bool]) -> pd.DataFrame:
    return pd.DataFrame(
        [("crm", a, "crm", b, p, 8.0, above) for a, b, p, above in rows],
        columns=[
            *(f"{c}_l" for c in KEY), *(f"{c}_r" for c in KEY),
            "match_probability", "match_weight", "is_above_threshold",
        ],
    )  # fmt: skip


def groups(records: pd.DataFrame, found) -> list[str]:
    people = records["source_record_id"].groupby(found.person).agg("".join)
    return sorted(people)


COUPLE = portraits_of(a=("ana", "1980-02-01"), l=("luis", "1979-05-05"), m=("luis", None))


def test_a_couple_with_one_mailbox_stays_two_persons_and_their_guest_orders_nobodys():
    records = records_of("a", "l", "m", "x", "y")
    shared = identifiers_of(*((name, "email", "us@x.com") for name in "almxy"))
    found = resolve(records, shared, COUPLE)
    assert groups(records, found) == ["a", "lm", "xy"]
    refused = found.links[~found.links["is_linked"].astype(bool)]
    assert set(refused["refused_because"]) == {"contradiction"}
    assert len(refused) >= 1


def test_a_household_never_becomes_a_person_however_much_it_shares():
    records = records_of("a", "l", "m")
    shared = identifiers_of(
        *((name, kind, "same") for name in "alm" for kind in ("email", "loyalty_id", "device_id"))
    )
    found = resolve(records, shared, COUPLE, pairs_of(("a", "l", 0.999, True)))
    assert groups(records, found) == ["a", "lm"]


def test_a_chain_through_a_guest_does_not_join_two_people():
    records = records_of("a", "l", "x")
    chain = identifiers_of(
        ("a", "email", "e"), ("x", "email", "e"), ("x", "device_id", "d"), ("l", "device_id", "d")
    )
    found = resolve(records, chain, COUPLE)
    assert groups(records, found) == ["ax", "l"], "the e-mail is the stronger of the two links"
    assert found.match_rule.tolist() == ["email", "singleton", "email"]


def test_probable_pairs_attach_what_identifiers_cannot_and_say_so():
    records = records_of("a", "b", "c")
    pairs = pairs_of(("a", "b", 0.97, True), ("b", "c", 0.6, False))
    nothing = portraits_of(a=("ana", None), b=("ana", None), c=("ana", None))
    found = resolve(records, identifiers_of(), nothing, pairs)
    assert groups(records, found) == ["ab", "c"]
    assert found.match_rule.tolist() == ["probabilistic", "probabilistic", "singleton"]
    assert found.match_probability.tolist() == [0.97, 0.97, 1.0]
    assert found.links["refused_because"].tolist() == [None, "below_threshold"]


def chain_of(count: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Namesakes without birth dates, each linked with the next only: records, portraits, pairs."""
    names = [f"m{k:02d}" for k in range(count)]
    told = portraits_of(**dict.fromkeys(names, ("maria", None)))
    pairs = pairs_of(*((a, b, 0.99, True) for a, b in pairwise(names)))
    return records_of(*names), told, pairs


def test_a_chain_of_namesakes_is_no_person_and_the_clustering_says_the_same():
    records, told, pairs = chain_of(12)
    found = resolve(records, identifiers_of(), told, pairs)
    alone, _ = cluster_pairs(told, pairs.assign(link_type="probabilistic"))
    again = alone.merge(records, on=KEY, how="right")["person"]
    assert records.groupby(found.person).size().max() <= 4
    assert groups(records, found) == sorted(
        records["source_record_id"].groupby(again.to_numpy()).agg("".join)
    )
    assert "contradiction" not in set(found.links["refused_because"])
    assert "too_few_links" in set(found.links["refused_because"])


def test_guest_orders_of_a_customer_do_not_make_the_customer_loose():
    guests = [f"g{k:02d}" for k in range(15)]
    records, told, pairs = chain_of(2)
    records = pd.concat([records, records_of(*guests)], ignore_index=True)
    shared = identifiers_of(*((name, "email", "e") for name in ["m00", *guests]))
    found = resolve(records, shared, told, pairs)
    assert len(set(found.person)) == 1
    # Together with a contradiction the person is built again, and still stays whole.
    other = portraits_of(m00=("maria", None), m01=("maria", None), x=("luis", None))
    records = pd.concat([records, records_of("x")], ignore_index=True)
    more = pd.concat([shared, identifiers_of(("m01", "loyalty_id", "l"), ("x", "loyalty_id", "l"))])
    found = resolve(records, more, other, pairs)
    assert pd.Series(found.person).value_counts().tolist() == [17, 1]


def test_generations_are_told_apart_only_where_birth_dates_are_trusted():
    records = records_of("f", "s")
    told = portraits_of(f=("luis", "1950-01-02"), s=("luis", "1983-07-09"))
    pairs = pairs_of(("f", "s", 0.99, True))
    assert groups(records, resolve(records, identifiers_of(), told, pairs)) == ["f", "s"]
    doubted = resolve(records, identifiers_of(), told, pairs, trust_birth_dates=False)
    assert groups(records, doubted) == ["fs"]


def test_the_whole_way_takes_the_trust_in_birth_dates_from_the_stored_parameters():
    records = records_of("f", "s")
    told = portraits_of(f=("luis", "1950-01-02"), s=("luis", "1983-07-09"))
    for share, persons in ((0.01, ["f", "s"]), (0.2, ["fs"])):
        stored = pd.DataFrame({"parameter": ["threshold", "m.birth_date.other"]})
        model = RecordLinkage.from_parameters(stored.assign(value=[0.9, share]))
        assert model.trust_birth_dates_ == (share < 0.05)
        model.predict = lambda _: pairs_of(("f", "s", 0.995, True)).iloc[:, :6]
        found, chosen = link_persons(records, identifiers_of(), told, model)
        assert groups(records, found) == persons
        assert chosen["pairs_above_threshold"] == 1


def test_decisions_of_people_win_over_identifiers_and_over_contradictions():
    records = records_of("a", "l", "m")
    shared = identifiers_of(("l", "email", "e"), ("m", "email", "e"))
    decided = decisions_of(("l", "m", "never"), ("a", "l", "ALWAYS"))
    found = resolve(records, shared, COUPLE, overrides=decided)
    assert groups(records, found) == ["al", "m"]
    assert found.match_rule.tolist() == ["override", "override", "singleton"]
    assert set(found.links["link_type"]) == {"always", "never", "exact"}
    never = found.links[found.links["refused_because"] == "decided_never"]
    assert len(never) >= 1


def test_decisions_about_unknown_records_decide_nothing():
    records = records_of("a")
    decided = decisions_of(("a", "erased", "always"))
    assert groups(records, resolve(records, identifiers_of(), COUPLE, overrides=decided)) == ["a"]


def test_decisions_that_contradict_each_other_are_refused_by_row():
    decided = decisions_of(("a", "l", "always"), ("m", "l", "always"), ("m", "a", "never"))
    with pytest.raises(ValueError, match=r"of 1 pairs.*rows 3 .*Remove one") as refused:
        resolve(records_of("a", "l", "m"), identifiers_of(), COUPLE, overrides=decided)
    assert "crm" not in str(refused.value)


def test_rows_in_another_order_give_the_same_persons():
    records = records_of("a", "l", "m", "x", "y")
    shared = identifiers_of(*((name, "email", "us@x.com") for name in "almxy"))
    found = resolve(records, shared, COUPLE)
    again = resolve(records, shared.sample(frac=1, random_state=3), COUPLE.iloc[::-1])
    assert groups(records, again) == groups(records, found)
    pd.testing.assert_frame_equal(again.links, found.links)


def test_pairs_that_identifiers_joined_do_not_vouch_for_the_others():
    records = records_of(*"abcdefgh")
    shared = identifiers_of(*((name, "email", "e") for name in "abcd"))
    easy = [(one, other, 0.9999, True) for one, other in ("ab", "ac", "ad", "bc", "bd", "cd")]
    pairs = pairs_of(*easy, ("e", "f", 0.995, True), ("g", "h", 0.95, True))
    followed, threshold, estimated = with_threshold(records, shared, pairs, 0.99, 0.5)
    assert (threshold, estimated) == (0.995, 0.995), "0.95 would bring the new ones to 0.9725"
    assert followed["is_above_threshold"].tolist() == [True] * 7 + [False]
    none, threshold, _ = with_threshold(records, shared, pairs.iloc[-1:], 0.99, 0.5)
    assert not none["is_above_threshold"].any()


PHONES = {
    ("612 34 56 78", "ES"): "+34612345678",
    ("0034 612345678", ""): "+34612345678",
    ("(212) 555-0100", "US"): "+12125550100",
    ("612345678", ""): "+34612345678",
    ("999999999", "ES"): None,
    ("123456789", "ES"): None,
    ("unknown", "ES"): None,
    ("612", "ES"): None,
    ("612345678", "AQ"): None,
    ("+34 612345678", "AQ"): "+34612345678",
    ("020 7946 0018", "gb"): "+442079460018",
    ("21 0123 4567", "GR"): "+302101234567",
}


def test_telephone_numbers_in_any_notation_are_one():
    frame = pd.DataFrame(list(PHONES), columns=["phone", "country_code"])
    found = normalise_phones(frame, "ES").set_index(["phone", "country_code"])["e164"]
    assert {key: found[key] for key in PHONES} == PHONES
    assert pd.isna(
        normalise_phones(frame).set_index(["phone", "country_code"])["e164"]["612345678", ""]
    )
