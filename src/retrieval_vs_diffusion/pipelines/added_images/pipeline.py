"""How much to add: accuracy against the number of added images and against their share of each batch."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.pipelines import data_ingest, index_build
from retrieval_vs_diffusion.pipelines.added_images import nodes
from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.evaluate.comparing import collect_outcomes
from retrieval_vs_diffusion.pipelines.joined import joined
from retrieval_vs_diffusion.pipelines.tune.nodes import refuse
from retrieval_vs_diffusion.pipelines.varied import collecting_node, variants_pipeline
from retrieval_vs_diffusion.study import Study
from retrieval_vs_diffusion.variants import ADDED_IMAGES, added_images, protocol_of

TABLE = f"{ADDED_IMAGES}.table"


def create_pipeline(study: Study) -> Pipeline:
    """The chosen rows that generate or retrieve, each with all that it needs; then one table."""
    names = [name for name in study.chosen if study.strategies[name].arm != "neither"]
    if not names:
        reason = f"added_images: none of {', '.join(study.chosen)} generates or retrieves; name one that does in `only`"
        return Pipeline([Node(bound(refuse, reason), None, TABLE, name="weigh_added_images")])
    pipelines, varied_in_all = [], []
    for name in names:
        study_of_row, varied = added_images(study, name)
        varied_in_all += varied
        variants = [each["variant"] for each in varied]
        collect = collecting_node(
            bound(collect_outcomes, variants),
            study_of_row,
            variants,
            f"{ADDED_IMAGES}.{name}.outcomes",
            f"{ADDED_IMAGES}.{name}",
        )
        pipelines.append(variants_pipeline(study_of_row) + Pipeline([collect]))
    weigh = Node(
        bound(nodes.weigh_added_images, varied_in_all, {name: protocol_of(study, name) for name in names}),
        inputs={f"outcomes_of_{name}": f"{ADDED_IMAGES}.{name}.outcomes" for name in names},
        outputs=TABLE,
        name="weigh_added_images",
        tags="evaluate",
    )
    first = [data_ingest.create_pipeline(study), index_build.create_pipeline(study)]
    return joined([*first, *pipelines, Pipeline([weigh])]).to_outputs(TABLE)
