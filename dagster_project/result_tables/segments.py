"""Tables of segmentation: stages, layers, micro-segments and what became of them.

Add a table here before a segment asset writes it. Fitted parameters are in models.py.
"""

from __future__ import annotations

from dagster_project.result_tables.columns import AS_OF, CUSTOMER_ID, VERSION, Column, ResultTable

FORMER: tuple[Column, ...] = (
    (
        "former_stage",
        "VARCHAR",
        "Stage by the fits of the promoted slice before, on this day; stage while they are these.",
    ),
    (
        "former_microsegment_key",
        "VARCHAR",
        "Micro-segment by the same fits on this day; microsegment_key while they are these.",
    ),
    (
        "former_predicted_revenue_mean",
        "DOUBLE",
        "Predicted revenue at lifecycle.horizon_days by the value model of that slice, on this "
        "day; NULL while it is this one.",
    ),
    (
        "former_model_version_id",
        "VARCHAR",
        "Segmentation of that slice, where one of its fits is another; else NULL.",
    ),
)

CUSTOMER_LIFECYCLE = ResultTable(
    "predictions",
    "customer_lifecycle",
    "One row per customer and as_of_date: the lifecycle stage and the rule that gave it.",
    (
        CUSTOMER_ID,
        AS_OF,
        ("stage", "VARCHAR", "Lifecycle stage."),
        ("stage_rule", "VARCHAR", "The rule that decided, with its numbers."),
        VERSION,
    ),
)

CUSTOMER_LAYER_CLUSTERS = ResultTable(
    "predictions",
    "customer_layer_clusters",
    "One row per customer, as_of_date and layer: the cluster within the customer's stage.",
    (
        CUSTOMER_ID,
        AS_OF,
        ("layer", "VARCHAR", "The context that was clustered."),
        ("stage", "VARCHAR", "Lifecycle stage."),
        ("cluster_key", "VARCHAR", "Cluster, by a key that survives refits."),
        ("distance", "DOUBLE", "Distance to the centre in scaled units."),
        (
            "assignment_margin",
            "DOUBLE",
            "1 - distance / distance to the next centre; NULL if k = 1.",
        ),
        VERSION,
    ),
)

CUSTOMER_MICROSEGMENTS = ResultTable(
    "predictions",
    "customer_microsegments",
    "One row per customer and as_of_date: the micro-segment.",
    (
        CUSTOMER_ID,
        AS_OF,
        ("stage", "VARCHAR", "Lifecycle stage."),
        ("microsegment_key", "VARCHAR", "Micro-segment, by a key that survives refits."),
        ("pattern", "VARCHAR", "The clusters of all layers that make the micro-segment."),
        ("fallback_level", "INTEGER", "Layers dropped because the cell was under the floor."),
        VERSION,
        *FORMER,
    ),
)

MICROSEGMENTS = ResultTable(
    "predictions",
    "microsegments",
    "One row per micro-segment and as_of_date.",
    (
        ("microsegment_key", "VARCHAR", "Micro-segment."),
        AS_OF,
        ("stage", "VARCHAR", "Lifecycle stage."),
        ("microsegment_name", "VARCHAR", "A name people can say."),
        ("pattern", "VARCHAR", "The clusters of all layers that make the micro-segment."),
        ("customers_count", "BIGINT", "Customers in it."),
        ("description", "VARCHAR", "One sentence: how many, and what sets them apart."),
        VERSION,
    ),
)

MICROSEGMENT_PROFILES = ResultTable(
    "predictions",
    "microsegment_profiles",
    "One row per micro-segment, as_of_date and feature: what sets it apart.",
    (
        ("microsegment_key", "VARCHAR", "Micro-segment."),
        AS_OF,
        (
            "feature",
            "VARCHAR",
            "Column of marts.fct_customer_features; of a category one row per level, as "
            "column=level, whose means are shares.",
        ),
        ("mean", "DOUBLE", "Mean in the micro-segment."),
        ("stage_mean", "DOUBLE", "Mean in its stage."),
        ("standardised_gap", "DOUBLE", "(mean - stage mean) / standard deviation in the stage."),
        ("base_mean", "DOUBLE", "Mean of all customers."),
        (
            "base_standardised_gap",
            "DOUBLE",
            "(mean - mean of all) / standard deviation of all.",
        ),
        VERSION,
    ),
)

MICROSEGMENT_LINEAGE = ResultTable(
    "predictions",
    "microsegment_lineage",
    "One row per refit (as_of_date), old and new key: what became of clusters and micro-segments.",
    (
        AS_OF,
        ("stage", "VARCHAR", "Lifecycle stage."),
        ("layer", "VARCHAR", "The context that was clustered, or microsegment."),
        ("old_key", "VARCHAR", "Key before the refit; NULL when born."),
        ("new_key", "VARCHAR", "Key after the refit; NULL when retired."),
        ("customers_count", "BIGINT", "Customers in both."),
        ("overlap_share", "DOUBLE", "Share of the customers of old_key who are in new_key."),
        ("jaccard", "DOUBLE", "Intersection over union of the two memberships."),
        ("decision", "VARCHAR", "continued (the same key), split, merged, born or retired."),
        VERSION,
    ),
)

