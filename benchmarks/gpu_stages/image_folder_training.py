"""The peer of the training row: torchvision's ImageFolder, a DataLoader with a worker a processor, and autocast."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from benchmarks.gpu_stages.place import Place
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models.classifier import DEVIATION, MEAN, create_network, to_input
from retrieval_vs_diffusion.training.recipe import ClassifierTraining


class ImageFolderTraining:
    """The recipe as a script of PyTorch's own examples trains it, in bfloat16 and channels-last.

    Args:
        folder: a folder of JPEGs for each class.
        val: images of the recipe's size, which tell the accuracy at the end.
        recipe: network, optimiser, schedule, crops and flips.
        epochs: over all images.
        place: where it trains.

    Attributes:
        seen: images that the last training computed.
        accuracy: on ``val``, of the last training.
    """

    def __init__(self, folder: Path, val: ImageTable, recipe: ClassifierTraining, epochs: int, place: Place) -> None:
        self._recipe, self._epochs, self._place = recipe, epochs, place
        self._val = val
        crop = v2.RandomResizedCrop(recipe.image_size, scale=(recipe.smallest_crop_area, 1))
        to_tensor = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([MEAN] * 3, [DEVIATION] * 3)]
        self._images = ImageFolder(folder, v2.Compose([crop, v2.RandomHorizontalFlip(), *to_tensor]))
        self.seen, self.accuracy = 0, float("nan")

    def warm_up(self) -> None:
        """Two steps, so that kernels are loaded and chosen."""
        self._steps(limit=2)

    def train(self) -> None:
        """All epochs, workers started and the accuracy told."""
        network = self._steps()
        network.eval()
        with torch.inference_mode(), self._autocast():
            pixels = torch.from_numpy(self._val.pixels()).to(self._place.device)
            found = torch.cat([network(to_input(part)).argmax(1) for part in pixels.split(256)]).cpu()
        self.accuracy = float((found == torch.from_numpy(self._val.labels())).float().mean())

    def _autocast(self) -> Any:
        return torch.autocast(self._place.device.type, dtype=torch.bfloat16)

    def _loader(self) -> DataLoader:
        on_gpu = self._place.device.type == "cuda"
        workers = len(os.sched_getaffinity(0)) if on_gpu else 0
        return DataLoader(
            self._images,
            batch_size=self._recipe.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            pin_memory=on_gpu,
            persistent_workers=workers > 0,
        )

    def _steps(self, limit: int | None = None) -> nn.Module:
        recipe, device = self._recipe, self._place.device
        torch.manual_seed(0)
        network = create_network(recipe.model, len(self._images.classes))
        network = network.to(device, memory_format=torch.channels_last).train()
        optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=recipe.steps)
        criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        loader, self.seen, steps = self._loader(), 0, 0
        for _ in range(self._epochs):
            for images, labels in loader:
                images = images.to(device, non_blocking=True, memory_format=torch.channels_last)
                labels = labels.to(device, non_blocking=True)
                with self._autocast():
                    loss = criterion(network(images), labels)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                self.seen, steps = self.seen + len(images), steps + 1
                if steps == limit:
                    return network
        return network
