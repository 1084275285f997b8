"""What the systems write about a person: names, contacts and addresses, often wrongly.

Add here a field or a kind of error of customer records and their identifiers.
Broken rows that belong in quarantine stay out and are planted in ``defects``.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from models_py.simulate.retailer import text
from models_py.simulate.retailer.clock import SECONDS_PER_DAY, Clock
from models_py.simulate.retailer.records import CRM, KEY_PREFIXES, LOYALTY, SYSTEMS, WEBSHOP
from models_py.simulate.retailer.settings import ACQUISITION_CHANNELS
from models_py.simulate.retailer.vocabulary import (
    FIRST_MALE_NAME,
    FIRST_NAMES,
    MAIL_DOMAINS,
    PLACES,
    STREETS,
    SURNAMES,
    without_accents,
)

INCOME_BANDS = ("under 15k", "15k-25k", "25k-40k", "40k-60k", "over 60k")


@dataclass(frozen=True)
class Contacts:
    """E-mail addresses per person (before and after a change) and source keys per record."""

    mail: text.Text
    new_mail: text.Text
    key: text.Text
    system: text.Text


def draw_contacts(
    people: pd.DataFrame, records: pd.DataFrame, rng: np.random.Generator
) -> Contacts:
    """Unique addresses made of a name and a random number; some use the household head's."""
    count = len(people)
    first = text.pick(without_accents(FIRST_NAMES), people["first_name"].to_numpy())
    last = text.pick(without_accents(SURNAMES), people["surname_1"].to_numpy())
    number = rng.permutation(2 * count)
    domain = rng.integers(0, len(MAIL_DOMAINS), (2, count))
    mail = pc.utf8_lower(
        text.join(
            first, ".", last, text.whole(number[:count]), "@", text.pick(MAIL_DOMAINS, domain[0])
        )
    )
    new_mail = pc.utf8_lower(
        text.join(last, text.whole(number[count:]), "@", text.pick(MAIL_DOMAINS, domain[1]))
    )
    uses_head = people["has_email_of_head"].to_numpy()
    mail = text.take(mail, np.where(uses_head, people["head"], people["person"]))
    test_mail = text.join("test+", text.whole(number[:count]), "@clientela.example")
    mail = text.where(people["is_test"].to_numpy(), test_mail, mail)
    system = records["system"].to_numpy()
    key = text.join(text.pick(KEY_PREFIXES, system), text.whole(records["number"].to_numpy(), 7))
    return Contacts(mail, new_mail, key, text.pick(SYSTEMS, system))


def vary_case(mail: text.Text, rng: np.random.Generator) -> text.Text:
    """One address in twelve in capitals, one in twelve as a title, as people type them."""
    draw = rng.random(len(mail))
    mail = text.where(draw < 1 / 12, pc.utf8_upper(mail), mail)
    return text.where(draw > 11 / 12, pc.utf8_title(mail), mail)


