"""Finding, reading and checking `config.yml`, and the file paths that follow from it.

Add here a value that is derived from the configuration and that several rooms need.
What each key may hold stays out; it lives in `settings.py`.
"""

import datetime as dt
import hashlib
import json
import os
import re
import zoneinfo
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError, model_validator

from dagster_project.config_errors import ConfigError, nearest, unique_key_loader, worded
from dagster_project.settings import (
    ConsentSettings,
    DatasetSettings,
    FeatureSettings,
    FolderSettings,
    IdentitySettings,
    LifetimeValueSettings,
    Name,
    OrderSettings,
    OwnDataSettings,
    QualitySettings,
    ScheduleSettings,
    Settings,
    SliceSettings,
    ValueSettings,
)
from dagster_project.settings_potential import PotentialSettings
from dagster_project.settings_segmentation import SegmentationSettings
from dagster_project.settings_segments import DeclaredSegmentSettings, LifecycleSettings

__all__ = ["Config", "ConfigError", "load_config"]

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class Config(Settings):
    """The whole of `config.yml`, checked, with one data set selected."""

    dataset: Name
    datasets: dict[Name, DatasetSettings]
    own_data: OwnDataSettings = OwnDataSettings()
    folders: FolderSettings = FolderSettings()
    orders: OrderSettings = OrderSettings()
    identity: IdentitySettings = IdentitySettings()
    quality: QualitySettings = QualitySettings()
    consent: ConsentSettings = ConsentSettings()
    features: FeatureSettings = FeatureSettings()
    slices: SliceSettings = SliceSettings()
    lifetime_value: LifetimeValueSettings = LifetimeValueSettings()
    value: ValueSettings = ValueSettings()
    lifecycle: LifecycleSettings = LifecycleSettings()
    segmentation: SegmentationSettings
    segments: DeclaredSegmentSettings = DeclaredSegmentSettings()
    potential: PotentialSettings = PotentialSettings()
    schedule: ScheduleSettings = ScheduleSettings()

    @model_validator(mode="after")
    def _others_look_at_a_predicted_horizon(self) -> "Config":
        horizons = self.lifetime_value.horizons_days
        for key, days in {
            "lifecycle.horizon_days": self.lifecycle.horizon_days,
            "value.tier_horizon_days": self.tier_horizon_days,
        }.items():
            if days not in horizons:
                nearest_horizon = min(horizons, key=lambda h, days=days: abs(h - days))  # type: ignore[misc]
                raise ValueError(
                    f"has {key} {days}, which is not among lifetime_value.horizons_days "
                    f"{list(horizons)}; the nearest is {nearest_horizon}"
                )
        return self

    @model_validator(mode="after")
    def _segments_can_be_evaluated(self) -> "Config":
        from dagster_project.declared_segments import problems

        found = problems(self)
        if found:
            raise ValueError("\n  ".join(found))
        return self

    @property
    def tier_horizon_days(self) -> int:
        """The horizon by whose value customers are ranked."""
        return self.value.tier_horizon_days or self.lifetime_value.horizons_days[-1]

    @property
    def source(self) -> DatasetSettings:
        """The selected data set."""
        return self.datasets[self.dataset]

    @property
    def home(self) -> Path:
        """The folder that `folders` are relative to: CLIENTELA_HOME, else the project."""
        return Path(os.environ.get("CLIENTELA_HOME") or PROJECT_ROOT).resolve()

    @property
    def warehouse_path(self) -> Path:
        """The working database of this data set (CLIENTELA_WAREHOUSE overrides it)."""
        return self._file("CLIENTELA_WAREHOUSE", self.folders.warehouse)

    @property
    def published_path(self) -> Path:
        """The published copy of this data set (CLIENTELA_PUBLISHED overrides it)."""
        return self._file("CLIENTELA_PUBLISHED", self.folders.published)

    @property
    def storage_path(self) -> Path:
        """The folder of this data set for what is neither warehouse nor published copy."""
        return self.home / self.folders.storage / self.dataset

    @property
    def landing_path(self) -> Path:
        """The folder for what a landing must write down before it can land."""
        return self.storage_path / "landing"

    @property
    def backups_path(self) -> Path:
        """The folder of this data set's backups."""
        return self.home / self.folders.backups / self.dataset

    @property
    def exports_path(self) -> Path:
        """The folder for files that leave the warehouse, which an erasure searches too."""
        return self.home / self.folders.exports

    def _file(self, variable: str, folder: str) -> Path:
        given = os.environ.get(variable)
        return Path(given).absolute() if given else self.home / folder / f"{self.dataset}.duckdb"

    def yesterday(self) -> dt.date:
        """The last day that has ended in the business time zone."""
        zone = zoneinfo.ZoneInfo(self.source.business_time_zone)
        return dt.datetime.now(zone).date() - dt.timedelta(days=1)

    def dbt_vars(self) -> dict[str, Any]:
        """What SQL reads; `as_of_date` is not among it, each run adds its own."""
        return {
            "business_time_zone": self.source.business_time_zone,
            "reporting_currency": self.source.reporting_currency,
            # SQL compares lower-case statuses, so that Paid counts where paid does.
            "counted_statuses": [status.lower() for status in self.orders.counted_statuses],
            "identity_max_records_per_identifier": self.identity.max_records_per_identifier,
            "identity_default_country": self.identity.default_country or "",
            "identity_device_lookback_days": self.identity.device_lookback_days,
            "identity_max_household_persons": self.identity.max_household_persons,
            "identity_survivorship": self.identity.survivorship_of(),
            "max_quarantined_share": self.quality.max_quarantined_share,
            "internal_email_domains": list(self.orders.internal_email_domains),
            "internal_records": list(self.orders.internal_records),
            "horizons_days": list(self.lifetime_value.horizons_days),
            **self.consent.model_dump(),
            **self.features.model_dump(),
        }

    def content_hash(self) -> str:
        """Hash of all that results depend on.

        Places and times of day are left out: a warehouse that is moved, or built an hour later,
        keeps its results.
        """
        content = self.model_dump(
            mode="json", exclude={"dataset", "datasets", "own_data", "folders", "schedule"}
        )
        content["source"] = self.source.model_dump(mode="json", exclude={"path", "schemas"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_config(path: str | Path | None = None, dataset: str | None = None) -> Config:
    """Read the configuration and select a data set.

    Parameters
    ----------
    path
        The file; without it CLIENTELA_CONFIG, else `config.yml` of the project.
    dataset
        A name under `datasets` or the path of a folder; without it CLIENTELA_DATASET, else the
        key `dataset` of the file. A relative path given here counts from the working folder, one
        in the file counts from the file.

    Raises
    ------
    ConfigError
        Names the key, its value and the nearest valid one.
    """
    file = Path(path or os.environ.get("CLIENTELA_CONFIG") or PROJECT_ROOT / "config.yml").resolve()
    content = _read(file)
    override = dataset or os.environ.get("CLIENTELA_DATASET")
    _select_dataset(content, override, Path.cwd() if override else file.parent)
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise ConfigError(worded(error, Config, file)) from error
    return _with_absolute_paths(config, file.parent)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), unique_key_loader())
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no {file}. Name the file in the environment variable CLIENTELA_CONFIG, "
            "or copy config.yml of the project there."
        ) from error
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not readable as YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file} holds no keys; start from config.yml of the project.")
    return content


