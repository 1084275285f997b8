"""What a finished run holds in its tables and in Dagster's history.

Add here a way to read that several files of this room need.
"""

import hashlib
import os
from contextlib import contextmanager
from unittest import mock

import dagster as dg
import duckdb

from dagster_project.result_tables import RESULT_TABLES

RESULTS = [
    *sorted(
        name for name, table in RESULT_TABLES.items() if table.schema in ("predictions", "identity")
    ),
    "marts.fct_customer_features",
    "marts.fct_orders",
    "models.model_parameters",
]


@contextmanager
def dagster_of(home):
    """The Dagster instance of a home."""
    folder = str(home / "storage" / "dagster")
    with mock.patch.dict(os.environ, DAGSTER_HOME=folder), dg.DagsterInstance.get() as instance:
        yield instance


def rows(path, sql):
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def ordered_hash(path, table):
    """Hash of the bytes of a table's rows, ordered by all columns."""
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute(f"select * from {table} order by all").to_arrow_table()
    digest = hashlib.sha256(str(found.schema.names).encode())
    digest.update(found.to_pandas().to_csv(index=False, float_format=repr).encode())
    return len(found), digest.hexdigest()
