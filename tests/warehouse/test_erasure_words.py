"""How the erasure recognises a person: hashes, telephones, columns, words in a log.

Add a case here that needs no warehouse. Whose a row is, is in test_erasure_rules.
"""

import hashlib
import hmac

import duckdb
import pytest

from dagster_project.erasure.columns import named
from dagster_project.erasure.files import Redactor
from dagster_project.erasure.keys import define_hash, keyed_hash
from dagster_project.erasure.needles import Needles, is_distinctive
from dagster_project.erasure.telephones import phone_form, phone_of


def test_the_hash_in_sql_is_the_hmac_of_rfc_2104():
    key = b"k" * 32
    with duckdb.connect() as connection:
        define_hash(connection, key)
        made = connection.execute("select erased_hash('text', 'josé@mail.es')").fetchall()[0][0]
    expected = hmac.new(key, "text\x1fjosé@mail.es".encode(), hashlib.sha256).hexdigest()
    assert made == expected == keyed_hash(key, "text", "josé@mail.es")


@pytest.mark.parametrize("text", ["+34 600 111 222", "0034600111222", "600-111-222", "12345", ""])
def test_telephones_have_one_form_in_sql_and_python(text):
    sql = f"select {phone_form('t')} from (values ('{text}')) as v(t)"
    assert duckdb.sql(sql).fetchall()[0][0] == phone_of(text)


def test_columns_are_recognised_with_a_word_before_or_behind():
    columns = dict.fromkeys(
        ("left_source_system", "left_source_record_id", "old_customer_id", "customer_ids"),
        "VARCHAR",
    )
    assert named(columns, "source_record_id") == [("left_source_record_id", "left_source_system")]
    assert named(columns, "customer_id") == [("old_customer_id", None)]


def test_only_what_can_mean_nothing_else_is_searched_in_text():
    assert (
        is_distinctive("ana@mail.es") and is_distinctive("WO-0017") and is_distinctive("300000868")
    )
    assert (
        not is_distinctive("17") and not is_distinctive("100017") and not is_distinctive("carmen")
    )


def test_logs_lose_the_name_in_any_spelling_and_nothing_else():
    redactor = Redactor.of(Needles(("ana@mail.es",), ("34600111222", "600111222")))
    log = b'{"a": "\\nANA@mail.es", "b": "+34 600-111 222", "c": 1600111222000}'
    assert redactor.finds(log)
    assert redactor.without(log) == b'{"a": "\\n[erased]", "b": "[erased]", "c": 1600111222000}'
    assert not redactor.finds(b"1600111222000 and others")
