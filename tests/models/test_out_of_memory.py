"""A GPU out of memory halves the batch, and what is made is what the smaller batch size would have made."""

import logging

import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.errors import UserError, find_user_error
from retrieval_vs_diffusion.models.classifier import Classifier, create_network
from retrieval_vs_diffusion.models.clip import Clip
from retrieval_vs_diffusion.models.out_of_memory import SmallerBatches, is_out_of_memory, told
from retrieval_vs_diffusion.models.sampling import Sampling

SAID = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8 GiB. If reserved memory is ..."
PROMPTS, SEEDS = ["a zero", "a one", "a two", "a zero", "a one"], [11, 12, 13, 14, 15]


class SmallGpu:
    """Stands between a network and its callers: it has memory for so many images at once, and counts the tries."""

    def __init__(self, network: torch.nn.Module, room: int, monkeypatch: pytest.MonkeyPatch, name: str = "forward"):
        self.room, self.tries = room, []
        run = getattr(network, name)

        def limited(batch, *arguments, **keywords):
            self.tries.append(len(batch))
            if len(batch) > self.room:
                raise torch.cuda.OutOfMemoryError(SAID)
            return run(batch, *arguments, **keywords)

        monkeypatch.setattr(network, name, limited)


def squares(room: int, tries: list[list[int]]):
    def make(batch: list[int]) -> np.ndarray:
        tries.append(batch)
        if len(batch) > room:
            raise torch.cuda.OutOfMemoryError(SAID)
        return np.array(batch) ** 2

    return make


def test_a_batch_is_halved_until_it_fits_and_the_size_is_kept(caplog):
    caplog.set_level(logging.WARNING)
    tries: list[list[int]] = []
    in_batches = SmallerBatches("squares", "device: cpu", "sampling.batch_size", padded=True)
    make = squares(3, tries)
    assert list(in_batches(make, [5, 6, 7, 8], 8)) == [25, 36, 49, 64]
    # 8 places, the last four filled up with 8; then 4 at once; then 2, which fit.
    assert tries == [[5, 6, 7, 8, 8, 8, 8, 8], [5, 6, 7, 8], [5, 6], [7, 8]]
    tries.clear()
    assert list(in_batches(make, [1, 2, 3], 8)) == [1, 4, 9]
    assert tries == [[1, 2], [3, 3]]  # 8 and 4 are not tried again; one shape for all
    assert [record.getMessage() for record in caplog.records] == [
        "The GPU has no memory for 8 squares at once: going on with 4 at a time; sampling.batch_size: 4 saves the "
        "failed try",
        "The GPU has no memory for 4 squares at once: going on with 2 at a time; sampling.batch_size: 2 saves the "
        "failed try",
    ]


def test_what_was_made_before_the_memory_ended_stays():
    tries: list[list[int]] = []
    room = iter([4, 1, 4, 4])

    def make(batch: list[int]) -> np.ndarray:
        return squares(next(room), tries)(batch)

    in_batches = SmallerBatches("squares", "device: cpu")
    assert list(in_batches(make, [1, 2], 2)) == [1, 4]
    assert list(in_batches(make, [3, 4], 2)) == [9, 16]
    assert tries == [[1, 2], [3, 4], [3], [4]]


def test_where_not_even_one_fits_a_line_says_what_would_do():
    with pytest.raises(UserError) as caught:
        SmallerBatches("squares", "device: cpu would do")(squares(0, []), [1, 2], 2)
    assert str(caught.value) == (
        "the GPU has no memory for one of the squares alone (CUDA out of memory. Tried to allocate 2.00 GiB); "
        "device: cpu would do"
    )


@pytest.mark.parametrize(
    ("error", "of_a_gpu"),
    [
        (torch.cuda.OutOfMemoryError(SAID), True),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be ..."), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB, ...)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (
            RuntimeError("Error at StandardGpuResources.cpp:452: cudaMalloc error out of memory [2]"),
            True,
        ),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:114] . DefaultCPUAllocator: can't allocate memory"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (MemoryError("out of memory"), False),
    ],
)
def test_only_a_gpu_without_memory_is_tried_again(error, of_a_gpu):
    assert is_out_of_memory(error) is of_a_gpu
    tries = []

    def make(batch: list[int]) -> np.ndarray:
        tries.append(batch)
        if len(batch) > 1:
            raise error
        return np.array(batch)

    in_batches = SmallerBatches("numbers", "device: cpu")
    if of_a_gpu:
        assert list(in_batches(make, [1, 2], 2)) == [1, 2]
        return
    with pytest.raises(type(error)) as caught:
        in_batches(make, [1, 2], 2)
    assert caught.value is error
    assert len(tries) == 1
    with pytest.raises(type(error)), told("lower the batch size"):
        raise error


