"""The diffusion model's text encoder: an open_clip text tower as transformers' ``CLIPTextModel``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTokenizer

_RENAMED = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def to_text_encoder(clip: Any, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Copy the text tower of an open_clip ``CustomTextCLIP`` into a ``CLIPTextModel``.

    The outputs of the last layer are equal exactly: open_clip joins query, key and value projections,
    transformers keeps them apart; nothing else differs. As in Stable Diffusion 1.x, the text
    projection is left out.
    """
    from transformers import CLIPTextConfig, CLIPTextModel

    tower = clip.text
    width, layers = tower.transformer.width, tower.transformer.layers
    configuration = CLIPTextConfig(
        vocab_size=tower.vocab_size,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=tower.transformer.resblocks[0].attn.num_heads,
        max_position_embeddings=tower.context_length,
        hidden_act="gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    encoder = CLIPTextModel(configuration)
    source = tower.state_dict()
    weights = {
        "embeddings.token_embedding.weight": source["token_embedding.weight"],
        "embeddings.position_embedding.weight": source["positional_embedding"],
        "final_layer_norm.weight": source["ln_final.weight"],
        "final_layer_norm.bias": source["ln_final.bias"],
    }
    for layer in range(layers):
        theirs, ours = f"transformer.resblocks.{layer}.", f"encoder.layers.{layer}."
        for kind in ("weight", "bias"):
            for name, renamed in _RENAMED.items():
                weights[f"{ours}{renamed}.{kind}"] = source[f"{theirs}{name}.{kind}"]
            joint = source[f"{theirs}attn.in_proj_{kind}"]
            for name, part in zip(("q_proj", "k_proj", "v_proj"), joint.chunk(3), strict=True):
                weights[f"{ours}self_attn.{name}.{kind}"] = part
    expected = set(encoder.state_dict())
    prefix = "" if set(weights) & expected else "text_model."  # where transformers nests the tower
    missing, unexpected = encoder.load_state_dict({prefix + key: value for key, value in weights.items()}, strict=False)
    missing = [key for key in missing if not key.endswith("position_ids")]
    if missing or unexpected:
        raise RuntimeError(f"text tower does not fit CLIPTextModel: missing {missing}, unexpected {unexpected}")
    return encoder.eval().requires_grad_(False)


@torch.no_grad()
def largest_difference(clip: Any, encoder: CLIPTextModel, tokens: torch.Tensor) -> float:
    """Largest absolute difference of the two towers' last hidden states for these token ids [n, context]."""
    tower = clip.text
    hidden = tower.token_embedding(tokens) + tower.positional_embedding
    hidden = tower.ln_final(tower.transformer(hidden, attn_mask=tower.attn_mask))
    return float((hidden - encoder(tokens).last_hidden_state).abs().max())
