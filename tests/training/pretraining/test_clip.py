import numpy as np
import torch

from retrieval_vs_diffusion.models.clip import Clip
from retrieval_vs_diffusion.training.pretraining.clip import _tokenize, model_configuration, train_clip
from retrieval_vs_diffusion.training.pretraining.settings import ClipTraining

SETTINGS = ClipTraining(image_tower="tiny_convnet", embedding_dim=16, text_width=16, text_layers=1, batch_size=16)


def train(pool, tokenizer, device, steps: int, seed: int = 0):
    settings = SETTINGS.model_copy(update={"steps": steps, "learning_rate": 5e-3})
    return train_clip(pool.pixels(), pool.column("caption"), tokenizer, settings, device, seed)[0]


def loss(model, pool, tokenizer, device) -> float:
    """CLIP's loss over the pool's first 64 pairs."""
    import open_clip

    with torch.no_grad():
        images = Clip(model, None, "x", device).preprocess(pool.pixels()[:64])
        return float(open_clip.ClipLoss()(*model(images, _tokenize(tokenizer, pool.column("caption")[:64]))[:3]))


def test_the_configuration_says_how_the_model_can_be_built_again(tokenizer):
    configuration = model_configuration(SETTINGS, tokenizer, image_size=16)
    assert configuration["embed_dim"] == 16
    assert configuration["vision_cfg"]["timm_model_name"] == "tiny_convnet"
    assert configuration["text_cfg"]["vocab_size"] == len(tokenizer)
    assert configuration["text_cfg"]["context_length"] == 16
    assert configuration["text_cfg"]["heads"] == 1  # one for each 32 numbers of width, at least one


def test_a_few_steps_bring_images_nearer_to_their_captions(pool, tokenizer, device):
    before, after = (loss(train(pool, tokenizer, device, steps), pool, tokenizer, device) for steps in (1, 30))
    assert after < before - 1  # from 5.8 to 4.0; to know nothing of 64 pairs costs log 64 = 4.2


def test_the_temperature_stays_within_clips_bounds(pool, tokenizer, device):
    assert 0 <= train(pool, tokenizer, device, steps=3).logit_scale.item() <= np.log(100)


def test_the_seed_decides_every_weight(pool, tokenizer, device):
    one, same, other = (train(pool, tokenizer, device, 2, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["text.positional_embedding"], other["text.positional_embedding"])
