"""Tables of potential value: the gap to comparable customers and what of it counts as attainable.

Add a table here before the asset of potential value writes it. Predicted value itself is in
lifetime_value.py, segments in segments.py.
"""

from __future__ import annotations

from dagster_project.result_tables.columns import (
    AS_OF,
    CUSTOMER_ID,
    HORIZON,
    VERSION,
    Column,
    ResultTable,
    quantiles,
)

BASIS: Column = (
    "potential_basis",
    "VARCHAR",
    "peer_measured: share of the gap realised at past dates; peer_assumed: share of config.yml; "
    "none: no share, or nobody comparable, and potential is what is predicted.",
)
SHARE: Column = (
    "attainable_share",
    "DOUBLE",
    "Share of the gap that is added to what is predicted; 0 where the basis is none.",
)

CUSTOMER_POTENTIAL = ResultTable(
    "predictions",
    "customer_potential",
    "One row per customer with a purchase, as_of_date and horizon: the gap to comparable customers "
    "and potential value. A gap is a comparison: customers without unrealised value show one too.",
    (
        CUSTOMER_ID,
        AS_OF,
        HORIZON,
        VERSION,
        ("stage", "VARCHAR", "Lifecycle stage, within which customers are compared."),
        ("microsegment_key", "VARCHAR", "Micro-segment."),
        (
            "peers_count",
            "BIGINT",
            "Comparable customers: same stage and tenure band, nearest in the layers; 0 where they "
            "are too few.",
        ),
        ("predicted_revenue_mean", "DOUBLE", "As in predictions.customer_ltv."),
        (
            "benchmark_amount",
            "DOUBLE",
            "75th percentile (config.yml) of predicted_revenue_mean among the peers; NULL without.",
        ),
        (
            "benchmark_gap_amount",
            "DOUBLE",
            "benchmark_amount less predicted_revenue_mean, 0 for customers above it; NULL without "
            "peers. A comparison, not a cause.",
        ),
        SHARE,
        *quantiles("potential_revenue", "Predicted revenue plus attainable_share of the gap"),
        BASIS,
        (
            "leading_attribute",
            "VARCHAR",
            "Feature in which the customer differs most from the peers worth more; NULL if none "
            "stands out.",
        ),
        ("differences", "VARCHAR", "Up to three such features in words, customer first."),
        ("value_rank", "BIGINT", "As in predictions.customer_ltv."),
        ("value_tier", "VARCHAR", "As in predictions.customer_ltv."),
    ),
)

MICROSEGMENT_POTENTIAL = ResultTable(
    "predictions",
    "microsegment_potential",
    "One row per micro-segment with buyers, as_of_date and horizon: gaps and potential summed.",
    (
        ("microsegment_key", "VARCHAR", "Micro-segment."),
        AS_OF,
        HORIZON,
        VERSION,
        ("stage", "VARCHAR", "Lifecycle stage of the micro-segment."),
        ("customers_count", "BIGINT", "Customers with a purchase."),
        ("compared_customers_count", "BIGINT", "Of them those with comparable peers."),
        ("predicted_revenue_mean", "DOUBLE", "Sum over its customers."),
        (
            "benchmark_gap_amount",
            "DOUBLE",
            "Sum of the gaps, a comparison, not a cause; NULL when nobody is comparable.",
        ),
        SHARE,
        (
            "potential_uplift_mean",
            "DOUBLE",
            "attainable_share of the gaps: potential less predicted.",
        ),
        (
            "potential_uplift_p05",
            "DOUBLE",
            "The same at the lower end of the measured share; equal to the mean where assumed.",
        ),
        ("potential_uplift_p95", "DOUBLE", "The same at the upper end."),
        BASIS,
        (
            "leading_attributes",
            "VARCHAR",
            "Up to three features in which most of its customers below their benchmark differ "
            "from the peers worth more, with the share of them.",
        ),
    ),
)

POTENTIAL_SHARES = ResultTable(
    "predictions",
    "potential_shares",
    "One row per as_of_date and horizon: which share of the gap past dates have shown to be "
    "realised, and what is used.",
    (
        AS_OF,
        HORIZON,
        VERSION,
        SHARE,
        ("attainable_share_p05", "DOUBLE", "Lower end of what is used, within 0 to 1."),
        ("attainable_share_p95", "DOUBLE", "Upper end of what is used, within 0 to 1."),
        ("slope_mean", "DOUBLE", "Slope of (realised - predicted) on the gap; NULL unmeasured."),
        ("slope_p05", "DOUBLE", "Lower end of its central 90 % interval, by past date."),
        ("slope_p95", "DOUBLE", "Upper end."),
        ("origins_count", "BIGINT", "Past dates it rests on; their windows do not overlap."),
        ("first_origin_date", "DATE", "The earliest of them; NULL without."),
        ("last_origin_date", "DATE", "The latest of them; NULL without."),
        ("customers_count", "BIGINT", "Customers in them; one counts at each date."),
        BASIS,
        ("reason", "VARCHAR", "Why it is that basis, with the figures."),
        (
            "comparison_id",
            "VARCHAR",
            "Hash of the settings that found peers; only past dates of the same are used.",
        ),
    ),
)
