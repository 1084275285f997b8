"""Campaigns: who is assigned to which arm, and what that truly changes.

Add here an audience rule or a way in which marketing moves purchases.
The campaigns themselves are listed in ``settings``; messages sent live in ``traffic``.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from models_py.simulate.retailer import text
from models_py.simulate.retailer.clock import SECONDS_PER_DAY, Clock
from models_py.simulate.retailer.records import CRM, WEBSHOP, RecordBook
from models_py.simulate.retailer.settings import (
    ACTIONS,
    DELIVERED_SHARE,
    GLOBAL_HOLDOUT_SHARE,
    REDEEMED_SHARE,
    SEGMENTS,
    Action,
)

ARMS = ("treated", "control", "global_holdout")
TREATED, CONTROL, HOLDOUT = range(3)
RECENT_DAYS = 120


@dataclass(frozen=True)
class ActionResults:
    """Purchases with marketing, assignments and true effects.

    Attributes
    ----------
    events : DataFrame, one row per purchase
        person, day, action (number of the action that caused it, -1 for none), credited (number
        of the action whose code was redeemed on it, -1 for none). Redeemers also use their code on
        orders they would have placed anyway, so credit is no measure of effect.
    exposures : DataFrame, one row per assignment
        action, person, record, arm, assigned_day, is_delivered, is_redeemed,
        effect (expected incremental orders if assigned to treatment).
    effects : DataFrame, one row per action x segment (truth)
        action_id, segment, persons_count, incremental_orders, incremental_revenue_amount:
        expected per assigned person in the measurement window, EUR before refunds and
        cancellations.
    """

    events: pd.DataFrame
    exposures: pd.DataFrame
    effects: pd.DataFrame


def start_day(action: Action, clock: Clock) -> int:
    """First day of an action, counted from the start of data."""
    return clock.days - 7 * action.weeks_before_end


def run_actions(
    people: pd.DataFrame,
    organic: pd.DataFrame,
    left_day: np.ndarray,
    book: RecordBook,
    clock: Clock,
    rng: np.random.Generator,
) -> ActionResults:
    """Assign arms by chance (or to the best, where not randomised), then move purchases.

    Eligibility looks at purchases that would have happened without marketing, so it cannot
    depend on an arm. A positive effect adds Poisson orders at uniform times of the window, a
    negative one thins the orders in it.
    """
    owner, day = organic["person"].to_numpy(), organic["day"].to_numpy()
    is_kept = np.ones(len(organic), dtype=bool)
    credited = np.full(len(organic), -1)
    mean_spend = (people["spend_shape"] / people["spend_rate"]).to_numpy()
    extras, exposures, effects = [], [], []
    for number, action in enumerate(ACTIONS):
        start = start_day(action, clock)
        # Messages go out the evening before; the window is the days that follow, whole.
        person = _eligible(action, people, owner, day, book, start, clock)
        segment = people["segment"].to_numpy()[person]
        in_window = (day >= start) & (day < start + action.measurement_days)
        baseline = np.bincount(owner[in_window], minlength=len(people))[person]
        strength = np.asarray(action.effects)[segment]
        is_here = left_day[person] > start
        effect = DELIVERED_SHARE * np.where(
            strength > 0, strength * np.where(is_here, 1.0, 0.25), strength * baseline
        )
        draw = rng.random((4, len(person)))
        if not action.is_randomised:
            # The better the customer, the likelier the contact: a confounded comparison.
            is_recent = (day >= start - RECENT_DAYS) & (day < start - 1)
            recent = np.bincount(owner[is_recent], minlength=len(people))[person]
            value = pd.Series(mean_spend[person] * (1 + recent)).rank(pct=True)
            draw[0] = 0.75 * (1 - value) + 0.25 * draw[0]
        arm = np.where(draw[0] < action.treated_share, TREATED, CONTROL)
        arm = np.where(people["is_holdout"].to_numpy()[person], HOLDOUT, arm)
        is_delivered = (arm == TREATED) & (draw[1] < DELIVERED_SHARE)
        mean = np.where(is_delivered & (strength > 0), effect / DELIVERED_SHARE, 0.0)
        added = rng.poisson(mean)
        extra_owner = np.repeat(person, added)
        extra_day = start + action.measurement_days * rng.random(len(extra_owner))
        loss = np.zeros(len(people))
        loss[person] = np.where(is_delivered, np.maximum(-strength, 0), 0)
        is_kept &= ~(in_window & (rng.random(len(day)) < loss[owner]))
        buys = (added > 0) | (is_delivered & (baseline > 0) & (draw[2] < 0.3))
        is_redeemed = is_delivered & buys & (draw[3] < REDEEMED_SHARE)
        redeems = np.zeros(len(people), dtype=bool)
        redeems[person] = is_redeemed
        credited[in_window & redeems[owner]] = number
        extras.append(
            pd.DataFrame(
                {
                    "person": extra_owner,
                    "day": extra_day,
                    "action": number,
                    "credited": np.where(redeems[extra_owner], number, -1),
                }
            )
        )
        exposures.append(
            pd.DataFrame(
                {
                    "action": number,
                    "person": person,
                    "record": book.primary[person],
                    "arm": arm,
                    "assigned_day": start - 1,
                    "is_delivered": is_delivered,
                    "is_redeemed": is_redeemed,
                    "effect": effect,
                }
            )
        )
        truth = pd.DataFrame(
            {"segment": segment, "orders": effect, "revenue": effect * mean_spend[person]}
        )
        grouped = truth.groupby("segment").agg(
            persons_count=("orders", "size"),
            incremental_orders=("orders", "mean"),
            incremental_revenue_amount=("revenue", "mean"),
        )
        effects.append(grouped.reset_index().assign(action_id=action_id(action, clock)))
    kept = organic.assign(action=-1, credited=credited)[is_kept]
    truth = pd.concat(effects, ignore_index=True)
    truth["segment"] = [SEGMENTS[s].name for s in truth["segment"]]
    return ActionResults(
        pd.concat([kept, *extras], ignore_index=True),
        pd.concat(exposures, ignore_index=True),
        truth,
    )


def _eligible(
    action: Action,
    people: pd.DataFrame,
    owner: np.ndarray,
    day: np.ndarray,
    book: RecordBook,
    start: int,
    clock: Clock,
) -> np.ndarray:
    """Persons in the audience, known to the CRM or the web shop before the action."""
    system = book.records["system"].to_numpy()
    created = (book.records["created"].to_numpy() // SECONDS_PER_DAY) - clock.start_day
    record = book.primary
    is_known = (record >= 0) & np.isin(system[record], (CRM, WEBSHOP)) & (created[record] < start)
    before = day < start - 1
    last = np.full(len(people), -np.inf)
    np.maximum.at(last, owner[before], day[before])
    is_known &= np.isfinite(last)
    if action.audience == "active":
        is_known &= last > start - 150
    elif action.audience == "lapsed":
        is_known &= last <= start - 120
    elif action.audience == "recent_spenders":
        is_known &= last > start - 120
    return np.flatnonzero(is_known)


def action_id(action: Action, clock: Clock) -> str:
    """Code and first month, as marketers number campaigns."""
    first = date(1970, 1, 1) + timedelta(days=clock.start_day + start_day(action, clock))
    return f"{action.code}-{first:%Y%m}"


def actions_table(clock: Clock) -> pd.DataFrame:
    """The list of campaigns as the marketing department keeps it."""
    start = np.array([clock.start_day + start_day(a, clock) for a in ACTIONS])
    length = np.array([a.measurement_days for a in ACTIONS])
    return text.source_frame(
        "actions",
        {
            "action_id": text.pick([action_id(a, clock) for a in ACTIONS], np.arange(len(ACTIONS))),
            "action_name": text.pick([a.name for a in ACTIONS], np.arange(len(ACTIONS))),
            "channel": text.pick([a.channel for a in ACTIONS], np.arange(len(ACTIONS))),
            "offer_type": text.pick([a.offer_type for a in ACTIONS], np.arange(len(ACTIONS))),
            "contact_cost_amount": text.money(
                np.array([round(100 * a.contact_cost) for a in ACTIONS])
            ),
            "redemption_cost_amount": text.money(
                np.array([round(100 * a.redemption_cost) for a in ACTIONS])
            ),
            "starts_on": text.days(start),
            "ends_on": text.days(start + length - 1),
            "measurement_days": text.whole(length),
            "is_randomised": text.flags(np.array([a.is_randomised for a in ACTIONS])),
        },
    )


def exposures_table(
    exposures: pd.DataFrame, clock: Clock, system: text.Text, key: text.Text
) -> pd.DataFrame:
    """Assignments as the campaign tool logs them; a targeted action logs no probability."""
    action = exposures["action"].to_numpy()
    arm = exposures["arm"].to_numpy()
    share = np.array([a.treated_share for a in ACTIONS])[action] * (1 - GLOBAL_HOLDOUT_SHARE)
    probability = np.choose(
        arm, [share, 1 - GLOBAL_HOLDOUT_SHARE - share, np.full(len(arm), GLOBAL_HOLDOUT_SHARE)]
    )
    is_randomised = np.array([a.is_randomised for a in ACTIONS])[action]
    record = exposures["record"].to_numpy()
    assigned = clock.utc_seconds(
        exposures["assigned_day"].to_numpy(), np.full(len(action), 20 * 3600)
    )
    return text.source_frame(
        "action_exposures",
        {
            "action_id": text.pick([action_id(a, clock) for a in ACTIONS], action),
            "source_system": text.take(system, record),
            "source_record_id": text.take(key, record),
            "assigned_at": text.moments(assigned),
            "arm": text.pick(ARMS, arm),
            "assignment_probability": text.blank(text.fraction(probability, 4), ~is_randomised),
            "is_delivered": text.flags(exposures["is_delivered"].to_numpy()),
            "is_redeemed": text.flags(exposures["is_redeemed"].to_numpy()),
        },
    )
