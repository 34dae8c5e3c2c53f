"""The only file that knows the LyCORIS algorithms: lycoris-lora's module classes, put in place by our own targeting.

``create_lycoris`` and ``apply_preset`` are not used: they keep process-wide state and miss diffusers' layers.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from studio.errors import ModelError, SpecError
from studio.formats import lycoris
from studio.formats.metadata import lora_metadata
from studio.formats.names import kohya_module
from studio.methods import chance, fit
from studio.methods.base import FromFile, Method, ParamGroup, Target, Weights, Writer
from studio.methods.targets import TARGETS, TEXT_TARGETS, places

RANKED = ("lora_down.weight", "hada_w1_b", "a2.weight", "lokr_w2_b", "lokr_w1_b")  # whose first side is the rank
HOME = "lycoris"  # where the modules live on what they touch


def _kohya(method: Method, target: Target) -> Path:
    """What A1111, Forge, ComfyUI and LyCORIS load, as far as each knows the algorithm."""
    assert isinstance(method, Lycoris)
    path = target.folder / f"{target.name}.safetensors"
    modules = {method.paths[name]: parts for name, parts in method.saved().items()}
    about = lora_metadata(target.about)
    return lycoris.write(path, method.kind, modules, method.models.family.name, target.dtype, about)


class Lycoris(Method):
    """What the algorithms share; each subclass names its module class and its own settings."""

    usage = "<lora:{name}:1> {trigger}"
    readers = "A1111, Forge, ComfyUI"
    families = frozenset({"sd1", "sd2", "sdxl"})
    exports: ClassVar[Mapping[str, Writer]] = {"kohya": _kohya}
    module_class: ClassVar[tuple[str, str]]
    shaped_by: ClassVar[tuple[str, ...]] = ("rank",)
    """Settings that decide the tensors' shapes."""

    class Options(FromFile):
        """Settings of every LyCORIS algorithm."""

        rank: int = Field(8, ge=1, le=512)
        """Size of the additions: more learns more, and makes a larger file."""
        alpha: float = Field(8.0, gt=0, le=512)
        """The additions count alpha / rank."""
        targets: Literal["qkv", "attn", "attn-mlp", "full", "ia3"] = "full"
        """Where they go: query, key and value; all of attention; with its MLP; with convolutions; (IA)^3's own."""
        dropout: float = Field(0.0, ge=0, lt=1)
        """Share of the additions left out at random while training."""
        train_text_encoder: bool = False
        """Put additions on the text encoder too, with its own learning rate."""

    options: Any

    def arguments(self) -> dict[str, Any]:
        """What the module class is made with, beside name and layer."""
        options = self.options
        return {"lora_dim": options.rank, "alpha": options.alpha, "dropout": options.dropout}

    def attach(self) -> list[ParamGroup]:
        """Make a module for each place, deterministic in the seed, and let it answer for its layer."""
        self.modules: dict[str, Any] = {}
        self.paths: dict[str, str] = {}  # canonical, by kohya's name
        groups = [self._put("unet", "unet", self.models.unet, TARGETS[self.options.targets])]
        if self.options.train_text_encoder:
            for name, encoder in self.models.text_encoders.items():
                groups.append(self._put("text", name, encoder, TEXT_TARGETS))
        self.live = {name: parameter for group in groups for name, parameter in group.params.items()}
        return groups

    def _put(self, part: str, prefix: str, root: nn.Module, pattern: str) -> ParamGroup:
        import importlib

        cls = getattr(importlib.import_module(f"lycoris.modules.{self.module_class[0]}"), self.module_class[1])
        made = nn.ModuleDict()
        params: dict[str, nn.Parameter] = {}
        with chance.own(self.seed):
            for path in (path for path in places(root, pattern) if self.reaches(f"{prefix}.{path}")):
                layer = root.get_submodule(path)
                name = kohya_module(f"{prefix}.{path}", self.models.family.name)
                try:
                    module = cls(name, layer, 1.0, **self.arguments()).to(self.models.device, self.learns_in)
                except ValueError as error:
                    raise SpecError(f"{self.title} cannot work on {path}: {error}; choose another rank.") from error
                module.train().apply_to()
                self._prepare(module)
                made[name] = self.modules[name] = module
                self.paths[name] = f"{prefix}.{path}"
                params |= {f"{prefix}.{path}.{key}": parameter for key, parameter in module.named_parameters()}
        root.add_module(HOME, made)
        for parameter in params.values():
            parameter.requires_grad_(True)
        return ParamGroup(part, params)

    def _prepare(self, module: Any) -> None:
        """Where an algorithm's module needs a change before it works here."""

    def detach(self) -> None:
        """Give every layer its own forward back."""
        for module in getattr(self, "modules", {}).values():
            self._release(module)
        for root in self.models.modules().values():
            if hasattr(root, HOME):
                delattr(root, HOME)
        self.modules, self.live = {}, {}

    def _release(self, module: Any) -> None:
        module.restore()
        layer = module.org_module[0]
        layer.__dict__.pop("forward", None)
        layer.__dict__.pop("_lycoris_wrappers", None)
        layer.requires_grad_(False).to(self.models.device)

    @contextlib.contextmanager
    def detached(self) -> Iterator[None]:
        """Release the layers for a while; the learnt values are kept aside, for some algorithms fold them in."""
        kept = {name: parameter.data.clone() for name, parameter in self.live.items()}
        try:
            for module in self.modules.values():
                self._release(module)
            yield
        finally:
            for module in self.modules.values():
                module.apply_to()
            for name, parameter in self.live.items():
                parameter.data.copy_(kept[name])

    def saved(self) -> dict[str, dict[str, Tensor]]:
        """Each module's tensors by LyCORIS' own key, by kohya module name."""
        return {name: dict(module.state_dict()) for name, module in self.modules.items()}

    @classmethod
    def examine(cls, path: Path, options: Any) -> None:
        """A file in kohya's naming that holds this algorithm's keys."""
        fit.require_kind(path, cls.kind)

    def begun(self, path: Path) -> Weights:
        """The algorithm's own file; layers that nothing here depends on are left out."""
        self.examine(path, self.options)
        held = lycoris.read(path, fit.module_paths(self.models))
        found = {m: {key: t.float() for key, t in parts.items()} for m, parts in held.items() if self.reaches(m)}
        fit.require(path, {**fit.reach(path, found, self), **self.asks(path, found)}, self.options)
        weights = {
            f"{module}.{key}": tensor
            for module, parts in found.items()
            for key, tensor in self.taken(self.modules[kohya_module(module, self.models.family.name)], parts).items()
        }
        for name, parameter in self.live.items():
            if name not in weights or weights[name].shape != parameter.shape:
                shape = tuple(weights[name].shape) if name in weights else "missing"
                settings = ", ".join(f"method.{setting}" for setting in self.shaped_by)
                raise ModelError(
                    f"'{path.name}' was made with other settings: {name} is {shape} there and "
                    f"{tuple(parameter.shape)} here; try another {settings}."
                )
        return weights

    def asks(self, path: Path, found: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Any]:
        """What a file's tensors, by module and key, say of the options; raises ModelError for mixed ranks."""
        told = set()
        for parts in found.values():
            ranks = [int(parts[key].shape[0]) for key in RANKED if key in parts]
            if ranks:
                told.add((ranks[0], float(parts["alpha"]) if "alpha" in parts else float(ranks[0])))
        if len(told) > 1:
            raise ModelError(f"'{path.name}' has several ranks or alphas; it cannot be trained further here.")
        if not told:
            return {}
        rank, alpha = told.pop()
        stable = getattr(self.options, "rank_stabilised", False)
        return {"rank": rank, "alpha": round((alpha or rank) / (rank**0.5 if stable else 1), 5)}

    def taken(self, module: Any, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The values of ``module``'s parameters, from a file's tensors by LyCORIS' own key."""
        return {key: parts[key] for key, _ in module.named_parameters() if key in parts}


class Decomposable(Lycoris):
    """The algorithms that can learn a weight's size apart from its direction."""

    class Options(Lycoris.Options):
        """Settings of the algorithms that allow DoRA."""

        rank_stabilised: bool = False
        """Divide by the root of the rank instead of the rank, so that large ranks keep learning."""
        dora: bool = False
        """Learn each weight's size apart from its direction (DoRA): finer, and slower."""

    def arguments(self) -> dict[str, Any]:
        """Adds rank stabilisation and DoRA; its sizes are those of the inputs, which alone A1111 reads rightly."""
        options = self.options
        more = {"rs_lora": options.rank_stabilised, "weight_decompose": options.dora, "wd_on_out": False}
        return super().arguments() | more

    def asks(self, path: Path, found: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Any]:
        """Adds DoRA, which shows in the file."""
        keys = {key for parts in found.values() for key in parts}
        if "lokr_t2" in keys:
            raise ModelError(f"'{path.name}' decomposes its convolutions (Tucker), which LoKr does not learn on here.")
        return super().asks(path, found) | {"dora": "dora_scale" in keys}


class Tucked(Decomposable):
    """The algorithms whose convolutions can be decomposed further; LoKr's then fail in ComfyUI and Forge."""

    shaped_by: ClassVar[tuple[str, ...]] = ("rank", "tucker")

    class Options(Decomposable.Options):
        """Settings of the algorithms that allow Tucker."""

        tucker: bool = False
        """Decompose 3x3 convolutions further (Tucker): smaller files."""

    def arguments(self) -> dict[str, Any]:
        """Adds Tucker."""
        return super().arguments() | {"use_tucker": self.options.tucker}

    def asks(self, path: Path, found: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Any]:
        """Adds Tucker, where it shows."""
        keys = {key for parts in found.values() for key in parts}
        return super().asks(path, found) | ({"tucker": True} if keys & {"lora_mid.weight", "hada_t1"} else {})


class LoCon(Tucked, kind="locon"):
    """LoRA on convolutions too."""

    title = "LoCon"
    colour = "#8A9420"
    sentence = "LoRA on convolutions too. Better at texture and style than LoRA."
    module_class = ("locon", "LoConModule")

    class Options(Tucked.Options):
        """LoCon's settings."""

        kind: Literal["locon"] = "locon"


class LoHa(Tucked, kind="loha"):
    """Hadamard product of two low-rank pairs (Hyeon-Woo et al., 2021)."""

    title = "LoHa"
    colour = "#C07F16"
    sentence = "Product of two low-rank pairs: more expressive at the same size. Slower."
    module_class = ("loha", "LohaModule")

    class Options(Tucked.Options):
        """LoHa's settings."""

        kind: Literal["loha"] = "loha"


class LoKr(Decomposable, kind="lokr"):
    """Kronecker product of two small matrices (Edalati et al., 2022)."""

    title = "LoKr"
    colour = "#B0683A"
    sentence = "Kronecker factors. Very small file, likes a higher learning rate."
    module_class = ("lokr", "LokrModule")
    shaped_by = ("rank", "factor", "full_matrix", "decompose_both")

    class Options(Decomposable.Options):
        """LoKr's settings."""

        kind: Literal["lokr"] = "lokr"
        factor: int = Field(-1, ge=-1, le=512)
        """Size of the first factor; -1 splits as evenly as can be, 8 gives larger files that learn more."""
        full_matrix: bool = False
        """Leave the second factor whole instead of low-rank; rank and alpha then mean nothing."""
        decompose_both: bool = False
        """Make the first factor low-rank too."""

    def arguments(self) -> dict[str, Any]:
        """Adds the factorisation."""
        options = self.options
        more = {"factor": options.factor, "full_matrix": options.full_matrix, "decompose_both": options.decompose_both}
        return super().arguments() | more
