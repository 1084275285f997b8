"""Lifecycle stages and micro-segments of a date, and the refits they come from.

Add the asset of a new segment table here. Clustering, matching of keys and stage rules are in
models_py/segmentation.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
import pandas as pd

from dagster_project import former_segments, segment_fits, segment_layers
from dagster_project.config import Config
from dagster_project.feature_catalogue import PREDICTED
from dagster_project.lineage import asset_spec, begin, code_hash, forget, record, results, step_for
from dagster_project.model_registry import (
    Fit,
    is_refit_due,
    store,
    version_in_force,
)
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.pictures import markdown, segments_picture
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import (
    CUSTOMER_LAYER_CLUSTERS,
    CUSTOMER_LIFECYCLE,
    CUSTOMER_MICROSEGMENTS,
    MICROSEGMENT_LINEAGE,
    MICROSEGMENT_PROFILES,
    MICROSEGMENT_RULES,
    MICROSEGMENTS,
    SEGMENTATION_QUALITY,
)
from dagster_project.segment_fits import MODEL, STAR_LINE
from dagster_project.segment_layers import features_at, layer_specs, map_values, quality_of
from dagster_project.segment_pictures import map_png, profiles_png

RULE_FEATURES = {"purchase_days_count", "tenure_days", "recency_days", "median_gap_days"}
CODE = (
    "models_py.segmentation",
    "models_py.frames",
    former_segments.__name__,
    segment_fits.__name__,
    segment_layers.__name__,
    __name__,
)
INPUTS = [("marts", "fct_customer_features"), ("predictions", "customer_ltv")]
ASSIGNED = [
    CUSTOMER_LIFECYCLE,
    CUSTOMER_LAYER_CLUSTERS,
    CUSTOMER_MICROSEGMENTS,
    MICROSEGMENTS,
    MICROSEGMENT_PROFILES,
    MICROSEGMENT_RULES,
    SEGMENTATION_QUALITY,
]


def _settings(config: Config) -> dict[str, object]:
    return config.segmentation.model_dump() | config.lifecycle.model_dump()


@dg.multi_asset(
    specs=[asset_spec(MICROSEGMENT_LINEAGE, INPUTS, AS_OF_DATES, ("python", "scikitlearn"))],
    name="microsegmentation_fit",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    pool=POOL,
)
def microsegmentation_fit(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult]:
    """Find the clusters again when the last search is too old; keys live on by overlap."""
    from models_py.segmentation import Microsegmentation, assign_stages, fit_star_value

    as_of = dt.date.fromisoformat(context.partition_key)
    config = clientela.config
    settings = config.segmentation
    with clientela.warehouse() as warehouse:
        before = segment_fits.version_before(warehouse, as_of)
        step = step_for(
            warehouse,
            MICROSEGMENT_LINEAGE.full_name,
            as_of,
            [("predictions.customer_ltv", as_of)],
            # Keys come from the fit before: another one before may mean other keys.
            [_settings(config), before],
            code_hash(*CODE),
        )
        if not is_refit_due(
            context,
            warehouse,
            MODEL,
            as_of,
            step.fingerprint,
            settings.refit_after_days,
            _settings(config),
        ) and segment_fits.load_if_readable(
            warehouse, version_in_force(warehouse, MODEL, as_of)[0], config, context.log
        ):
            if not step.is_current(warehouse):
                record(warehouse, step, context.run_id, [MICROSEGMENT_LINEAGE])
            yield from results([MICROSEGMENT_LINEAGE], None)
            return
        forget(warehouse, step)
        former = (
            segment_fits.load_if_readable(warehouse, before, config, context.log)
            if before
            else None
        )
        previous = former[0] if former else None
        frame = features_at(warehouse, config, as_of, previous)
        rules = fit_star_value(frame, segment_fits.rules_of(config))
        frame = frame.merge(assign_stages(frame, rules), on="customer_id")
        model = Microsegmentation(
            layer_specs(config),
            max_clusters=settings.max_clusters,
            stability_floor=settings.stability_floor,
            floor=settings.floor_customers,
            random_state=settings.random_state,
        ).fit(frame, previous)
        star = pd.DataFrame(
            {
                "model": ["lifecycle"],
                "draw": [None],
                "parameter": [STAR_LINE],
                "value": [rules.star_value_amount],
            }
        )
        fit = Fit(
            MODEL,
            as_of,
            step.fingerprint,
            pd.concat([model.parameters_frame(), star], ignore_index=True),
            health={"customers_count": len(frame)},
            settings=_settings(config),
        )
        version = store(warehouse, fit)
        lineage = model.lineage_.assign(as_of_date=as_of, model_version_id=version)
        warehouse.replace_slice(MICROSEGMENT_LINEAGE, lineage, {"as_of_date": as_of})
        measured = record(warehouse, step, context.run_id, [MICROSEGMENT_LINEAGE])
    quality = dg.MetadataValue.md(model.quality().to_markdown(index=False))
    extra = {"model_version_id": version, "clusters": quality}
    yield from results([MICROSEGMENT_LINEAGE], measured, {MICROSEGMENT_LINEAGE.full_name: extra})


@dg.multi_asset(
    specs=[
        asset_spec(
            table,
            [*INPUTS, ("predictions", "microsegment_lineage")],
            AS_OF_DATES,
            ("python", "scikitlearn", "duckdb"),
        )
        for table in ASSIGNED
    ],
    name="segments",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    pool=POOL,
)
def segments(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult]:
    """Stage, cluster and micro-segment of every customer, by the fit in force."""
    from models_py.segmentation import assign_stages, descriptions, microsegment_rules

    as_of = dt.date.fromisoformat(context.partition_key)
    config = clientela.config
    with clientela.warehouse() as warehouse:
        version, _ = version_in_force(warehouse, MODEL, as_of)
        former = former_segments.fits_before(warehouse, as_of, version)
        if former and not segment_fits.load_if_readable(
            warehouse, former.segmentation, config, context.log
        ):
            former = None
        step = step_for(
            warehouse,
            CUSTOMER_MICROSEGMENTS.full_name,
            as_of,
            [("predictions.customer_ltv", as_of)],
            [version, _settings(config), former and [former.segmentation, former.value]],
            code_hash(*CODE),
        )
        if not begin(context, warehouse, step):
            yield from results(ASSIGNED, None)
            return
        model, rules = segment_fits.load(warehouse, version, config)
        frame = features_at(warehouse, config, as_of, model)
        frame = frame.merge(assign_stages(frame, rules), on="customer_id")
        clusters = model.predict(frame)
        cells = model.microsegments(clusters)
        sizes = cells.groupby("microsegment_key").size()
        catalogue = model.catalogue(cells)
        profile = model.profile(frame, cells)
        stages = dict(zip(catalogue["microsegment_key"], catalogue["stage"], strict=True))
        told = descriptions(profile, stages, sizes)
        catalogue["description"] = catalogue["microsegment_key"].map(told)
        askable = {name for spec in model.layers.values() for name in spec.candidates}
        frames = {
            CUSTOMER_LIFECYCLE: frame,
            CUSTOMER_LAYER_CLUSTERS: clusters,
            CUSTOMER_MICROSEGMENTS: former_segments.with_former(
                cells, warehouse, config, as_of, former
            ),
            MICROSEGMENTS: catalogue,
            MICROSEGMENT_PROFILES: profile,
            # Predicted value is no column of the features, so no rule in SQL over them asks for it.
            MICROSEGMENT_RULES: microsegment_rules(
                frame, cells, sorted((askable | RULE_FEATURES) - set(PREDICTED))
            ),
            SEGMENTATION_QUALITY: quality_of(model, clusters),
        }
        warehouse.replace_slices(
            [
                (table, rows.assign(as_of_date=as_of, model_version_id=version))
                for table, rows in frames.items()
            ],
            {"as_of_date": as_of},
        )
        measured = record(warehouse, step, context.run_id, ASSIGNED)
    value = frame[["customer_id", "predicted_revenue_mean"]].merge(cells, on="customer_id")
    stage, points, here = map_values(model, frame, cells)
    names = catalogue.set_index("microsegment_key")["microsegment_name"]
    map_of = map_png(points, cells["microsegment_key"][here], names, f"Map of stage {stage}")
    extra = {
        MICROSEGMENTS.full_name: {
            "sizes and value": dg.MetadataValue.md(segments_picture(catalogue, value)),
            "map": dg.MetadataValue.md(markdown(map_of, "map of micro-segments")),
        },
        MICROSEGMENT_PROFILES.full_name: {
            "profiles": dg.MetadataValue.md(
                markdown(profiles_png(profile, catalogue), "profiles of micro-segments")
            )
        },
    }
    yield from results(ASSIGNED, measured, extra)


SEGMENT_ASSETS = [microsegmentation_fit, segments]
