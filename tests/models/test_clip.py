import copy
import logging
import shutil

import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.models.clip import Clip, load_clip
from retrieval_vs_diffusion.models.clip_folder import check_clip


def test_a_folder_gives_the_model_that_was_saved(clip, clip_parts, pool, device):
    trained = Clip(clip_parts["model"], clip.tokenizer, "trained", device)
    pixels, texts = pool.pixels()[:8], pool.column("caption")[:8]
    # weights are kept in half precision: about three digits
    assert clip.embed_images(pixels) == pytest.approx(trained.embed_images(pixels), abs=5e-3)
    assert clip.embed_texts(texts) == pytest.approx(trained.embed_texts(texts), abs=5e-3)


def test_embeddings_have_unit_length_and_one_width(clip, pool):
    images, texts = clip.embed_images(pool.pixels()[:5]), clip.embed_texts(["a two", "a red three"])
    assert (images.shape, texts.shape) == ((5, 16), (2, 16))
    assert np.linalg.norm(np.concatenate([images, texts]), axis=1) == pytest.approx(np.ones(7), abs=1e-5)


def test_an_embedding_does_not_depend_on_its_batch(clip, pool):
    pixels = pool.pixels()[:5]
    assert clip.embed_images(pixels, batch_size=2) == pytest.approx(clip.embed_images(pixels), abs=1e-6)
    assert clip.embed_texts(["a", "b", "c"], batch_size=2) == pytest.approx(clip.embed_texts(["a", "b", "c"]), abs=1e-6)


def test_other_texts_have_other_embeddings(clip):
    one, two, same = clip.embed_texts(["a photo of a one", "a photo of a two", "A PHOTO of a one"])
    assert not np.allclose(one, two)
    assert np.allclose(one, same)  # capitals do not count


def test_large_images_are_resized_by_the_short_side_and_cropped_in_the_middle(clip):
    wide = np.zeros((2, 32, 64, 3), np.uint8)
    wide[:, :, 16:48] = 255  # the middle square is white, the sides are black
    ready = clip.preprocess(wide)
    assert ready.shape == (2, 3, 16, 16)
    assert ready[:, :, :, 2:-2].min() == 2.0  # (1 - 0.5) / 0.25


@pytest.mark.parametrize("part", ["open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json"])
def test_a_folder_that_lacks_a_part_is_refused_by_its_name(clip_folder, tmp_path, part, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    shutil.copytree(clip_folder, tmp_path / "clip")
    (tmp_path / "clip" / part).unlink()
    with pytest.raises(UserError, match=f"lacks {part}"):
        load_clip(str(tmp_path / "clip"))


@pytest.mark.parametrize("content", ["{half", "{}", "[]"])
def test_a_configuration_that_is_none_is_refused_by_its_name(clip_folder, tmp_path, content):
    shutil.copytree(clip_folder, tmp_path / "clip")
    (tmp_path / "clip" / "open_clip_config.json").write_text(content)
    with pytest.raises(UserError, match=r"open_clip_config\.json"):
        load_clip(str(tmp_path / "clip"))


@pytest.mark.parametrize(
    ("model", "checkpoint", "message"),
    [
        ("no/such/folder", None, "clip.model: there is no folder no/such/folder; give a folder or a name such as ViT"),
        ("ViT-B-3", "openai", 'clip.model: open_clip has no "ViT-B-3"; did you mean "ViT-B-32"?'),
        ("ViT-B-32", None, 'clip.checkpoint: found "None"; ViT-B-32 takes a local file or one of openai, '),
        ("ViT-B-32", "opnai", 'clip.checkpoint: found "opnai"; ViT-B-32 takes a local file or one of openai, '),
    ],
)
def test_an_unknown_model_or_checkpoint_is_answered_with_what_would_do(model, checkpoint, message):
    with pytest.raises(UserError) as caught:
        load_clip(model, checkpoint)
    assert str(caught.value).startswith(message)


def test_a_checkpoint_that_could_run_code_is_refused(tmp_path):
    (tmp_path / "weights.pt").write_bytes(b"")
    with pytest.raises(UserError, match=r"weights.pt is a pickle, which can run code when read; convert it: python"):
        load_clip("ViT-B-32", str(tmp_path / "weights.pt"))


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ("weights.onnx", r"clip.checkpoint: .*weights.onnx is no .safetensors file; other formats can run code"),
        (
            "nothing.safetensors",
            r"clip.checkpoint: there is no file .*nothing.safetensors; give a file or a tag of",
        ),
    ],
)
def test_a_file_that_will_not_do_is_told_before_anything_is_loaded(tmp_path, checkpoint, message):
    (tmp_path / "weights.onnx").write_bytes(b"weights")
    with pytest.raises(UserError, match=message):
        check_clip("ViT-B-32", str(tmp_path / checkpoint))
    check_clip("ViT-B-32", "openai")


