"""Whether the draws of a fit can be trusted, in the figures and words of models.model_versions.

Add here a gate of config.yml on a fit. What the figures mean is in models_py/posterior.py.
"""

from dagster_project.config import Config


def failed_gates(by_model: dict[str, dict[str, float]], config: Config) -> list[str]:
    """What lies outside the gates of config.yml, in words."""
    from models_py import posterior

    limits = config.lifetime_value.gates
    gates = {
        "rhat_max": ("<=", limits.rhat_max),
        "ess_bulk_min": (">=", limits.ess_min),
        "ess_tail_min": (">=", limits.ess_min),
        "ebfmi_min": (">=", limits.ebfmi_min),
        "divergences": ("<=", limits.divergences_max),
        "k_hat": ("<=", limits.k_hat_max),
    }
    return [
        f"{model} {failure}"
        for model, found in _sampled(by_model).items()
        for failure in posterior.failed_gates(found, gates)
    ]


def _sampled(by_model: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The parts with draws of an unknown posterior: factors are drawn in closed form."""
    return {k: v for k, v in by_model.items() if "k_hat" in v or "rhat_max" in v}


def worst(by_model: dict[str, dict[str, float]]) -> dict[str, float]:
    """The least healthy figure over the models of one fit that have it."""
    names = sorted({name for found in by_model.values() for name in found})
    worst = {
        name: (min if name.endswith("_min") else max)(
            found[name] for found in by_model.values() if name in found
        )
        for name in names
    }
    return {("k_hat_max" if name == "k_hat" else name): value for name, value in worst.items()}


def inference(by_model: dict[str, dict[str, float]]) -> str:
    parts = {
        model: "importance" if "k_hat" in found else "nuts"
        for model, found in _sampled(by_model).items()
    }
    return ", ".join(f"{model}: {how}" for model, how in sorted(parts.items()))


def flat(by_model: dict[str, dict[str, float]]) -> dict[str, float]:
    return {f"{model} {k}": v for model, found in by_model.items() for k, v in found.items()}
