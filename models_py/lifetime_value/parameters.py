"""Parameter draws as plain rows of models.model_parameters, and back.

Add here what a new part of the model must keep for predictions.
What parameters mean is said by the part that fits them.
"""

from __future__ import annotations

import pandas as pd

from models_py.lifetime_value import (
    covariate_design,
    covariates,
    margins,
    pooling,
    purchases,
    refunds,
    seasonality,
    spend,
)

FACTORS = {"refunds": refunds.PARAMETERS, "margin": margins.PARAMETERS}


def melted(draws: pd.DataFrame) -> pd.DataFrame:
    """One row per draw and parameter: draw, parameter, value."""
    return draws.melt(ignore_index=False, var_name="parameter").reset_index()


def pivoted(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per draw, one column per parameter; a draw that occurs twice is refused."""
    # pivot_table would average the two.
    draws = rows.pivot(index="draw", columns="parameter", values="value")  # noqa: PD010
    return draws.astype("float64").sort_index().rename_axis(columns=None)


def to_rows(
    draws: pd.DataFrame,
    purchase_model: str,
    clock: seasonality.OperationalClock | None = None,
    design: covariate_design.CovariateDesign | None = None,
) -> pd.DataFrame:
    """Lay draws, one column per parameter, out as model, draw, parameter, value; sorted.

    The season's clock and the bins of covariates, where there are any, are of draw 0 alone: they
    are made before the draws.
    """
    rows = melted(draws)
    owners = {name: part for part, names in FACTORS.items() for name in names}
    bought = (*purchases.model(purchase_model).parameters, *pooling.SCALES, *covariates.EFFECTS)
    owners |= dict.fromkeys(bought, purchase_model)
    plain = rows["parameter"].str.partition("[")[0]  # alpha[channel=web] is an alpha
    rows.insert(0, "model", plain.map(owners).fillna("spend"))
    made = [part.to_rows() for part in (clock, design) if part is not None]
    rows = pd.concat([rows, *made])
    rows = rows.sort_values(["model", "draw", "parameter"], ignore_index=True)
    return rows[["model", "draw", "parameter", "value"]]


def from_rows(
    parameters: pd.DataFrame,
) -> tuple[
    str,
    pd.DataFrame,
    seasonality.OperationalClock | None,
    covariate_design.CovariateDesign | None,
]:
    """The purchase model of `to_rows`, its draws, and its clock and covariates where it has them.

    Raises
    ------
    ValueError
        When a parameter or a draw is missing, or rows are of several purchase models.
    """
    season, bins = (
        parameters[parameters["model"] == part]
        for part in (seasonality.PART, covariate_design.PART)
    )
    parameters = parameters.drop(index=[*season.index, *bins.index])
    names = set(parameters["model"]) - {"spend", *FACTORS}
    if len(names) != 1:
        raise ValueError(
            f"model_parameters must hold one purchase model of {', '.join(purchases.MODELS)}, "
            f"found {sorted(names)}. Select the rows of one model_version_id."
        )
    purchase_model = str(names.pop())
    draws = pivoted(parameters)
    known = [*purchases.model(purchase_model).parameters, *spend.PARAMETERS]
    missing = [name for name in known if name not in draws and name != "kappa"]
    present = [name for name in known if name in draws]
    present += [str(name) for name in draws if spend.is_level(str(name))]
    present += [str(name) for name in draws if "[" in str(name) or name in pooling.SCALES]
    for factor in FACTORS.values():
        given = [name for name in factor if name in draws]
        missing += [name for name in factor if given and name not in draws]
        present += given
    if missing or draws[present].isna().to_numpy().any():
        raise ValueError(
            f"model_parameters lack {', '.join(missing) or 'some draws'}. Select all rows of "
            "one model_version_id."
        )
    clock = seasonality.OperationalClock.from_rows(season) if len(season) else None
    design = covariate_design.CovariateDesign.from_rows(draws, bins)
    return purchase_model, draws[present], clock, design


def pooled_by(draws: pd.DataFrame) -> str | None:
    """The column by which purchase parameters differ; None where all share one set.

    Its name is part of each group's: ``alpha[acquisition_channel=web]``.
    """
    for name in draws:
        if str(name).startswith("alpha["):
            return str(name).partition("[")[2].partition("=")[0]
    return None
