"""What a value of `config.yml` may be: a time zone, a share, a list of names; with a helpful word.

Add here a kind of value that several keys share.
The keys themselves are in `settings.py`.
"""

import difflib
import functools
import re
import zoneinfo
from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from dagster_project.feature_catalogue import STATIC_ATTRIBUTES, features, layer_columns
from dagster_project.source_contract import RAW_TABLES, SHAPES


@functools.cache
def _time_zones() -> frozenset[str]:
    # Python reads thousands of files for the answer, and a run checks config.yml 80 times.
    return frozenset(zoneinfo.available_timezones())


def _known_time_zone(value: str) -> str:
    zones = _time_zones()
    if value not in zones:
        near = difflib.get_close_matches(value, zones, 1, 0.5)
        hint = f"the nearest is {near[0]}" if near else "for example Europe/Madrid or UTC"
        raise ValueError(f"is no IANA time zone; {hint}")
    return value


def _currency_code(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", value):
        guess = re.sub(r"[^A-Za-z]", "", value).upper()
        hint = f"the nearest is {guess}" if len(guess) == 3 else "for example EUR"
        raise ValueError(f"is no ISO 4217 currency code of three capital letters; {hint}")
    return value


def _cron(value: str) -> str:
    if not re.fullmatch(r"[\d*/,\-]+( [\d*/,\-A-Za-z]+){4}", value):
        raise ValueError("is no cron line of five fields; for example 0 5 * * *")
    return value


def distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"holds {', '.join(repeated)} more than once")
    return values


def _layer_columns(names: tuple[str, ...]) -> tuple[str, ...]:
    valid = layer_columns()
    for name in names:
        if name not in valid:
            what = (
                "is a name or date, no trait"
                if name in features()
                else "is no column of the features"
            )
            near = difflib.get_close_matches(name, valid, 1, 0.5)
            hint = f"; the nearest is {near[0]}" if near else ""
            raise ValueError(f"names the column {name}, which {what}{hint}")
    return names


def _static_attributes(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in STATIC_ATTRIBUTES:
            near = difflib.get_close_matches(name, STATIC_ATTRIBUTES, 1, 0.6)
            valid = f"the nearest is {near[0]}" if near else f"use {', '.join(STATIC_ATTRIBUTES)}"
            what = (
                "is no column of the features"
                if name not in features()
                else "follows from what customers did, which the purchase model explains already"
            )
            raise ValueError(f"names {name}, which {what}; {valid}")
    return names


def _default_alone(value: object) -> object:
    """One number for every table, or numbers by table of the source contract."""
    return value if isinstance(value, dict) else {"default": value}


def _shapes_or_default(values: dict[str, float]) -> dict[str, float]:
    return _known_or_default(values, SHAPES)


def _raw_tables_or_default(values: dict[str, float]) -> dict[str, float]:
    """Also tables of known systems, whose unreadable lines are judged before their mapping."""
    return _known_or_default(values, RAW_TABLES)


def _known_or_default(values: dict[str, float], known: Collection[str]) -> dict[str, float]:
    if "default" not in values:
        raise ValueError("names tables only; add the key default, which holds for the others")
    for name in values:
        if name != "default" and name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            hint = f"the nearest is {near[0]}" if near else f"known are {', '.join(SHAPES)}"
            raise ValueError(f"names the table {name}, which the source contract lacks; {hint}")
    return values


def _domain(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", value):
        guess = value.lower().rpartition("@")[2]
        raise ValueError(f"is no e-mail domain in lower case; for example {guess or 'example.com'}")
    return value


def _record(value: str) -> str:
    if not re.fullmatch(r"[^:']+:[^']+", value):
        raise ValueError("is no source system and record joined by a colon; for example crm:1001")
    return value


def _off(value: object) -> object:
    # YAML reads the bare word off as false.
    return "off" if value is False else value


TimeZone = Annotated[str, AfterValidator(_known_time_zone)]
Currency = Annotated[str, AfterValidator(_currency_code)]
Cron = Annotated[str, AfterValidator(_cron)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
LayerColumns = Annotated[tuple[Name, ...], AfterValidator(distinct), AfterValidator(_layer_columns)]
Stage = Literal[
    "prospect", "new", "reactivated", "churned", "one_time", "at_risk", "star", "active"
]
Statuses = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1), AfterValidator(distinct)
]
StaticAttributes = Annotated[
    tuple[Name, ...], AfterValidator(distinct), AfterValidator(_static_attributes)
]
Positive = Annotated[int, Field(gt=0, strict=True)]
Seasonality = Annotated[Literal["auto", "off"], BeforeValidator(_off)]
Count = Annotated[int, Field(ge=0, strict=True)]
Probability = Annotated[float, Field(gt=0, lt=1)]


Share = Annotated[float, Field(ge=0, le=1)]
ShapeShares = Annotated[
    dict[str, Share], BeforeValidator(_default_alone), AfterValidator(_raw_tables_or_default)
]
ShapeDays = Annotated[
    dict[str, Positive], BeforeValidator(_default_alone), AfterValidator(_shapes_or_default)
]
Domain = Annotated[str, AfterValidator(_domain)]
Record = Annotated[str, AfterValidator(_record)]


class Settings(BaseModel):
    """Base of every block: cannot be changed after loading, and refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
