"""Floating point operations of a diffusion pipeline's parts, counted from the shapes they were called with."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import _pytree as pytree
from torch.utils.flop_counter import FlopCounterMode

# Children of an autoencoder that are called beside its encoder and its decoder, and belong to their work.
_BELONGS_TO = {"quant_conv": "encoder", "post_quant_conv": "decoder"}


class CountedFlops:
    """Counts the FLOPs of whatever is made or learned with a pipeline while the context is open.

    One multiply-add is 2 FLOPs; convolutions, matrix products and attention are counted, all else is not: the
    convention of ``torch.utils.flop_counter``, and its numbers. One 512-pixel image of Stable Diffusion 1.4 with
    guidance and 50 PNDM steps, which call the UNet 51 times, takes 51 x 1.607 (UNet, batch of 2) + 2.515 (decoder) +
    0.027 (two prompts) = 84.5 TFLOP; 50 calls, as DDIM and DPM-Solver make them, take 82.9.

    While the context is open, a call is only noted by its shapes, which takes less than a millisecond; the first
    of its kind also copies the module without its weights (0.1 s for Stable Diffusion's UNet). The counting
    waits until ``total`` or ``by_part`` is read, and runs each kind of call once, on tensors without memory.

    A call with gradients enabled, of anything that requires one, is taken to be followed by one backward pass
    from all its outputs; what gradient checkpointing computes again is counted. A call that fails counts as if it
    had ended, a compiled module as if it were not. Contexts may be nested: each counts what happens in it.

    Not counted: modules that are no component of the pipeline; operations that PyTorch's counter does not know; and
    what is done to a part from outside it, as the optimiser's steps, the merging of adapters into weights, and the
    covariance from which transformers draws the rows of new words.

    Args:
        pipeline: of diffusers; all its components that are modules are counted, in place.

    Example:
        >>> with CountedFlops(diffusion.pipeline) as counted:
        ...     images = list(diffusion.text_to_image(["a zero"], [0], Sampling(steps=15, batch_size=60)))
        >>> counted.by_part
        {'text_encoder': 6553600, 'unet': 76116787200, 'vae.decoder': 1241210880, 'vae.encoder': 0}
    """

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._calls: Counter[_Call] = Counter()
        self._copies: dict[Hashable, torch.nn.Module] = {}  # without weights
        self._counts: dict[_Call, int] = {}
        self._parts: set[str] = set()
        self._hooks: list[Any] = []
        self._watched: set[tuple[str, torch.nn.Module]] = set()
        self._exchanged: set[str] = set()
        # Unlike tensors on the device "meta", fake ones keep their device, and with it the attention kernel that is
        # chosen: the fused ones compute the scores again on the way back.
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)

    def __enter__(self) -> CountedFlops:
        """Start noting calls.

        Raises:
            RuntimeError: if this context is open already.
        """
        if self._hooks:
            raise RuntimeError("this CountedFlops is open already: nest another one of the same pipeline")
        self._watched = set(_modules(self._pipeline))
        for part, module in self._watched:
            self._parts.add(part)
            self._hooks.append(module.register_forward_pre_hook(self._note(part, module), with_kwargs=True))
        return self

    def __exit__(self, *_: object) -> None:
        """Take the hooks away."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        self._exchanged |= {part for part, _ in self._watched ^ set(_modules(self._pipeline))}
        self._watched.clear()

    @property
    def total(self) -> int:
        """FLOPs of all parts until now; raises what ``by_part`` raises."""
        return sum(self.by_part.values())

    @property
    def by_part(self) -> dict[str, int]:
        """FLOPs of each part until now: ``unet``, ``vae.encoder``, ``vae.decoder``, ``text_encoder``.

        Raises:
            RuntimeError: if a part's calls cannot be repeated without its weights, or another module took a
                part's place while the context was open.
        """
        if self._exchanged:
            raise RuntimeError(f"not counted: {', '.join(sorted(self._exchanged))} became another module meanwhile")
        new = [call for call in self._calls if call not in self._counts]
        if new:
            # A thread of its own starts without the caller's modes: no autocast, no default device, no other counter.
            with ThreadPoolExecutor(1) as thread:
                self._counts.update(zip(new, thread.map(self._count, new), strict=True))
        totals = dict.fromkeys(sorted(self._parts), 0)
        for call, times in self._calls.items():
            totals[call.part] += times * self._counts[call]
        return totals

    def _note(self, part: str, watched: torch.nn.Module) -> Callable[[torch.nn.Module, tuple, dict], None]:
        def note(module: torch.nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            if module is not watched:
                return  # a copy of it, which has copies of its hooks
            module = getattr(module, "_orig_mod", module)  # of what torch.compile made
            leaves, structure = pytree.tree_flatten((args, kwargs))
            learns = torch.is_grad_enabled()
            state = _state(module, learns)
            bare = self._copies.get(state)
            if bare is None:
                # At once, and not when it is counted: adapters may have come or gone until then.
                bare = self._copies[state] = self._without_weights(module)
            self._calls[_Call(part, bare, structure, tuple(_describe(leaf, learns) for leaf in leaves), learns)] += 1

        return torch.compiler.disable(note)

    def _without_weights(self, module: torch.nn.Module) -> torch.nn.Module:
        """A copy whose parameters and buffers have no memory."""
        with self._fake:
            # Tensors do for parameters, and are made in half the time.
            memo = {id(each): _make(_describe(each, True)) for each in (*module.parameters(), *module.buffers())}
        copied = copy.deepcopy(module, memo)
        if "_old_forward" not in copied.__dict__:
            copied.__dict__.pop("forward", None)  # a compiled one, which is of the module with weights
        for part in copied.modules():
            # accelerate's hooks of an offloaded model would move what has no memory.
            if "_old_forward" in part.__dict__:
                part.forward = part.__dict__.pop("_old_forward")
                part.__dict__.pop("_hf_hook", None)
        return copied

    def _count(self, call: _Call) -> int:
        try:
            with self._fake, FlopCounterMode(display=False) as counter, torch.set_grad_enabled(call.learns):
                args, kwargs = pytree.tree_unflatten([_make(leaf) for leaf in call.leaves], call.structure)
                made = pytree.tree_leaves(call.bare(*args, **kwargs))
                ends = [each for each in made if isinstance(each, torch.Tensor) and each.requires_grad]
                if ends:
                    torch.autograd.backward(ends, [torch.ones_like(each) for each in ends])
        except Exception as error:
            raise RuntimeError(f"not counted: {call.part}, which does not run without its weights ({error})") from error
        finally:
            call.bare.zero_grad()
        return int(counter.get_total_flops())


@dataclass(frozen=True)
class _Tensor:
    """What of a tensor decides how many operations it takes part in."""

    shape: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device
    learns: bool


def _describe(value: Any, learns: bool) -> Hashable:
    """What is no tensor stands for itself, beside its type, as True equals 1."""
    if not isinstance(value, torch.Tensor):
        return type(value), value
    return _Tensor(value.shape, value.stride(), value.dtype, value.device, learns and value.requires_grad)


def _make(described: Any) -> Any:
    """A tensor as it was described, without memory where fake tensors are made; what is no tensor itself."""
    if not isinstance(described, _Tensor):
        return described[1]
    made = torch.empty_strided(described.shape, described.stride, dtype=described.dtype, device=described.device)
    return made.requires_grad_(described.learns)


@dataclass(frozen=True)
class _Call:
    """Calls that are equal take the same number of operations."""

    part: str
    bare: torch.nn.Module
    structure: Any
    leaves: tuple[Any, ...]
    learns: bool


def _state(module: torch.nn.Module, learns: bool) -> Hashable:
    """What may change about a module while it is used: adapters, checkpointing, which weights are learned."""
    # This is asked at every call: it is flat, of what exists already, and leaves shapes to the modules' identities.
    found: list[Any] = []
    modules = [module]
    for each in modules:  # grows meanwhile
        has = each.__dict__
        if has["_modules"]:
            modules += [child for child in has["_modules"].values() if child is not None]
        found += id(each), type(each), has["training"], has.get("gradient_checkpointing"), type(has.get("processor"))
        if "merged_adapters" in has:  # a layer with adapters of peft
            found += str(each.merged_adapters), str(each.active_adapters), each.disable_adapters, str(each.r)
        if learns:
            found += [weights is not None and weights.requires_grad for weights in has["_parameters"].values()]
    return tuple(found)


def _modules(pipeline: Any) -> Iterator[tuple[str, torch.nn.Module]]:
    """The modules that a pipeline calls, with the part that each belongs to."""
    for name, component in pipeline.components.items():
        if not isinstance(component, torch.nn.Module):
            continue
        children = dict(component.named_children())
        if {"encoder", "decoder"} <= children.keys():  # an autoencoder's are called one by one
            yield from ((f"{name}.{_BELONGS_TO.get(child, child)}", module) for child, module in children.items())
        else:
            yield name, component
