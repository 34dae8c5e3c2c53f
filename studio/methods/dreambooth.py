"""The only file that knows DreamBooth: the weights themselves learn (Ruiz et al., 2022)."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Literal

from torch import Tensor

from studio.errors import ModelError
from studio.formats import checkpoint, readback
from studio.formats.metadata import checkpoint_metadata
from studio.methods.base import Method, ParamGroup, Target, Writer


def _single(method: Method, target: Target) -> Path:
    """A1111's single file."""
    path = target.folder / f"{target.name}.safetensors"
    models = method.models
    parts = {**models.modules(), "vae": models.vae}
    states = {name: module.state_dict() for name, module in parts.items()}
    about, marks = checkpoint_metadata(target.about), models.family.marks(models)
    checkpoint.write_single(path, states, models.family.name, target.dtype, about, marks)
    try:
        readback.check_single(path, parts, models.family.name, target.dtype)
    except ModelError:
        path.unlink()
        raise
    return path


def _folder(method: Method, target: Target) -> Path:
    """The folder that diffusers loads."""
    path = target.folder / f"{target.name}-diffusers"
    return checkpoint.write_folder(path, method.models.family.pipeline(method.models), target.dtype)


class DreamBooth(Method, kind="dreambooth"):
    """Every weight of the UNet learns, and on wish the text encoder's; the result is a base model of its own."""

    title = "DreamBooth"
    colour = "#DB4F45"
    sentence = "Trains everything. Best likeness, largest file, forgets most."
    usage = "choose {name} as checkpoint, then write: {trigger}"
    families = frozenset({"sd1", "sd2", "sdxl"})
    whole = True
    splits = True
    exports: ClassVar[Mapping[str, Writer]] = {"single-file": _single, "diffusers": _folder}

    class Options(Method.Options):
        """DreamBooth's settings."""

        kind: Literal["dreambooth"] = "dreambooth"
        train_text_encoder: bool = False
        """Let the text encoder learn too: better likeness, more memory, more forgetting."""

    options: Options

    def usage_line(self, name: str, form: str = "") -> str:
        """A fine-tune without trigger has no word to write; the folder is for diffusers."""
        if form == "diffusers":
            return f'DiffusionPipeline.from_pretrained("{name}-diffusers")'
        return super().usage_line(name, form).removesuffix(", then write:")

    def attach(self) -> list[ParamGroup]:
        """Free the weights, in ``learns_in``; the originals are kept on the CPU."""
        parts = {"unet": self.models.unet}
        if self.options.train_text_encoder:
            parts |= self.models.text_encoders
        self.live = {}
        self._original: dict[str, Tensor] = {}
        groups = []
        for part, module in parts.items():
            params = {f"{part}.{name}": p for name, p in module.named_parameters() if self.reaches(f"{part}.{name}")}
            for name, parameter in params.items():
                if not self.spends:
                    self._original[name] = parameter.data.detach().to("cpu", copy=True)
                parameter.data = parameter.data.to(self.learns_in)
                parameter.requires_grad_(True)
            module.train()
            self.live |= params
            groups.append(ParamGroup("unet" if part == "unet" else "text", params))
        return groups

    def detach(self) -> None:
        """Put the original weights back, unless the base is dropped."""
        for name, parameter in ({} if self.spends else self.live).items():
            parameter.requires_grad_(False)
            parameter.grad = None
            parameter.data = self._original[name].to(self.models.device)
        for module in self.models.modules().values():
            module.eval()
        self.live, self._original = {}, {}

    @contextlib.contextmanager
    def detached(self) -> Iterator[None]:
        """Swap the original weights in for a while."""
        learnt = {name: parameter.data for name, parameter in self.live.items()}
        try:
            for name, parameter in self.live.items():
                parameter.data = self._original[name].to(parameter.device)
            yield
        finally:
            for name, parameter in self.live.items():
                parameter.data = learnt[name]
