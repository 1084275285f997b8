"""A model on grouped rows, stated once: priors, parameters, likelihood; in NumPy and in PyMC.

Add here what every purchase and spend model of a few parameters shares.
The likelihoods themselves are in the modules of the models, drawing from them in `sampler`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


class SharedData(dict[str, Any]):
    """Data become PyMC variables when they are first read: compiled code refuses others."""

    def __init__(self, data: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self._data = data

    def __missing__(self, name: str) -> Any:
        import pymc as pm

        self[name] = pm.Data(name, self._data[name])
        return self[name]


@dataclass(frozen=True)
class GroupedModel:
    """Priors on unbounded numbers, what they mean, and the likelihood of the data.

    Attributes
    ----------
    name : str
        As in models.model_parameters.
    priors : mapping of str to (str, float, float)
        ``normal`` or ``logistic`` with location and scale, of each unbounded number.
    parameters : tuple of str
        What the model publishes.
    natural : callable
        (numbers by name, data, xp) -> parameters by name, in published units.
    log_likelihood : callable
        (data, parameters by name, xp) -> scalar.
    """

    name: str
    priors: Mapping[str, tuple[str, float, float]]
    parameters: tuple[str, ...]
    natural: Callable[[Mapping[str, Any], Mapping[str, Any], Any], dict[str, Any]]
    log_likelihood: Callable[[Mapping[str, Any], Mapping[str, Any], Any], Any]

    def start(self) -> np.ndarray:
        """The prior locations (number,)."""
        return np.array([location for _, location, _ in self.priors.values()])

    def log_density(self, data: Mapping[str, Any], point: np.ndarray) -> float:
        """Log posterior density of unbounded numbers, up to a constant."""
        total = 0.0
        for value, (kind, location, scale) in zip(point, self.priors.values(), strict=True):
            z = (value - location) / scale
            total += -0.5 * z * z if kind == "normal" else -z - 2.0 * np.logaddexp(0.0, -z)
        with np.errstate(all="ignore"):
            parameters = self.natural(dict(zip(self.priors, point, strict=True)), data, np)
            value = total + float(self.log_likelihood(data, parameters, np))
        return value if np.isfinite(value) else -np.inf

    def published(self, data: Mapping[str, Any], points: np.ndarray) -> dict[str, np.ndarray]:
        """Parameters of many points (draw, number), each (draw,)."""
        numbers = {name: points[:, i] for i, name in enumerate(self.priors)}
        found = self.natural(numbers, data, np)
        return {name: np.broadcast_to(found[name], len(points)) for name in self.parameters}

    def pymc_numbers(self) -> dict[str, Any]:
        """The unbounded numbers as variables of the PyMC model that is being stated."""
        import pymc as pm

        kinds = {"normal": pm.Normal, "logistic": pm.Logistic}
        return {
            name: kinds[kind](name, location, scale)
            for name, (kind, location, scale) in self.priors.items()
        }

    def pymc(self, data: Mapping[str, np.ndarray]) -> Any:
        """The same model in PyMC; what it reads of `data` can be exchanged (`data_vars`)."""
        import pymc as pm
        import pytensor.tensor as pt

        with pm.Model() as model:
            shared = SharedData(data)
            numbers = self.pymc_numbers()
            found = self.natural(numbers, shared, pt)
            for name in self.parameters:
                pm.Deterministic(name, found[name])
            pm.Potential("likelihood", self.log_likelihood(shared, found, pt))
        return model
