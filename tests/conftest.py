"""What many tests share: a small drawn world, and tiny models of the real kinds, made in seconds."""

from __future__ import annotations

import copy
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from jaxtyping import install_import_hook

from retrieval_vs_diffusion.executors.ray_cluster import own_environment

# Who starts the tests in the background may have told them to ignore these; tests of signals would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Ray reads these once a process, at its import, and some library may import it before a test makes a cluster.
os.environ.update(own_environment())

# Shapes and types in signatures are checked while tests run; an int may stand for a float, as PEP 484 has it.
WITH_SHAPES = ("images", "models", "training", "comparison", "strategies.retrieve", "strategies.personalise")
install_import_hook(
    [f"retrieval_vs_diffusion.{folder}" for folder in WITH_SHAPES],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)

TARGET = {"val_per_class": 2, "reservoir_per_class": 4, "test_per_class": 2}


@pytest.fixture(scope="session")
def device():
    import torch

    torch.set_num_threads(1)
    return torch.device("cpu")


@pytest.fixture(scope="session")
def target():
    """A rendered target: 10 classes, 2 val, 4 reservoir and 2 test images each."""
    from retrieval_vs_diffusion.images.readers.rendered_digits import RenderedDigits

    return RenderedDigits(**TARGET).read()


@pytest.fixture(scope="session")
def pool():
    """A rendered pool of 150 images; 10 are copies of test images, 21 show no digit."""
    from retrieval_vs_diffusion.images.readers.rendered_digit_pool import RenderedDigitPool
    from retrieval_vs_diffusion.images.readers.rendered_digits import RenderedDigits

    return RenderedDigitPool(images=150, planted_leaks=10, target=RenderedDigits(**TARGET)).read()


@pytest.fixture(scope="session")
def red_and_blue() -> Callable:
    """Makes noisy 16-pixel images, red ones of class 0 and blue ones of class 1: anything learns them."""
    import numpy as np

    from retrieval_vs_diffusion.images.image_table import ImageTable, image_row

    def make(labels: Sequence[int], seed: int = 0, name: str = "toy") -> ImageTable:
        random = np.random.default_rng(seed)
        colours = np.array([[200, 40, 40], [40, 40, 200]])
        noise = random.integers(-40, 41, (len(labels), 16, 16, 3))
        pixels = (colours[list(labels)][:, None, None, :] + noise).astype(np.uint8)
        rows = zip(pixels, labels, strict=True)
        return ImageTable.from_rows(
            image_row(each, f"{name}/{number}", label=label, true_label=label)
            for number, (each, label) in enumerate(rows)
        )

    return make


@pytest.fixture(scope="session")
def tokenizer(pool):
    from retrieval_vs_diffusion.training.pretraining.tokenizer import train_tokenizer

    return train_tokenizer(pool.column("caption"), vocabulary_size=600, context_length=16)


@pytest.fixture(scope="session")
def clip_parts(pool, tokenizer, device):
    """A CLIP model after two steps, with its configuration and tokenizer, as the pipeline `pretrain` saves it."""
    from retrieval_vs_diffusion.training.pretraining.clip import train_clip
    from retrieval_vs_diffusion.training.pretraining.settings import ClipTraining

    shape = {"image_tower": "tiny_convnet", "embedding_dim": 16, "text_width": 16, "text_layers": 1}
    settings = ClipTraining(**shape, steps=2, batch_size=16)
    model, configuration = train_clip(pool.pixels(), pool.column("caption"), tokenizer, settings, device, seed=0)
    return {"model": model, "configuration": configuration, "tokenizer": tokenizer}


@pytest.fixture(scope="session")
def clip_folder(clip_parts, tmp_path_factory):
    """The tiny CLIP as a folder of open_clip's; not to be changed."""
    from retrieval_vs_diffusion.catalog.model_datasets import ClipDataset

    folder = tmp_path_factory.mktemp("models") / "tiny_clip"
    ClipDataset(filepath=str(folder)).save(clip_parts)
    return folder


@pytest.fixture(scope="session")
def clip(clip_folder):
    from retrieval_vs_diffusion.models.clip import load_clip

    return load_clip(str(clip_folder))


@pytest.fixture(scope="session")
def pristine_pipeline(pool, clip_parts, device):
    """A Stable Diffusion pipeline for 16-pixel images, its weights all but random; not to be changed."""
    from retrieval_vs_diffusion.training.pretraining.autoencoder import train_autoencoder
    from retrieval_vs_diffusion.training.pretraining.denoiser import train_denoiser
    from retrieval_vs_diffusion.training.pretraining.settings import AutoencoderTraining, DenoiserTraining
    from retrieval_vs_diffusion.training.pretraining.text_encoder import to_text_encoder

    pixels, captions = pool.pixels()[:40], pool.column("caption")[:40]
    shape = AutoencoderTraining(channels=(8, 16), steps=2, batch_size=8)
    autoencoder = train_autoencoder(pixels, shape, device, seed=0)
    tokenizer = clip_parts["tokenizer"]
    encoder = to_text_encoder(clip_parts["model"], tokenizer)
    settings = DenoiserTraining(channels=(8, 16), steps=1, batch_size=4)
    return train_denoiser(pixels, captions, autoencoder, encoder, tokenizer, settings, device, seed=0)


@pytest.fixture
def pipeline(pristine_pipeline):
    """The tiny pipeline, to do with as a test likes."""
    return copy.deepcopy(pristine_pipeline)


@pytest.fixture
def diffusion(pipeline, device):
    from retrieval_vs_diffusion.models.diffusion import Diffusion

    return Diffusion(pipeline, "tiny", device)


@pytest.fixture(scope="module")
def s3():
    """The address of an S3 server on this machine; the environment leads to it."""
    from tests.remote.s3_server import s3_server

    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def bucket(s3):
    """A bucket for the tests of a file."""
    from tests.remote.s3_server import new_bucket

    return new_bucket(s3)


@pytest.fixture
def remote_cache(tmp_path):
    """An empty folder in which copies of remote files are kept, and nothing known of what stores hold."""
    from retrieval_vs_diffusion.remote.settings import Remote, use

    use(Remote(folder=str(tmp_path / "remote-cache")), Path("/"))
    yield tmp_path / "remote-cache"
    use(Remote(folder=str(tmp_path / "unused")), Path("/"))


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; for a module, because its event loop runs meanwhile and lets no other in."""
    chromium_found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium_found is None:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail("Chromium is required here: apt-get install chromium")
        pytest.skip("no Chromium found: report and graph were not tested in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_found, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()