def customer_records(
    people: pd.DataFrame,
    records: pd.DataFrame,
    contacts: Contacts,
    clock: Clock,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Render the records, in the order of `records`."""
    count = len(records)
    person = records["person"].to_numpy()
    system = records["system"].to_numpy()
    is_second = records["is_second"].to_numpy()
    of = people.iloc[person].reset_index(drop=True)
    is_test = of["is_test"].to_numpy()

    def chance(probability: float) -> np.ndarray:
        return rng.random(count) < probability

    has_ascii = chance(0.35)
    names = {}
    for field, vocabulary in (
        ("first_name", FIRST_NAMES), ("surname_1", SURNAMES), ("surname_2", SURNAMES)
    ):  # fmt: skip
        index = of[field].to_numpy()
        word = text.where(
            has_ascii,
            text.pick(without_accents(vocabulary), index),
            text.pick(vocabulary, index),
        )
        names[field] = text.misspell(word, chance(0.035), rng)
    last = text.where(
        chance(0.5), text.join(names["surname_1"], " ", names["surname_2"]), names["surname_1"]
    )
    last = text.where(chance(0.06), pc.utf8_upper(last), last)
    first = text.where(is_test, "Test", names["first_name"])
    last = text.where(is_test, "Account", last)
    is_whole_name = (system == CRM) & chance(0.25)

    mail = text.where(is_second, text.take(contacts.new_mail, person),
                      text.take(contacts.mail, person))  # fmt: skip
    crm_changed = (system == CRM) & chance(0.06)
    mail = text.where(crm_changed, text.take(contacts.new_mail, person), mail)
    mail = text.misspell(vary_case(mail, rng), chance(0.008), rng)
    mail_missing = ((system == CRM) & chance(0.10)) | ((system == LOYALTY) & chance(0.5))

    phone = text.whole(6 * 10**8 + of["phone"].to_numpy(), 9)
    country = text.pick([p.country_code for p in PLACES], of["place"].to_numpy())
    prefix = text.pick(
        [{"ES": "+34 ", "PT": "+351 ", "GB": "+44 "}[p.country_code] for p in PLACES],
        of["place"].to_numpy(),
    )
    phone = text.where(chance(0.4), text.join(prefix, phone), phone)
    street = text.join(
        text.pick(STREETS, of["street"].to_numpy()), ", ", text.whole(of["house_number"].to_numpy())
    )
    street = text.misspell(street, chance(0.05), rng)
    has_address = ~chance(0.16)
    city = text.pick([p.city for p in PLACES], of["place"].to_numpy())
    shares_card = (system == LOYALTY) | (chance(0.3) & _has_card(records))
    card = np.where((system == LOYALTY) & is_second, records["card"] + 5 * 10**8, records["card"])
    is_male = (of["first_name"].to_numpy() >= FIRST_MALE_NAME) ^ chance(0.02)
    birth_error = chance(0.01) * rng.integers(-400, 400, count)
    channel = of["channel"].to_numpy()
    cost = np.array([round(100 * c.cost_amount) for c in ACQUISITION_CHANNELS])[channel]
    is_first_record = ~records.duplicated("person").to_numpy()
    created = records["created"].to_numpy()
    updated = np.minimum(created + rng.integers(0, 300 * SECONDS_PER_DAY, count), clock.end_seconds)
    return text.source_frame(
        "customer_records",
        {
            "source_system": contacts.system,
            "source_record_id": contacts.key,
            "email": text.blank(mail, mail_missing),
            "phone": text.blank(phone, chance(0.32)),
            "loyalty_id": text.blank(text.whole(card), ~shares_card),
            "first_name": text.blank(first, is_whole_name),
            "last_name": text.blank(last, is_whole_name),
            "full_name": text.blank(text.join(first, " ", last), ~is_whole_name),
            "birth_date": text.blank(
                text.days(of["birth_day"].to_numpy() + birth_error), chance(0.4)
            ),
            "gender": text.blank(text.pick(["f", "m"], is_male.astype(int)), chance(0.18)),
            "street": text.blank(street, ~has_address),
            "city": text.blank(text.misspell(city, chance(0.02), rng), ~has_address),
            "postal_code": text.blank(
                text.pick([p.postal_code for p in PLACES], of["place"].to_numpy()), chance(0.08)
            ),
            "country_code": country,
            "income_band": text.blank(
                text.pick(INCOME_BANDS, of["income_band"].to_numpy()), (system != CRM) | chance(0.3)
            ),
            "household_size": text.blank(
                text.whole(of["household_size"].to_numpy()), (system != CRM) | chance(0.2)
            ),
            "acquisition_channel": text.blank(
                text.pick([c.name for c in ACQUISITION_CHANNELS], channel), chance(0.05)
            ),
            "acquisition_cost_amount": text.blank(text.money(cost), ~is_first_record),
            "is_test": text.flags(is_test),
            "created_at": text.moments(created),
            "updated_at": text.moments(updated),
        },
    )


def _has_card(records: pd.DataFrame) -> np.ndarray:
    """Records of persons who also have a loyalty record; these may name its card."""
    holders = records.loc[records["system"] == LOYALTY, "person"].unique()
    return records["person"].isin(holders).to_numpy()


def identifiers(
    records: pd.DataFrame, contacts: Contacts, clock: Clock, rng: np.random.Generator
) -> pd.DataFrame:
    """Earlier and later e-mails of web shop records: some persons change theirs."""
    is_web = (records["system"] == WEBSHOP).to_numpy()
    row = np.flatnonzero(is_web & (rng.random(len(records)) < 0.12))
    person = records["person"].to_numpy()[row]
    created = records["created"].to_numpy()[row]
    changed = created + ((clock.end_seconds - created) * rng.random(len(row))).astype("int64")
    both = np.concatenate([row, row])
    last_seen = np.concatenate([changed, np.full(len(row), clock.end_seconds)])
    return text.source_frame(
        "identifiers",
        {
            "source_system": text.take(contacts.system, both),
            "source_record_id": text.take(contacts.key, both),
            "identifier_type": text.constant("email", len(both)),
            "identifier_value": pa.concat_arrays(
                [
                    text.take(contacts.mail, person),
                    text.take(contacts.new_mail, person),
                ]
            ),
            "first_seen_at": text.moments(np.concatenate([created, changed])),
            "last_seen_at": text.moments(last_seen),
        },
    )
