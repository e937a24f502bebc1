"""A world's own models, trained on its pool alone; what they are worth stands in the model card's figures."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.pipelines.data_ingest.pipeline import create_pipeline as create_data_ingest
from retrieval_vs_diffusion.pipelines.pretrain import nodes
from retrieval_vs_diffusion.study import Study

_SETTINGS = ["params:pretraining", "params:compute"]


def create_pipeline(study: Study) -> Pipeline:
    """Read the pool, train CLIP, diffusion model and judge on it, and measure them."""
    training = [
        Node(
            nodes.select_training_images,
            inputs="pool.images",
            outputs="pretrain.images",
            name="select_training_images",
        ),
        Node(
            nodes.train_clip,
            inputs=["pretrain.images", *_SETTINGS],
            outputs="pretrain.clip",
            name="train_clip",
            tags="gpu",
        ),
        Node(
            nodes.train_diffusion,
            inputs=["pretrain.images", "pretrain.clip", *_SETTINGS],
            outputs="pretrain.diffusion",
            name="train_diffusion",
            tags="gpu",
        ),
        Node(
            nodes.train_judge,
            inputs=["pretrain.images", "target.classes", *_SETTINGS],
            outputs="pretrain.judge",
            name="train_judge",
            tags="gpu",
        ),
        Node(
            nodes.measure_fairness,
            inputs={
                "clip": "pretrain.clip",
                "diffusion": "pretrain.diffusion",
                "judge": "pretrain.judge",
                "pool": "pool.images",
                "val": "target.val",
                "class_names": "target.classes",
                "sampling": "params:sampling",
                "compute": "params:compute",
            },
            outputs="pretrain.fairness",
            name="measure_fairness",
            tags="gpu",
        ),
    ]
    reading = create_data_ingest(study).to_outputs("pool.images", "target.val", "target.classes")
    return reading + Pipeline(training, tags="pretrain")
