"""The keys under segmentation in `config.yml`: layers, their features, limits of a grouping.

Add here what the business decides about layers and micro-segments.
Stages are in `settings.py`; what the numbers do is in models_py/segmentation.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from dagster_project.settings_values import (
    Count,
    LayerColumns,
    Name,
    Positive,
    Probability,
    Settings,
    Stage,
    distinct,
)


class LayerSettings(Settings):
    """One context in which customers are grouped; in config.yml a list means features alone."""

    features: LayerColumns
    always: LayerColumns = ()
    never: LayerColumns = ()
    algorithm: Literal["kmeans", "gaussian_mixture", "hdbscan", "auto"] = "kmeans"
    stages: Annotated[tuple[Stage, ...], AfterValidator(distinct)] = ()
    transforms: dict[Name, Literal["auto", "log", "none", "rank", "ordered", "category"]] = Field(
        {}
    )

    @model_validator(mode="before")
    @classmethod
    def _list_or_mapping(cls, value: object) -> object:
        return {"features": value} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _something_is_left(self) -> "LayerSettings":
        named = {*self.features, *self.always}
        if not named - set(self.never):
            raise ValueError("keeps all its features out; name one that is not in never")
        unknown = sorted(set(self.transforms) - named)
        if unknown:
            raise ValueError(f"transforms {unknown[0]}, which is none of its features")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """What is read for it."""
        named = dict.fromkeys([*self.features, *self.always])
        return tuple(name for name in named if name not in self.never)


class SegmentationSettings(Settings):
    """Layers of the micro-segments and the limits a grouping must keep."""

    layers: Annotated[dict[Name, LayerSettings], Field(min_length=1)]
    max_clusters: Annotated[int, Field(ge=1, le=20, strict=True)] = 6
    floor_customers: Positive = 30
    stability_floor: Probability = 0.75
    refit_after_days: Positive = 90
    random_state: Count = 1