def test_a_folder_brings_its_own_weights(clip_folder):
    check_clip(str(clip_folder), None)
    with pytest.raises(UserError, match=r"clip.checkpoint: found openai, but .* brings its own weights"):
        check_clip(str(clip_folder), "openai")


def test_a_table_of_images_of_all_sizes_is_embedded_as_squares(clip):
    random = np.random.default_rng(0)
    fitting = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    framed = np.zeros((16, 48, 3), np.uint8)
    framed[:, 16:32] = fitting  # the middle of three squares
    tall = np.repeat(np.repeat(framed.transpose(1, 0, 2), 3, axis=0), 3, axis=1)
    rows = [image_row(each, str(number)) for number, each in enumerate((fitting, framed, tall))]
    plain, cropped, shrunk = clip.embed_table(ImageTable.from_rows(rows))
    assert plain == pytest.approx(clip.embed_images(fitting[None])[0], abs=1e-6)
    assert cropped == pytest.approx(plain, abs=1e-6)
    assert np.linalg.norm(shrunk) == pytest.approx(1, abs=1e-5)


def test_a_table_without_images_has_embeddings_of_the_same_width(clip):
    assert clip.embed_table(ImageTable.from_rows([])).shape == (0, 16)


def test_an_image_without_finite_numbers_is_zeros_and_told_once(clip, pool, monkeypatch, caplog):
    own = Clip(copy.deepcopy(clip.model), clip.tokenizer, clip.name, clip.device)
    encode = own.model.encode_image

    def overflow(images: torch.Tensor, normalize: bool) -> torch.Tensor:
        embedded = encode(images, normalize=normalize)
        embedded[1::2] = torch.tensor([float("nan"), float("inf")] * 8)
        return embedded

    monkeypatch.setattr(own.model, "encode_image", overflow)
    caplog.set_level(logging.WARNING)
    pixels = pool.pixels()[:5]
    embedded = own.embed_images(pixels)
    assert not embedded[1::2].any()
    assert embedded[::2] == pytest.approx(clip.embed_images(pixels)[::2], abs=1e-6)
    own.embed_images(pixels)
    assert [record.getMessage()[:70] for record in caplog.records] == [
        f"CLIP {clip.name} makes no finite numbers of 2 of 5 images, which no search will find"[:70]
    ]


def test_a_text_without_finite_numbers_is_refused_by_its_words(clip):
    own = Clip(copy.deepcopy(clip.model), clip.tokenizer, clip.name, clip.device)
    tokens = {text: set(clip.tokenizer([text])[0].tolist()) for text in ("a red three", "a two")}
    (of_one, *_) = tokens["a two"] - tokens["a red three"]
    with torch.no_grad():
        own.model.text.token_embedding.weight[of_one] = float("nan")
    assert np.isfinite(own.embed_texts(["a red three"])).all()
    with pytest.raises(UserError, match=r"makes no finite numbers of 1 of 2 texts, e.g. of .a two.; its weights are"):
        own.embed_texts(["a red three", "a two"])
