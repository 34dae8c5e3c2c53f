"""The only file that compiles the blocks of a UNet, and takes that back."""

import contextlib
from typing import Any

import torch
from torch import nn

LIMIT = 64  # variants, by shape and mode, of which torch keeps one for each; beyond them blocks run as they are written
MARK = "_crucible_compiler"


def compile_blocks(unet: Any, compiler: str) -> None:
    """Compile the transformer blocks of ``unet`` with what torch.compile calls ``compiler``; "" takes it back.

    Each kind of block is compiled when it is first asked, and once for all that are alike. What ``compiler`` cannot do
    runs as it is written.
    """
    if compiler == getattr(unet, MARK, ""):
        return
    for block in unet.modules():
        block._compiled_call_impl = None
    torch._dynamo.reset()
    if compiler:
        torch._dynamo.config.recompile_limit = LIMIT
        torch._dynamo.config.suppress_errors = True
        unet.compile_repeated_blocks(backend=compiler)
    setattr(unet, MARK, compiler)


def as_written(unet: nn.Module) -> contextlib.AbstractContextManager[Any]:
    """While open, nothing is compiled: the blocks of ``unet`` answer bit for bit as if they never had been."""
    return torch.compiler.set_stance("force_eager") if getattr(unet, MARK, "") else contextlib.nullcontext()
