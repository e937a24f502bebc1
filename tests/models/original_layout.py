"""Diffusion pipelines as one file in the layout of the code that they were trained with; written from its names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
OUTER = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def write_single_file(pipeline, file: Path, metadata: dict[str, str] | None = None, **more: torch.Tensor) -> None:
    """Write a pipeline of Stable Diffusion 1.x, 2.x or XL, told apart by their text encoders."""
    tensors = {f"model.diffusion_model.{name}": value for name, value in unet(pipeline.unet)}
    tensors |= {f"first_stage_model.{name}": value for name, value in vae(pipeline.vae)}
    if hasattr(pipeline, "text_encoder_2"):
        tensors |= {f"conditioner.embedders.0.transformer.{k}": v for k, v in openai(pipeline.text_encoder)}
        tensors |= {f"conditioner.embedders.1.model.{k}": v for k, v in open_clip(pipeline.text_encoder_2)}
    elif pipeline.text_encoder.config.hidden_act == "quick_gelu":
        tensors |= {f"cond_stage_model.transformer.{k}": v for k, v in openai(pipeline.text_encoder)}
    else:
        tensors |= {f"cond_stage_model.model.{k}": v for k, v in open_clip(pipeline.text_encoder)}
    save_file({name: value.contiguous().clone() for name, value in {**tensors, **more}.items()}, file, metadata)


def unet(module) -> Iterator[tuple[str, torch.Tensor]]:
    each = module.config.layers_per_block + 1
    attends = ["CrossAttn" in kind for kind in module.config.up_block_types]
    for name, value in module.state_dict().items():
        stem, kind = name.rsplit(".", 1)
        if stem in OUTER:
            yield f"{OUTER[stem]}.{kind}", value
            continue
        side, rest = name.split("_block", 1)
        if side == "mid":
            what, number, inner = re.fullmatch(r"\.(resnets|attentions)\.(\d+)\.(.*)", rest).groups()
            place = f"middle_block.{2 * int(number) if what == 'resnets' else 1}"
        else:
            block, what, number, inner = re.fullmatch(r"s\.(\d+)\.(\w+)\.(\d+)\.(.*)", rest).groups()
            first = each * int(block)
            if what == "downsamplers":
                yield f"input_blocks.{first + each}.0.op.{kind}", value
                continue
            if what == "upsamplers":
                yield f"output_blocks.{first + each - 1}.{2 if attends[int(block)] else 1}.conv.{kind}", value
                continue
            position = first + int(number) + (1 if side == "down" else 0)
            blocks = "input_blocks" if side == "down" else "output_blocks"
            place = f"{blocks}.{position}.{0 if what == 'resnets' else 1}"
        if what == "resnets":
            layer = inner.rsplit(".", 1)[0]
            inner = f"{RESNET[layer]}.{kind}"
        yield f"{place}.{inner}", value


def vae(module) -> Iterator[tuple[str, torch.Tensor]]:
    last = len(module.config.block_out_channels) - 1
    for name, value in module.state_dict().items():
        name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        name = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
        name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
        name = re.sub(
            r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda found: f"up.{last - int(found[1])}.block.{found[2]}", name
        )
        name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda found: f"up.{last - int(found[1])}.upsample", name)
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", name)
        if "mid_block.attentions.0" in name:
            name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("group_norm", "norm")
            name = re.sub(r"to_([qkv])\.", r"\1.", name).replace("to_out.0", "proj_out")
            value = value[..., None, None] if value.ndim == 2 else value  # convolutions of one pixel
        yield name, value


def openai(module) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in module.state_dict().items():
        yield f"text_model.{name.removeprefix('text_model.')}", value


def open_clip(module) -> Iterator[tuple[str, torch.Tensor]]:
    state = {name.removeprefix("text_model."): value for name, value in module.state_dict().items()}
    yield "token_embedding.weight", state["embeddings.token_embedding.weight"]
    yield "positional_embedding", state["embeddings.position_embedding.weight"]
    if "text_projection.weight" in state:
        yield "text_projection", state["text_projection.weight"].T
    for kind in ("weight", "bias"):
        yield f"ln_final.{kind}", state[f"final_layer_norm.{kind}"]
        for number in range(module.config.num_hidden_layers):
            old, new = f"encoder.layers.{number}", f"transformer.resblocks.{number}"
            for before, after in {
                "layer_norm1": "ln_1",
                "layer_norm2": "ln_2",
                "mlp.fc1": "mlp.c_fc",
                "mlp.fc2": "mlp.c_proj",
                "self_attn.out_proj": "attn.out_proj",
            }.items():
                yield f"{new}.{after}.{kind}", state[f"{old}.{before}.{kind}"]
            parts = [state[f"{old}.self_attn.{each}_proj.{kind}"] for each in "qkv"]
            yield f"{new}.attn.in_proj_{kind}", torch.cat(parts)
