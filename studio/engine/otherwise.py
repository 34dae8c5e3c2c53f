"""The only file that does what the engine does in other ways, slower and plainer, for the engine to be held against."""

from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from studio.data.cache import Cache
from studio.engine.bench import Bench
from studio.engine.course import Run
from studio.engine.learner import Batch, Learner
from studio.families.base import Cond
from studio.formats.tensors import save_tensors
from studio.methods.base import Method
from studio.objective import Draw

TOGETHER = 4  # batches that one side adds up, and pictures that the other has at once


class Exact(Cache):
    """Keeps pictures as the VAE gives them, in float32."""

    def put(self, path: Path, tensor: Tensor) -> None:
        """Keep ``tensor`` as it is."""
        save_tensors(path, {"kept": tensor})


class Uncached(Bench):
    """Encodes every picture anew for every batch, and keeps nothing."""

    def batch(self, step: int, slot: int, slots: int, method: Method) -> tuple[Batch, Draw]:
        """The batch, from the pictures themselves."""
        kept = self._latents, self.train, self.held_out
        try:
            with TemporaryDirectory(prefix="crucible-") as folder:
                self._latents = Exact(Path(folder))
                for _ in self.fill():
                    pass
                return self._prepared((step, slot, slots, method))
        finally:
            self._latents, self.train, self.held_out = kept


class Forgetful(Learner):
    """Asks the text encoder at every step."""

    def conditioning(self, prompts: Any) -> Cond:
        """What the text side answers now."""
        with torch.no_grad():
            return self._models.family.encode(self._models, prompts)


class Joined(Bench):
    """Gives at once what accumulation sees one after the other."""

    def batch(self, step: int, slot: int, slots: int, method: Method) -> tuple[Batch, Draw]:
        """The batches of ``TOGETHER`` slots as one."""
        found = [self._prepared((step, slot * TOGETHER + turn, slots * TOGETHER, method)) for turn in range(TOGETHER)]
        batches, chances = zip(*found, strict=True)
        prompts = [prompt for batch in batches for prompt in batch.prompts]
        moments, weights = (torch.cat([getattr(batch, key) for batch in batches]) for key in ("moments", "weights"))
        return Batch(moments, prompts, weights), Draw.join(chances)


class UncachedRun(Run):
    """A run that keeps neither pictures nor captions in encoded form."""

    benches = Uncached
    learners = Forgetful


class JoinedRun(Run):
    """A run whose batches are several at once."""

    benches = Joined


def plain_attention() -> AbstractContextManager[None]:
    """While open, attention is computed as it is written: scores, softmax, sum."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    found: AbstractContextManager[None] = sdpa_kernel(SDPBackend.MATH)
    return found
