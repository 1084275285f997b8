"""What the business says of a layer: its features, what is forced in or kept out, its algorithm.

Add here a choice about a layer that does not depend on data.
What a fit makes of it lives in `scaling` (features) and `structure` (clusters).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ALGORITHMS = ("kmeans", "gaussian_mixture", "hdbscan", "auto")
"""Append only: a stored model names its algorithm by position."""
TRANSFORMS = ("auto", "log", "none", "rank", "ordered", "category")
"""How values are put on a scale; see `scaling`. Append only."""


@dataclass(frozen=True)
class LayerSpec:
    """One context in which the customers of a stage are grouped.

    Attributes
    ----------
    features : tuple of str
        Candidates, in order; the first numeric one orders the clusters when they are numbered.
    always : tuple of str
        Stay in although mostly missing or redundant; may name features not listed above.
    never : tuple of str
        Kept out whatever is listed above.
    algorithm : str
        One of `ALGORITHMS`; ``auto`` compares the three and takes the best that is admitted.
    stages : tuple of str
        Stages in which the layer is clustered; empty for all.
    transforms : mapping of feature to one of `TRANSFORMS`
    """

    features: tuple[str, ...]
    always: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    algorithm: str = "kmeans"
    stages: tuple[str, ...] = ()
    transforms: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm {self.algorithm!r}: use one of {', '.join(ALGORITHMS)}.")
        for feature, transform in self.transforms.items():
            if transform not in TRANSFORMS:
                raise ValueError(
                    f"transform {transform!r} of {feature}: use one of {', '.join(TRANSFORMS)}."
                )
        if not self.candidates:
            raise ValueError("a layer has no feature left: name one that is not in `never`.")

    @property
    def named(self) -> tuple[str, ...]:
        """Every feature that is spoken of, in order."""
        return tuple(dict.fromkeys([*self.features, *self.always]))

    @property
    def candidates(self) -> tuple[str, ...]:
        """Features that may be used, forced ones included."""
        return tuple(name for name in self.named if name not in self.never)

    def is_for(self, stage: str) -> bool:
        """Whether customers of the stage are clustered in this layer."""
        return not self.stages or stage in self.stages


def as_spec(value: LayerSpec | Sequence[str]) -> LayerSpec:
    """Read a plain list of features as a layer without further wishes."""
    return value if isinstance(value, LayerSpec) else LayerSpec(tuple(value))