def _select_dataset(content: dict[str, Any], override: str | None, base: Path) -> None:
    """Turn the path of a folder into a data set of kind folder, in place."""
    wanted = override or content.get("dataset")
    datasets = content.get("datasets")
    if not isinstance(wanted, str) or not isinstance(datasets, dict) or wanted in datasets:
        if override:
            content["dataset"] = override
        return
    folder = (base / Path(wanted).expanduser()).resolve()
    if not folder.is_dir():
        raise ConfigError(
            f"dataset: {wanted!r} is neither a name under `datasets` ({', '.join(datasets)}) nor "
            f"an existing folder ({folder}).{nearest(wanted, datasets)}"
        )
    # Two folders called `export` are two data sets, and a warehouse belongs to one of them.
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:6]
    stem = re.sub(r"[^a-z0-9]+", "_", folder.name.lower()).strip("_")
    name = f"{stem}_{digest}" if re.match(r"[a-z]", stem) else f"folder_{stem}_{digest}"
    own_data = content.get("own_data")
    defaults = own_data if isinstance(own_data, dict) else {}
    content["datasets"] = {**datasets, name: {"kind": "folder", "path": str(folder), **defaults}}
    content["dataset"] = name


def _with_absolute_paths(config: Config, base: Path) -> Config:
    source = config.source
    if source.path is None:
        return config
    path = str((base / Path(source.path).expanduser()).resolve())
    datasets = {**config.datasets, config.dataset: source.model_copy(update={"path": path})}
    return config.model_copy(update={"datasets": datasets})
