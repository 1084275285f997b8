"""The typed keys of `config.yml`: one frozen class for each block, with what each value may be.

Add a key here, with its limits, when the business gets something new to decide.
Finding the file, its errors and the paths it leads to stay out; they live in `config.py`.
"""

from itertools import pairwise
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    Field,
    field_validator,
    model_validator,
)

from dagster_project.settings_values import (
    Count,
    Cron,
    Currency,
    Domain,
    Name,
    Positive,
    Probability,
    Record,
    Seasonality,
    Settings,
    ShapeDays,
    ShapeShares,
    Share,
    StaticAttributes,
    Statuses,
    TimeZone,
    distinct,
)


class DatasetSettings(Settings):
    """One data set: where its rows come from, its business day and its currency."""

    kind: Literal["complete_journey", "simulated", "folder", "schema"]
    path: str | None = None
    schemas: tuple[str, ...] = Field(default=(), alias="schema")
    customers: Positive | None = None
    seed: Count | None = None
    business_time_zone: TimeZone = "UTC"
    reporting_currency: Currency = "EUR"

    @field_validator("schemas", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "DatasetSettings":
        needed = {"folder": {"path"}, "schema": {"schema"}, "simulated": {"customers", "seed"}}
        given = {
            "path": self.path is not None,
            "schema": bool(self.schemas),
            "customers": self.customers is not None,
            "seed": self.seed is not None,
        }
        for key, is_given in given.items():
            is_needed = key in needed.get(self.kind, set())
            if is_needed and not is_given:
                raise ValueError(f"of kind {self.kind} needs the key {key}")
            if is_given and not is_needed:
                raise ValueError(f"of kind {self.kind} has no use for the key {key}; remove it")
        return self


class OwnDataSettings(Settings):
    """What holds for a folder that is given by its path alone."""

    business_time_zone: TimeZone = "UTC"
    reporting_currency: Currency = "EUR"


class FolderSettings(Settings):
    """Folders for the working database, the published copy, and everything else a run keeps."""

    warehouse: str = "warehouse"
    published: str = "published"
    storage: str = "storage"
    backups: str = "backups"
    exports: str = "exports"


class OrderSettings(Settings):
    """Which order statuses count as revenue, and whose orders never do."""

    counted_statuses: Statuses = ("completed", "paid", "shipped", "delivered")
    internal_email_domains: Annotated[tuple[Domain, ...], AfterValidator(distinct)] = ()
    internal_records: Annotated[tuple[Record, ...], AfterValidator(distinct)] = ()


class SurvivorshipRule(Settings):
    """Which of several values of a field stands in the golden record."""

    rule: Literal["latest", "earliest", "most_frequent", "longest", "source_priority"] = "latest"
    sources: Annotated[tuple[str, ...], AfterValidator(distinct)] = ()

    @model_validator(mode="after")
    def _systems_are_named_where_they_count(self) -> "SurvivorshipRule":
        if self.rule == "source_priority" and not self.sources:
            raise ValueError("source_priority needs `sources`, the systems in order of trust")
        if self.rule != "source_priority" and self.sources:
            raise ValueError(f"{self.rule} has no use for `sources`; remove them")
        return self


GoldenField = Literal[
    "default", "email", "phone", "first_name", "last_name", "birth_date", "gender", "street",
    "city", "postal_code", "country_code", "loyalty_id", "income_band", "household_size",
    "acquisition_channel",
]  # fmt: skip


class IdentitySettings(Settings):
    """How records become persons, and which values of theirs survive."""

    max_records_per_identifier: Annotated[int, Field(ge=2, strict=True)] = 10
    default_country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    device_lookback_days: Count = 30
    target_precision: Annotated[float, Field(ge=0.5, lt=1)] = 0.99
    refit_after_days: Positive = 90
    max_household_persons: Annotated[int, Field(ge=2, strict=True)] = 8
    survivorship: dict[GoldenField, SurvivorshipRule] = Field({"default": SurvivorshipRule()})

    def survivorship_of(self) -> dict[str, dict[str, object]]:
        """Rule and sources of every field, the default filled in."""
        default = self.survivorship.get("default", SurvivorshipRule())
        fields = [name for name in get_args(GoldenField) if name != "default"]
        chosen = {name: self.survivorship.get(name, default) for name in fields}
        return {name: rule.model_dump(mode="json") for name, rule in chosen.items()}


class DriftSettings(Settings):
    """How far a new landing may be from the last ones before it is warned of."""

    compared_landings: Annotated[int, Field(ge=1, le=50, strict=True)] = 7
    window_days: Positive = 28
    max_psi: Annotated[float, Field(gt=0)] = 0.25
    max_volume_change: Annotated[float, Field(gt=0)] = 0.3
    max_null_share_change: Share = 0.05


class QualitySettings(Settings):
    """Limits of what a source may deliver: the first stops the run, the others warn."""

    max_quarantined_share: ShapeShares = Field({"default": 0.05})
    max_age_days: ShapeDays = Field({"default": 7})
    drift: DriftSettings = DriftSettings()


class ConsentSettings(Settings):
    """What silence about consent means; location is used with a grant only."""

    profiling_needs_grant: Annotated[bool, Field(strict=True)] = False


class FeatureSettings(Settings):
    """Limits that turn events into features."""

    near_home_km: Annotated[float, Field(gt=0, le=1000)] = 5
    session_gap_minutes: Annotated[int, Field(ge=1, le=1440, strict=True)] = 30
    web_before_purchase_days: Annotated[int, Field(ge=0, le=365, strict=True)] = 7
    cheap_price_share: Probability = 0.75


class SliceSettings(Settings):
    """How much history the main job builds."""

    month_ends_back: Count = 6


class SamplingGates(Settings):
    """Limits that a fit must keep before it is promoted."""

    rhat_max: Annotated[float, Field(gt=1, le=1.1)] = 1.01
    ess_min: Positive = 400
    ebfmi_min: Probability = 0.3
    divergences_max: Count = 0
    k_hat_max: Probability = 0.7


class LifetimeValueSettings(Settings):
    """Horizons, discounting and sampling of lifetime value."""

    mode: Literal["purchases", "contracts"] = "purchases"
    contract_period_days: Annotated[float, Field(ge=1, le=3660)] = 30
    horizons_days: Annotated[tuple[Positive, ...], Field(min_length=1)] = (30, 90, 180, 365)
    annual_discount_rate: Annotated[float, Field(ge=0, lt=1)] = 0.10
    prediction_draws: Annotated[int, Field(ge=100, strict=True)] = 500
    inference: Literal["auto", "nuts", "importance"] = "auto"
    # R-hat compares chains, so one chain alone could never fail it.
    chains: Annotated[int, Field(ge=2, strict=True)] = 4
    tune: Positive = 1000
    draws: Positive = 1000
    refit_after_days: Positive = 90
    families: Annotated[
        tuple[Literal["mbg_nbd", "bg_nbd", "pareto_nbd"], ...],
        Field(min_length=1),
        AfterValidator(distinct),
    ] = ("mbg_nbd", "bg_nbd", "pareto_nbd")
    pool_by: Literal["acquisition_channel", "acquisition_quarter"] | None = None
    covariates: StaticAttributes = ()
    seasonality: Seasonality = "auto"
    random_state: Count = 20171231
    gates: SamplingGates = SamplingGates()

    @field_validator("horizons_days")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(earlier >= later for earlier, later in pairwise(value)):
            raise ValueError(f"must ascend without repeats; the nearest is {sorted(set(value))}")
        return value

    @model_validator(mode="after")
    def _pools_or_covariates(self) -> "LifetimeValueSettings":
        if self.pool_by and self.covariates:
            raise ValueError("has both pool_by and covariates; purchases take one, empty the other")
        return self

    def of_purchases(self) -> dict[str, object]:
        """What a fit of purchases is told; a change of anything else asks for no refit."""
        others = {"refit_after_days", "families", "mode", "contract_period_days"}
        return self.model_dump(exclude=others)


class ValueSettings(Settings):
    """Tiers of customers by value, and what winning a customer costs."""

    # Without one, the longest that is predicted.
    tier_horizon_days: Positive | None = None
    tiers: Annotated[dict[Name, Share], Field(min_length=1)] = Field(
        {"platinum": 0.95, "gold": 0.80, "silver": 0.50, "bronze": 0.0}
    )
    acquisition_cost_by_channel: dict[
        str, Annotated[float, Field(ge=0, lt=1e12, allow_inf_nan=False)]
    ] = Field({})

    @field_validator("tiers")
    @classmethod
    def _descend_to_zero(cls, value: dict[str, float]) -> dict[str, float]:
        starts = list(value.values())
        if starts[-1] != 0 or any(upper <= lower for upper, lower in pairwise(starts)):
            raise ValueError(
                "must name the best tier first, with quantiles that descend to 0 without repeats; "
                f"found {starts}"
            )
        return value


class ScheduleSettings(Settings):
    """When the daily run and the refit start."""

    daily_cron: Cron = "0 5 * * *"
    refit_cron: Cron = "0 4 * * 1"
    time_zone: TimeZone = "UTC"
