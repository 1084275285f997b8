"""Digital and physical traces: web sessions on devices, messages and visits.

Add here an event that leaves a trace without being an order.
Orders that end a session live in ``orders``; consent to visits lives in ``permissions``.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.simulate.retailer import text
from models_py.simulate.retailer.actions import action_id, start_day
from models_py.simulate.retailer.clock import SECONDS_PER_DAY, Clock
from models_py.simulate.retailer.record_fields import Contacts
from models_py.simulate.retailer.records import RecordBook
from models_py.simulate.retailer.reference import Catalogue
from models_py.simulate.retailer.settings import ACTIONS
from models_py.simulate.retailer.vocabulary import PLACES

_EVENT_TYPES = ("login", "product_view", "add_to_cart")
_MESSAGE_TYPES = ("sent", "delivered", "opened", "clicked", "bounced")


@dataclass(frozen=True)
class Devices:
    """Devices of persons.

    Attributes
    ----------
    identifier : array of text (device,)
        The last tenth belong to visitors who never say who they are.
    owner : ndarray (device,)
        Person, -1 where unknown.
    main, other : ndarray (person,)
        Devices that the person uses; `main` may be the household head's.
    is_shared : ndarray of bool (device,)
        More than one person logs in on it.
    """

    identifier: text.Text
    owner: np.ndarray
    main: np.ndarray
    other: np.ndarray
    is_shared: np.ndarray


def draw_devices(people: pd.DataFrame, rng: np.random.Generator) -> Devices:
    """One device per person, a second for two in five; some relatives share the head's."""
    count = len(people)
    head = people["head"].to_numpy()
    shares = (head != np.arange(count)) & (rng.random(count) < 0.08)
    main = np.where(shares, head, np.arange(count))
    other = np.where(rng.random(count) < 0.4, count + np.arange(count), main)
    anonymous = max(count // 5, 5)
    owner = np.concatenate([np.arange(count), np.arange(count), np.full(anonymous, -1)])
    is_shared = np.zeros(len(owner), dtype=bool)
    is_shared[head[shares]] = True
    return Devices(text.hex_ids(len(owner), rng), owner, main, other, is_shared)


def device_of(person: np.ndarray, devices: Devices, rng: np.random.Generator) -> np.ndarray:
    """The device used: mostly the main one."""
    is_main = rng.random(len(person)) < 0.75
    return np.where(is_main, devices.main[person], devices.other[person])


def draw_web_events(
    people: pd.DataFrame,
    orders: pd.DataFrame,
    order_device: np.ndarray,
    book: RecordBook,
    devices: Devices,
    left_day: np.ndarray,
    clock: Clock,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Sessions before web orders and sessions that only browse; logins in some of them.

    Returns
    -------
    DataFrame, one row per event
        device, record (logged in, else -1), seconds, type (number of event types); by time.
    """
    web = np.flatnonzero(orders["is_web"])
    person = np.repeat(np.arange(len(people)), rng.poisson(1.3, len(people)))
    begin = np.maximum(people["first_day"].to_numpy()[person] - 25, 0)
    end = np.minimum(np.minimum(left_day[person] + 40, clock.days), clock.days)
    day = begin + (end - begin) * rng.random(len(person))
    browse_seconds = clock.utc_seconds(np.floor(day), rng.integers(8 * 3600, 86_000, len(person)))
    unknown = np.flatnonzero(devices.owner < 0)
    anonymous = np.repeat(unknown, 1 + rng.poisson(1, len(unknown)))
    anonymous_seconds = clock.utc_seconds(
        rng.integers(0, clock.days, len(anonymous)), rng.integers(0, 86_000, len(anonymous))
    )

    account = np.concatenate([orders["record"].to_numpy()[web], book.webshop[person]])
    seconds = np.concatenate([orders["seconds"].to_numpy()[web] - 900, browse_seconds])
    created = book.records["created"].to_numpy()
    is_known = (account >= 0) & (created[account] <= seconds)
    chance = np.concatenate([np.full(len(web), 0.6), np.full(len(person), 0.2)])
    has_login = is_known & (rng.random(len(account)) < chance)
    login = np.concatenate([np.where(has_login, account, -1), np.full(len(anonymous), -1)])
    device = np.concatenate([order_device[web], device_of(person, devices, rng), anonymous])
    seconds = np.concatenate([seconds, anonymous_seconds])
    buys = np.arange(len(seconds)) < len(web)

    views = 1 + rng.poisson(0.5, len(seconds))
    counts = np.stack([login >= 0, views, buys], axis=1).astype(int)
    session = np.repeat(np.arange(len(seconds)), counts.sum(axis=1))
    kind = np.repeat(np.tile(np.arange(3), len(seconds)), counts.ravel())
    step = np.arange(len(session)) - np.repeat(
        counts.sum(axis=1).cumsum() - counts.sum(axis=1), counts.sum(axis=1)
    )
    events = pd.DataFrame(
        {
            "device": device[session],
            "record": np.where(kind == 0, login[session], -1),
            "seconds": seconds[session] + 45 * step + rng.integers(0, 40, len(session)),
            "type": kind,
        }
    )
    events = events[events["seconds"] >= clock.start_day * SECONDS_PER_DAY]
    return events.sort_values(["seconds", "device", "type"], kind="stable", ignore_index=True)


def web_events_table(
    events: pd.DataFrame,
    records: pd.DataFrame,
    devices: Devices,
    contacts: Contacts,
    catalogue: Catalogue,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Render web events; one login in seven is logged by e-mail instead of by record."""
    count = len(events)
    record = events["record"].to_numpy()
    person = np.where(record >= 0, records["person"].to_numpy()[record], -1)
    is_second = records["is_second"].to_numpy()[record]
    mail = text.where(
        is_second, text.take(contacts.new_mail, person), text.take(contacts.mail, person)
    )
    by_mail = rng.random(count) < 1 / 7
    product = rng.integers(0, len(catalogue.product_id), count)
    return text.source_frame(
        "web_events",
        {
            "event_id": text.hex_ids(count, rng),
            "source_system": text.constant("webshop", count),
            "device_id": text.take(devices.identifier, events["device"].to_numpy()),
            "source_record_id": text.take(contacts.key, np.where(by_mail, -1, record)),
            "email": text.blank(mail, ~by_mail),
            "occurred_at": text.moments(events["seconds"].to_numpy()),
            "event_type": text.pick(_EVENT_TYPES, events["type"].to_numpy()),
            "product_id": text.take(
                catalogue.product_id, np.where(events["type"].to_numpy() == 0, -1, product)
            ),
        },
    )


def message_events_table(
    exposures: pd.DataFrame, contacts: Contacts, clock: Clock, rng: np.random.Generator
) -> pd.DataFrame:
    """What became of each e-mail and text message to the treated."""
    channel = np.array([a.channel for a in ACTIONS])[exposures["action"]]
    sent = exposures[(exposures["arm"] == 0) & np.isin(channel, ("email", "sms"))]
    is_email = (channel == "email")[sent.index]
    action = sent["action"].to_numpy()
    delivered = sent["is_delivered"].to_numpy()
    opened = delivered & is_email & (rng.random(len(sent)) < 0.32)
    clicked = opened & (rng.random(len(sent)) < 0.2)
    happened = np.stack([np.ones(len(sent), bool), delivered, opened, clicked, ~delivered], axis=1)
    message, kind = np.nonzero(happened)
    day = np.array([start_day(a, clock) for a in ACTIONS])[action] - 1
    seconds = clock.utc_seconds(day, np.full(len(sent), 20 * 3600 + 900))[message]
    lag = np.array([0, 30, 9_000, 9_200, 120])[kind] + np.where(
        kind >= 2, rng.integers(0, 40_000, len(message)), 0
    )
    lag = np.where(kind == 3, lag + 40_000, lag)
    number = rng.permutation(len(sent))
    frame = pd.DataFrame({"message": message, "kind": kind, "seconds": seconds + lag})
    frame = frame.sort_values(["seconds", "message", "kind"], kind="stable", ignore_index=True)
    message, kind = frame["message"].to_numpy(), frame["kind"].to_numpy()
    record = sent["record"].to_numpy()[message]
    mail = text.take(contacts.mail, sent["person"].to_numpy()[message])
    has_record = (~is_email | (rng.random(len(sent)) < 0.5))[message]
    return text.source_frame(
        "message_events",
        {
            "message_id": text.join("M-", text.whole(number[message], 8)),
            "event_type": text.pick(_MESSAGE_TYPES, kind),
            "source_system": text.blank(text.take(contacts.system, record), ~has_record),
            "source_record_id": text.blank(text.take(contacts.key, record), ~has_record),
            "email": text.blank(mail, ~is_email[message]),
            "action_id": text.pick([action_id(a, clock) for a in ACTIONS], action[message]),
            "occurred_at": text.moments(frame["seconds"].to_numpy()),
        },
    )


def visits_table(
    people: pd.DataFrame,
    book: RecordBook,
    devices: Devices,
    contacts: Contacts,
    consents: pd.DataFrame,
    clock: Clock,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Visits near home of those who ever allowed location, and of one in fifty who did not."""
    geo = consents[(consents["purpose"] == 2) & consents["is_granted"]]
    allowed = np.zeros(len(people), dtype=bool)
    allowed[book.records["person"].to_numpy()[geo["record"]]] = True
    visits = rng.poisson(np.where(allowed, 3.0, 0.02 * 3.0)) * (book.primary >= 0)
    person = np.repeat(np.arange(len(people)), visits)
    begin = people["first_day"].to_numpy()[person]
    day = np.floor(begin + (clock.days - begin) * rng.random(len(person)))
    seconds = clock.utc_seconds(day, rng.integers(9 * 3600, 21 * 3600, len(person)))
    order = np.lexsort((person, seconds))
    person, seconds = person[order], seconds[order]
    count = len(person)
    place = people["place"].to_numpy()[person]
    record = book.primary[person]
    has_record = rng.random(count) < 0.6
    offset = rng.normal(0, 0.02, (2, count))

    def degrees(values: list[float], shift: np.ndarray) -> text.Text:
        return text.fraction(np.asarray(values)[place] + shift, 4)

    return text.source_frame(
        "visits",
        {
            "visit_id": text.hex_ids(count, rng),
            "source_system": text.blank(text.take(contacts.system, record), ~has_record),
            "device_id": text.blank(
                text.take(devices.identifier, devices.main[person]), has_record
            ),
            "source_record_id": text.blank(text.take(contacts.key, record), ~has_record),
            "visited_at": text.moments(seconds),
            "latitude": degrees([p.latitude for p in PLACES], offset[0]),
            "longitude": degrees([p.longitude for p in PLACES], offset[1]),
            "place_id": text.blank(
                text.join("S-", text.pick([p.postal_code.split("-")[0] for p in PLACES], place)),
                rng.random(count) < 0.5,
            ),
        },
    )
