"""A denoiser that runs compiled while images are sampled, and as it is while it learns or is taught."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from retrieval_vs_diffusion.errors import UserError

# Of torch.compile; `reduce-overhead` and `max-autotune` record CUDA graphs on a GPU.
MODES = ("default", "reduce-overhead", "max-autotune")
_COMPILERS = ("c++", "g++", "clang++", "cl")


class CompiledDenoiser:
    """Puts a compiled ``forward`` in the place of a module's own, for a while.

    Shapes are fixed: each batch size and resolution is compiled once, in its first call, which takes a minute or more;
    Diffusion pads batches to one size. The module stays what it is: its weights keep their names, what is hooked on
    its calls is called, and learning, which wants gradients, runs as ever. Fused kernels round otherwise: images
    differ in the last bits.

    Args:
        mode: one of ``MODES``.
        backend: of torch.compile.

    Raises:
        UserError: if there is no C++ compiler, which the backend's kernels need.
    """

    def __init__(self, mode: str, backend: str = "inductor") -> None:
        if backend == "inductor":
            _check_compiler()
        self._options = {"mode": mode} if backend == "inductor" else {}
        self._backend = backend
        self._made: tuple[int, Callable[..., Any]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What was compiled stays in its process."""
        return {**self.__dict__, "_made": None}

    @contextmanager
    def instead_of(self, module: torch.nn.Module) -> Iterator[None]:
        """Have a module run compiled while the context is open.

        Raises:
            UserError: if it cannot be compiled.
        """
        from torch._dynamo.exc import TorchDynamoException

        module.forward = self._of(module)  # beside its class's own, which comes back when this one goes
        try:
            yield
        except TorchDynamoException as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"diffusion.compile: the denoiser cannot be compiled ({reason}); null will do") from error
        finally:
            del module.forward

    def _of(self, module: torch.nn.Module) -> Callable[..., Any]:
        if self._made is None or self._made[0] != id(module):
            own = type(module).forward.__get__(module)
            compiled = torch.compile(own, fullgraph=True, dynamic=False, backend=self._backend, **self._options)

            def forward(*given: Any, **named: Any) -> tuple[torch.Tensor, ...]:
                torch.compiler.cudagraph_mark_step_begin()
                # The next replay of a CUDA graph overwrites what it gave; some schedulers keep it for some steps.
                return tuple(each.clone() for each in compiled(*given, **named))

            self._made = id(module), forward
        return self._made[1]


def _check_compiler() -> None:
    named = os.environ.get("CXX")
    if not any(shutil.which(each) for each in ([named] if named else _COMPILERS)):
        looked_for = f"CXX names {named}, which is not there" if named else f"none of {', '.join(_COMPILERS)} is there"
        raise UserError(f"diffusion.compile: needs a C++ compiler, and {looked_for}; install one, or give null")
