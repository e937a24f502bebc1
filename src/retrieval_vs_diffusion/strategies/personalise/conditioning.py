"""Conditioning vectors: what the text encoder would give is learned freely, the encoder is passed by."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Annotated

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.conditions import ClassMatrices, Conditions
from retrieval_vs_diffusion.strategies.prompts import Templates
from retrieval_vs_diffusion.strategies.source import Surroundings
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.diffusion import Diffusion
    from retrieval_vs_diffusion.strategies.learned import Learned

_FILE = "conditioning.safetensors"


@part
class Conditioning:
    """One free conditioning matrix a class, or one for each cluster of its images (Burg et al. 2023).

    The matrix [tokens, width] stands in place of the text encoder's output and starts as that output
    for the class's prompt. Clusters are found by k-means of the class's images in CLIP space; the class's
    images are then generated from its clusters in turn, each as often as it has originals.

    Args:
        clusters: matrices a class; a class with fewer images gets as many as it has.
        prompt: template whose encoding the matrices start from.
        training: steps, rate, early stopping.
    """

    clusters: Annotated[int, Field(ge=1)] = 1
    prompt: Templates = ("a photo of a {name}",)
    training: PersonalisationTraining = field(default_factory=PersonalisationTraining)

    def __post_init__(self) -> None:
        """Refuse several templates: a matrix starts from one."""
        if len(prompts.expand(self.prompt)) > 1:
            raise UserError(f"prompt: found {', '.join(self.prompt)}; a matrix starts from one template, give one")

    @property
    def needs(self) -> tuple[str, ...]:
        """The model, what it is shown, and for clusters CLIP."""
        return ("diffusion", "originals", *(["clip"] if self.clusters > 1 else []))

    @property
    def class_fields(self) -> tuple[str, ...]:
        """What the template asks for."""
        return prompts.fields_used(self.prompt)

    def learn(self, surroundings: Surroundings) -> Learned:
        """Optimise the matrices on the denoising loss of the originals, all classes together."""
        import torch

        from retrieval_vs_diffusion.strategies.learned import Learned
        from retrieval_vs_diffusion.training.denoising import encode_originals, optimise_denoising

        diffusion, names = surroundings.resources["diffusion"], surroundings.class_names
        cluster_of, counts = self._cluster(surroundings)
        first = np.concatenate([[0], np.cumsum(counts)])
        (template,) = prompts.expand(self.prompt)
        starts = [diffusion.encode(prompts.fill(template, each)) for each in surroundings.fields()]
        matrices = torch.nn.Parameter(
            torch.stack([start for start, count in zip(starts, counts, strict=True) for _ in range(count)]).float()
        )
        originals = surroundings.resources["originals"]
        held_out = surroundings.seed("held out")
        rows = torch.from_numpy(first[originals.labels()] + cluster_of)
        # Every cluster keeps an image to learn from: else its matrix would stay where it starts.
        images = encode_originals(diffusion, originals, self.training.held_out_share, held_out, groups=rows)
        curve = optimise_denoising(
            diffusion,
            [matrices],
            lambda positions, _: matrices[rows[positions]],
            images,
            names,
            self.training,
            surroundings.seed("conditioning"),
            f"{surroundings.strategy}: learning",
        )
        learned = matrices.detach().cpu()
        tensors = {f"{label:04d}": learned[first[label] : first[label + 1]].clone() for label in range(len(names))}
        labels = originals.labels()
        turns = [cluster_of[labels == label].tolist() for label in range(len(names))]
        return Learned(surroundings.name, {_FILE: tensors}, {"turns": turns}, curve)

    def teach(self, learned: Learned, diffusion: Diffusion, surroundings: Surroundings) -> Conditions:
        """The model stays as it is; images are conditioned on the matrices."""
        del diffusion
        tensors = learned.files[_FILE]
        return ClassMatrices(
            [tensors[f"{label:04d}"] for label in range(len(tensors))], learned.about["turns"], surroundings.class_names
        )

    def _cluster(self, surroundings: Surroundings) -> tuple[Int[np.ndarray, " n"], list[int]]:
        """The cluster of each original within its class, and how many clusters each class has."""
        originals = surroundings.resources["originals"]
        labels = originals.labels()
        classes = len(surroundings.class_names)
        if self.clusters == 1:
            return np.zeros(len(originals), dtype=np.int64), [1] * classes
        embedded = surroundings.resources["clip"].embed_table(originals)
        cluster_of = np.zeros(len(originals), dtype=np.int64)
        counts = []
        for label in range(classes):
            members = np.flatnonzero(labels == label)
            found = k_means(embedded[members], self.clusters, surroundings.seed("clusters", label) % 2**32)
            cluster_of[members] = found
            counts.append(int(found.max()) + 1)
        return cluster_of, counts


def k_means(embedded: Float[np.ndarray, "n d"], clusters: int, seed: int) -> Int[np.ndarray, " n"]:
    """The cluster of each vector, 0 to k - 1 without gaps; at most as many clusters as different vectors."""
    from sklearn.cluster import KMeans

    different = len(np.unique(embedded, axis=0))
    found = KMeans(min(clusters, different), n_init=10, random_state=seed).fit_predict(embedded)
    return np.unique(found, return_inverse=True)[1].astype(np.int64)
