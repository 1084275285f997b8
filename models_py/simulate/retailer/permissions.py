"""Consents with their history, and requests to be forgotten.

Add here what a person allows or demands.
What is done with it stays out: the simulator sends data also where consent is missing.
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from models_py.simulate.retailer import text
from models_py.simulate.retailer.clock import Clock
from models_py.simulate.retailer.record_fields import Contacts
from models_py.simulate.retailer.records import RecordBook

PURPOSES = ("email", "sms", "geo", "profiling")
_GRANTED_SHARES = (0.72, 0.38, 0.22, 0.61)


def draw_consents(book: RecordBook, clock: Clock, rng: np.random.Generator) -> pd.DataFrame:
    """Consents per primary record and purpose at its creation; one in twelve changes later.

    Returns
    -------
    DataFrame, one row per change
        record, purpose (number of `PURPOSES`), seconds, is_granted; in order of time.
    """
    record = np.repeat(book.primary[book.primary >= 0], len(PURPOSES))
    purpose = np.tile(np.arange(len(PURPOSES)), len(record) // len(PURPOSES))
    created = book.records["created"].to_numpy()[record]
    is_granted = rng.random(len(record)) < np.asarray(_GRANTED_SHARES)[purpose]
    changes = np.flatnonzero(rng.random(len(record)) < 1 / 12)
    span = clock.end_seconds - created[changes]
    later = created[changes] + 60 + (span * rng.random(len(changes))).astype("int64")
    consents = pd.DataFrame(
        {
            "record": np.concatenate([record, record[changes]]),
            "purpose": np.concatenate([purpose, purpose[changes]]),
            "seconds": np.concatenate([created, np.minimum(later, clock.end_seconds)]),
            "is_granted": np.concatenate([is_granted, ~is_granted[changes]]),
        }
    )
    return consents.sort_values(["seconds", "record", "purpose"], kind="stable", ignore_index=True)


def consents_table(consents: pd.DataFrame, contacts: Contacts) -> pd.DataFrame:
    """Render the history of consents."""
    record = consents["record"].to_numpy()
    return text.source_frame(
        "consents",
        {
            "source_system": text.take(contacts.system, record),
            "source_record_id": text.take(contacts.key, record),
            "purpose": text.pick(PURPOSES, consents["purpose"].to_numpy()),
            "changed_at": text.moments(consents["seconds"].to_numpy()),
            "is_granted": text.flags(consents["is_granted"].to_numpy()),
        },
    )


def erasure_requests_table(
    people: pd.DataFrame, book: RecordBook, contacts: Contacts, clock: Clock,
    rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """Three persons ask to be forgotten in the last month: two by e-mail, one by record."""
    candidates = np.flatnonzero((book.webshop >= 0) & ~people["is_test"].to_numpy())
    person = rng.choice(candidates, min(3, len(candidates)), replace=False)
    count = len(person)
    by_record = np.arange(count) == 2
    seconds = np.sort(clock.end_seconds - rng.integers(0, 30 * 86_400, count))
    values = text.where(
        by_record,
        text.take(contacts.key, book.webshop[person]),
        text.take(contacts.mail, person),
    )
    return text.source_frame(
        "erasure_requests",
        {
            "request_id": pa.array([f"E-{n + 1:04d}" for n in range(count)]),
            "identifier_type": text.where(
                by_record, "source_record_id", text.constant("email", count)
            ),
            "identifier_value": values,
            "requested_at": text.moments(seconds),
        },
    )
