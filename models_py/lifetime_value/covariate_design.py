"""From columns known of a customer to the numbers that effects multiply, and back from rows.

Add here how a kind of column (number, class, flag) becomes terms, and what is kept of it.
What an effect does to rate and dropout is in `covariates`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.frames import require_columns, to_float
from models_py.lifetime_value import covariates, purchases

PART = "covariates"  # `model` of its rows in models.model_parameters
UNKNOWN, OTHER = "unknown", "other"
FEWEST_SHARE = 0.01  # a class of fewer customers is one of `OTHER`
BINS_COUNT = 5
_TABLE = "covariates"
_LARGEST = " largest="


@dataclass(frozen=True)
class CovariateDesign:
    """Terms of raw columns, learned at a fit and kept with it.

    A number becomes the mean of its quantile bin, in sds from the mean of all customers at the fit;
    NULL counts as that mean, with a term of its own (``age_years=unknown``). Classes and flags have
    a term each against the largest one, whose customers have 0 everywhere; NULL is a class, and
    rare ones share the term ``=other``. A class that the fit has never seen counts as ``=other``
    where the fit had rare classes of that column, else as the largest: there is no other to go by.

    Attributes
    ----------
    terms : tuple of str
        ``<column>`` of a number, ``<column>=<class>``.
    bins : mapping of str to (ndarray (bin - 1,), ndarray (bin,))
        Of each number: where bins begin, but for the first, and their values.
    largest : mapping of str to str
        The class of each column that has no term.
    """

    terms: tuple[str, ...]
    bins: Mapping[str, tuple[np.ndarray, np.ndarray]]
    largest: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns, without repeats."""
        return tuple(dict.fromkeys(term.partition("=")[0] for term in self.terms))

    @classmethod
    def learn(
        cls,
        groups: pd.DataFrame,
        columns: Sequence[str],
        fewest_share: float = FEWEST_SHARE,
        bins_count: int = BINS_COUNT,
    ) -> CovariateDesign:
        """Bins, means and classes of customers; `groups` has customers_count beside the columns.

        A column that is the same for everyone has no term. Classes below `fewest_share` of the
        customers are rare; a number has `bins_count` bins at most.
        """
        require_columns(groups, [*columns, "customers_count"], _TABLE)
        customers = to_float(groups["customers_count"], _TABLE)
        terms: list[str] = []
        bins: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        largest: dict[str, str] = {}
        for column in columns:
            if not _is_number(groups[column]):
                sizes = pd.Series(customers).groupby(_classes(groups[column])).sum()
                sizes = sizes.sort_index().sort_values(ascending=False, kind="stable")
                is_rare = sizes < fewest_share * sizes.sum()
                is_rare.iloc[0] = False
                named = [str(name) for name in sizes.index[1:] if not is_rare[name]]
                extra = [OTHER] if is_rare.any() and OTHER not in named else []
                terms += [f"{column}={name}" for name in [*named, *extra]]
                if named or extra:
                    largest[column] = str(sizes.index[0])
                continue
            values = to_float(groups[column], _TABLE)
            is_known = np.isfinite(values)
            every = np.repeat(values[is_known], customers[is_known].astype("int64"))
            edges, middles = (
                covariates.bins(every, bins_count) if len(every) else (np.zeros(0), np.zeros(1))
            )
            if len(np.unique(middles)) > 1:
                terms.append(column)
                bins[column] = edges, middles
            if is_known.any() and not is_known.all():
                terms.append(f"{column}={UNKNOWN}")
        return cls(tuple(terms), bins, largest)

    def values(self, frame: pd.DataFrame) -> np.ndarray:
        """The terms of each row (row, term)."""
        require_columns(frame, self.columns, _TABLE)
        found = np.zeros((len(frame), len(self.terms)))
        for number, term in enumerate(self.terms):
            column, _, name = term.partition("=")
            if term in self.bins:
                edges, middles = self.bins[term]
                given = to_float(frame[column], _TABLE)
                place = np.searchsorted(edges, given, side="right")
                found[:, number] = np.where(np.isfinite(given), middles[place], 0.0)
                continue
            classes = _classes(frame[column])
            found[:, number] = classes == name
            if name == OTHER:
                known = [
                    term.partition("=")[2] for term in self.terms if term.startswith(f"{column}=")
                ]
                found[:, number] = ~np.isin(classes, [*set(known) - {OTHER}, self.largest[column]])
        return found

    def encoded(self, groups: pd.DataFrame) -> pd.DataFrame:
        """Groups with the terms in place of the raw columns, those alike joined."""
        raw = set(self.columns)
        keys = [name for name in groups if name not in raw and name != "customers_count"]
        joined = groups[[*keys, "customers_count"]].assign(
            **dict(zip(self.terms, self.values(groups).T, strict=True))
        )
        found: pd.DataFrame = joined.groupby([*keys, *self.terms], as_index=False).sum()
        return found

    def labels(self, batch: pd.DataFrame) -> np.ndarray:
        """What names the parameters of each customer: the terms, as text that can be read back."""
        distinct, place = np.unique(self.values(batch), axis=0, return_inverse=True)
        named = np.array(["|".join(repr(float(v)) for v in row) for row in distinct], dtype=object)
        found: np.ndarray = named[place.ravel()]
        return found

    def own_draws(self, draws: pd.DataFrame, family: str, labels: np.ndarray) -> pd.DataFrame:
        """The draws with ``alpha[<label>]`` and so on for each of `labels`, as of a pool."""
        known = np.unique(labels.astype(str))
        values = np.array([[float(v) for v in label.split("|")] for label in known])
        shifts = []
        for kind in ("rate", "dropout"):
            # Term by term: last bits of a matrix product depend on who else is in the chunk.
            shift = np.zeros((len(draws), len(known)))
            for number, term in enumerate(self.terms):
                shift += draws[[f"{kind}_effect[{term}]"]].to_numpy() * values[:, number]
            shifts.append(shift)
        at = {name: draws[[name]].to_numpy() for name in purchases.model(family).parameters}
        own = covariates.shifted(family, at, *shifts)  # (draw, label) where it differs
        columns = {
            f"{name}[{label}]": found[:, i]
            for name, found in own.items()
            if found is not at[name]
            for i, label in enumerate(known)
        }
        return draws.assign(**columns)

    def to_rows(self) -> pd.DataFrame:
        """Bins as rows of models.model_parameters; classes stand in the names of the effects."""
        values: dict[str, float] = {}
        for column, (edges, middles) in self.bins.items():
            values |= {f"{column} bin {i + 2:02d} from": edge for i, edge in enumerate(edges)}
            values |= {f"{column} bin {i + 1:02d} value": one for i, one in enumerate(middles)}
        values |= {f"{column}{_LARGEST}{name}": 1.0 for column, name in self.largest.items()}
        return pd.DataFrame(
            {"model": PART, "draw": 0, "parameter": list(values), "value": list(values.values())}
        )

    @classmethod
    def from_rows(cls, draws: pd.DataFrame, rows: pd.DataFrame) -> CovariateDesign | None:
        """The design of effects in `draws` and of `to_rows`; None where there are no effects.

        Raises
        ------
        ValueError
            When bins of a number are missing.
        """
        start = "rate_effect["
        terms = [str(name)[len(start) : -1] for name in draws if str(name).startswith(start)]
        if not terms:
            return None
        value = rows.set_index("parameter")["value"].astype("float64").sort_index()
        bins = {}
        for term in terms:
            if "=" in term:
                continue
            edges, middles = (
                value[value.index.str.match(rf"{term} bin \d+ {end}$")].to_numpy()
                for end in ("from", "value")
            )
            if len(middles) != len(edges) + 1:
                raise ValueError(
                    f"model_parameters lack bins of {term}. Select all rows of one "
                    "model_version_id."
                )
            bins[term] = edges, middles
        largest = dict(name.split(_LARGEST, 1) for name in value.index if _LARGEST in name)
        return cls(tuple(terms), bins, largest)


def _is_number(values: pd.Series) -> bool:
    """Flags are classes; so is a column of decimals that came as objects no class."""
    if pd.api.types.is_bool_dtype(values):
        return False
    if pd.api.types.is_numeric_dtype(values):
        return True
    known = values.dropna()
    return len(known) > 0 and not known.map(lambda one: isinstance(one, bool | str)).any()


def _classes(values: pd.Series) -> np.ndarray:
    named = values.astype(object).where(values.notna(), UNKNOWN)
    return named.map(lambda one: str(one).lower() if isinstance(one, bool) else str(one)).to_numpy()