SEGMENT_DEFINITIONS = ResultTable(
    "predictions",
    "segment_definitions",
    "One row per declared segment and as_of_date: its rule, and who and what is in it.",
    (
        AS_OF,
        ("segment", "VARCHAR", "Name of the segment; family:member where one rule makes several."),
        ("description", "VARCHAR", "Who belongs, in plain words with the limits of the date."),
        (
            "expression",
            "VARCHAR",
            "The rule with the limits of the date, usable as a condition on "
            "serving.customer_360_by_date.",
        ),
        ("kind", "VARCHAR", "ready_made, or own for a rule of config.yml."),
        ("status", "VARCHAR", "available, or not_available where nobody could belong."),
        ("reason", "VARCHAR", "Why it is not available; NULL when it is."),
        ("customers_count", "BIGINT", "Customers in it; NULL when not available."),
        ("customers_share", "DOUBLE", "The same as a share of all customers of the date."),
        ("observed_revenue_amount", "DECIMAL(18,2)", "Net revenue of these customers to date."),
        (
            "predicted_revenue_mean",
            "DOUBLE",
            "Net revenue that these customers are predicted to bring within horizon_days; mean.",
        ),
        ("horizon_days", "INTEGER", "Days after as_of_date that predicted_revenue_mean covers."),
    ),
)

CUSTOMER_SEGMENT_MEMBERSHIPS = ResultTable(
    "predictions",
    "customer_segment_memberships",
    "One row per declared segment, as_of_date and customer in it; a customer may be in several.",
    (
        AS_OF,
        ("segment", "VARCHAR", "Declared segment (predictions.segment_definitions)."),
        CUSTOMER_ID,
    ),
)

MICROSEGMENT_RULES = ResultTable(
    "predictions",
    "microsegment_rules",
    "One row per micro-segment, as_of_date and scope: a condition in SQL that finds its customers.",
    (
        ("microsegment_key", "VARCHAR", "Micro-segment."),
        AS_OF,
        (
            "scope",
            "VARCHAR",
            "stage: the condition holds among customers of the stage; base: among everyone.",
        ),
        ("stage", "VARCHAR", "Lifecycle stage."),
        ("condition", "VARCHAR", "SQL over the columns of marts.fct_customer_features."),
        ("precision", "DOUBLE", "Share of those it matches who are in the micro-segment."),
        ("recall", "DOUBLE", "Share of the micro-segment that it matches."),
        ("matched_count", "BIGINT", "Customers of the scope that it matches."),
        ("customers_count", "BIGINT", "Customers of the micro-segment."),
        VERSION,
    ),
)

SEGMENTATION_QUALITY = ResultTable(
    "predictions",
    "segmentation_quality",
    "One row per as_of_date, stage and layer (microsegment: the joint pattern): are the groups "
    "stable, apart, known and large enough.",
    (
        AS_OF,
        ("stage", "VARCHAR", "Lifecycle stage."),
        ("layer", "VARCHAR", "The context that was clustered, or microsegment."),
        ("is_in_pattern", "BOOLEAN", "True when the layer is part of the stage's micro-segments."),
        ("algorithm", "VARCHAR", "kmeans, gaussian_mixture or hdbscan; NULL for one group."),
        ("customers_count", "BIGINT", "Customers of the stage."),
        ("coverage_share", "DOUBLE", "Share of whom the layer knows at least one feature."),
        ("clusters_count", "BIGINT", "Clusters of those who are known; cells that have customers."),
        ("smallest_count", "BIGINT", "Customers in the smallest cluster or cell."),
        (
            "worst_jaccard",
            "DOUBLE",
            "Mean Jaccard of the least stable cluster over bootstraps of the fit; the least of the "
            "layers for the joint pattern; NULL for one group.",
        ),
        ("silhouette", "DOUBLE", "Mean silhouette at the fit; NULL for one group."),
        ("fallback_share", "DOUBLE", "Share in cells that dropped a layer; NULL for a layer."),
        (
            "key_retention_share",
            "DOUBLE",
            "Share who kept their key at the refit, low margins left out; NULL at a first fit.",
        ),
        (
            "low_margin_share",
            "DOUBLE",
            "Share between clusters (assignment margin below 0.1 before the refit), left out.",
        ),
        ("reason", "VARCHAR", "Why there are as many clusters, or why the layer is left out."),
        VERSION,
    ),
)
