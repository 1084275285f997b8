"""Lifecycle stages and micro-segments: who stands where, in groups that keep their names.

Add here the rules, transformations, clusterings and matchings that turn the row of a customer into
a stage, a cluster per layer and a micro-segment.
Migration between dates is SQL over finished slices, and lifetime value is an input, not a topic.
"""

from models_py.segmentation.descriptions import descriptions
from models_py.segmentation.lifecycle import STAGES, LifecycleRules, assign_stages, fit_star_value
from models_py.segmentation.microsegments import DEFAULT_LAYERS, Microsegmentation
from models_py.segmentation.rules import microsegment_rules
from models_py.segmentation.specs import ALGORITHMS, TRANSFORMS, LayerSpec

__all__ = [
    "ALGORITHMS",
    "DEFAULT_LAYERS",
    "STAGES",
    "TRANSFORMS",
    "LayerSpec",
    "LifecycleRules",
    "Microsegmentation",
    "assign_stages",
    "descriptions",
    "fit_star_value",
    "microsegment_rules",
]
