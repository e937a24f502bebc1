"""The denoiser itself, fine-tuned on the originals with their class prompts."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.conditions import ClassPrompts, Conditions
from retrieval_vs_diffusion.strategies.prompts import Templates
from retrieval_vs_diffusion.strategies.source import Surroundings
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.diffusion import Diffusion
    from retrieval_vs_diffusion.strategies.learned import Learned

_LORA_FILE = "pytorch_lora_weights.safetensors"  # the name under which `load_lora_weights` looks for it
_UNET_FILE = "diffusion_pytorch_model.safetensors"


@part
class Denoiser:
    """The UNet learns the target: by low-rank adapters, or all of it (Burg et al. 2023; Kim et al. 2024).

    ``low_rank`` is LoRA (Hu et al. 2021; arXiv 2106.09685) on the attention's projections through peft, as
    DataDream (arXiv 2407.10910) does for few-shot classes; its file is loaded by diffusers'
    ``load_lora_weights``. ``full`` changes every weight and saves the UNet.

    Args:
        method: ``low_rank`` or ``full``.
        rank: of the adapters.
        prompts: templates with which the originals are shown.
        training: steps, rate, early stopping.
    """

    method: Literal["low_rank", "full"] = "low_rank"
    rank: Annotated[int, Field(ge=1)] = 8
    prompts: Templates = ("a photo of a {name}",)
    training: PersonalisationTraining = field(default_factory=PersonalisationTraining)

    @property
    def needs(self) -> tuple[str, ...]:
        """The model, and what it is shown."""
        return ("diffusion", "originals")

    @property
    def class_fields(self) -> tuple[str, ...]:
        """What the templates ask for."""
        return prompts.fields_used(self.prompts)

    def learn(self, surroundings: Surroundings) -> Learned:
        """Optimise the UNet's weights or its adapters on the denoising loss of the originals."""
        import torch

        from retrieval_vs_diffusion.strategies.learned import Learned
        from retrieval_vs_diffusion.training.denoising import encode_originals, optimise_denoising

        diffusion = surroundings.resources["diffusion"]
        templates = prompts.expand(self.prompts)
        encoded = torch.stack(
            [
                torch.stack([diffusion.encode(prompts.fill(template, each)) for each in surroundings.fields()])
                for template in templates
            ]
        )
        held_out = surroundings.seed("held out")
        originals = surroundings.resources["originals"]
        images = encode_originals(diffusion, originals, self.training.held_out_share, held_out)

        def conditions_of(positions: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
            template = torch.zeros(len(positions), dtype=torch.long)
            if generator is not None:
                template = torch.randint(len(templates), (len(positions),), generator=generator)
            return encoded[template, images.labels[positions]]

        unet = diffusion.pipeline.unet
        curve = optimise_denoising(
            diffusion,
            self._parameters(unet, surroundings.seed("adapters")),
            conditions_of,
            images,
            surroundings.class_names,
            self.training,
            surroundings.seed("denoiser"),
            f"{surroundings.strategy}: learning",
        )
        return Learned(surroundings.name, self._files(unet), {"method": self.method}, curve)

    def teach(self, learned: Learned, diffusion: Diffusion, surroundings: Surroundings) -> Conditions:
        """Change the UNet; prompts stay what they are."""
        if learned.about["method"] == "low_rank":
            diffusion.add_low_rank_weights(learned.files[_LORA_FILE])
        else:
            diffusion.replace_denoiser(learned.files[_UNET_FILE])
        return ClassPrompts(surroundings.fields())

    def _parameters(self, unet: Any, seed: int) -> list[Any]:
        """What is optimised, in single precision: steps this small vanish in half precision."""
        import torch

        unet.requires_grad_(False)
        if self.method == "full":
            return list(unet.float().requires_grad_(True).parameters())
        from peft import LoraConfig

        with torch.random.fork_rng():  # peft draws the adapters from torch's global generator
            torch.manual_seed(seed)
            projections = ["to_q", "to_k", "to_v", "to_out.0"]
            unet.add_adapter(LoraConfig(r=self.rank, lora_alpha=self.rank, target_modules=projections))
        adapters = [each for each in unet.parameters() if each.requires_grad]
        for each in adapters:
            each.data = each.data.float()
        return adapters

    def _files(self, unet: Any) -> dict[str, dict[str, Any]]:
        if self.method == "full":
            return {_UNET_FILE: {key: value.cpu() for key, value in unet.state_dict().items()}}
        from diffusers.utils import convert_state_dict_to_diffusers
        from peft.utils import get_peft_model_state_dict

        weights = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
        return {_LORA_FILE: {f"unet.{key}": value.detach().cpu() for key, value in weights.items()}}