@pytest.mark.parametrize("room", [1, 2, 3, 4])
def test_images_are_those_of_the_smaller_batch_size(diffusion, monkeypatch, room):
    fits = {1: 1, 2: 2, 3: 2, 4: 4}[room]  # of 4, 2 and 1
    starts = [np.full((16, 16, 3), 40 * number, np.uint8) for number in range(5)]

    def made(batch_size: int) -> list[np.ndarray]:
        sampling = Sampling(steps=2, batch_size=batch_size, guidance_scale=1.0)
        by_text = list(diffusion.text_to_image(PROMPTS, SEEDS, sampling))
        return by_text + list(diffusion.image_to_image(PROMPTS, starts, 0.5, SEEDS, sampling))

    expected = made(fits)
    gpu = SmallGpu(diffusion.pipeline.unet, room, monkeypatch)
    assert np.array_equal(np.stack(made(4)), np.stack(expected))
    # The failed tries are made once by text and once by image: 4 and then 2 of it, where they do not fit.
    assert sum(size > room for size in gpu.tries) == 2 * {1: 2, 2: 1, 4: 0}[fits]
    assert {size for size in gpu.tries if size <= room} == {fits}


def test_memory_that_ends_in_the_decoder_halves_as_well(diffusion, monkeypatch):
    sampling = [Sampling(steps=6, batch_size=size, scheduler="PNDMScheduler") for size in (2, 4)]
    expected = list(diffusion.text_to_image(PROMPTS, SEEDS, sampling[0]))
    SmallGpu(diffusion.pipeline.vae, 2, monkeypatch, "decode")
    assert np.array_equal(np.stack(list(diffusion.text_to_image(PROMPTS, SEEDS, sampling[1]))), np.stack(expected))


def test_an_image_that_does_not_fit_is_told_with_what_would_do(diffusion, monkeypatch):
    SmallGpu(diffusion.pipeline.unet, 0, monkeypatch)
    sampling = Sampling(steps=1, batch_size=2, guidance_scale=1.0)
    with pytest.raises(UserError, match=r"one of the images of 16 pixels alone .*diffusion.offload: ") as caught:
        list(diffusion.text_to_image(PROMPTS, SEEDS, sampling))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("tower", "room"), [("encode_image", 3), ("encode_text", 1)])
def test_embeddings_are_those_of_the_smaller_batch_size(clip, pool, monkeypatch, tower, room):
    own = Clip(clip.model, clip.tokenizer, clip.name, clip.device)
    pixels, texts = pool.pixels()[:7], pool.column("caption")[:7]

    def embed(batch_size: int) -> np.ndarray:
        return own.embed_images(pixels, batch_size) if tower == "encode_image" else own.embed_texts(texts, batch_size)

    expected = embed({3: 3, 1: 1}[room])
    gpu = SmallGpu(own.model, room, monkeypatch, tower)
    assert np.array_equal(embed(6), expected)
    assert gpu.tries == {3: [6, 3, 3, 1], 1: [6, 3, 1, 1, 1, 1, 1, 1, 1]}[room]
    assert len(own.embed_images(pixels, 1)) == 7


def test_class_probabilities_are_those_of_the_smaller_batch_size(pool, device, monkeypatch):
    network = create_network("tiny_convnet", 10)
    classifier = Classifier(network.eval(), "tiny_convnet", tuple("0123456789"), 16)
    pixels = pool.pixels()[:5]
    expected = classifier.probabilities(pixels, device, batch_size=2)
    SmallGpu(network, 2, monkeypatch)
    assert np.array_equal(classifier.probabilities(pixels, device, batch_size=4), expected)


def test_a_gpu_without_memory_that_nothing_foresaw_is_a_line_too():
    try:
        try:
            raise torch.cuda.OutOfMemoryError(SAID)
        except torch.cuda.OutOfMemoryError as error:
            raise ValueError("a node failed") from error
    except ValueError as error:
        found = find_user_error(error)
    assert str(found).startswith("the GPU is out of memory (CUDA out of memory. Tried to allocate 2.00 GiB")
    assert find_user_error(ValueError("another")) is None
