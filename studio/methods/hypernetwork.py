"""The only file that knows the Hypernetwork: small networks in front of every attention's keys and values.

As in AUTOMATIC1111's web UI: ``k = to_k(x + K(x))`` and ``v = to_v(x + V(x))`` in self- and cross-attention, with one
pair (K, V) for each width of the context, shared by all layers of that width.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from studio.errors import ModelError
from studio.formats import hypernet
from studio.methods import chance, fit
from studio.methods.base import FromFile, Method, ParamGroup, Target, Weights, Writer

ACTIVATIONS: dict[str, type[nn.Module]] = {  # the nine that A1111 and ComfyUI both know; A1111's swish is Hardswish
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "leakyrelu": nn.LeakyReLU,
    "elu": nn.ELU,
    "swish": nn.Hardswish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softsign": nn.Softsign,
    "mish": nn.Mish,
}
INITS = {  # ours and A1111's names
    "normal": "Normal",
    "xavier-uniform": "XavierUniform",
    "xavier-normal": "XavierNormal",
    "kaiming-uniform": "KaimingUniform",
    "kaiming-normal": "KaimingNormal",
}
NOT_PORTABLE = "not in ComfyUI, which reads layer norms wrongly"
HOME = "hypernetwork"  # where the networks live on the UNet while they are attached


class Context(nn.Module):
    """One network of a pair: ``x + linear(x)`` in float32, laid out layer by layer as A1111 does."""

    def __init__(self, width: int, options: "Hypernetwork.Options") -> None:
        super().__init__()
        widths = [int(width * factor) for factor in options.layers]
        parts: list[nn.Module] = []
        for index in range(len(widths) - 1):
            last = index == len(widths) - 2
            parts.append(nn.Linear(widths[index], widths[index + 1]))
            if options.activation != "linear" and (not last or options.activate_output):
                parts.append(ACTIVATIONS[options.activation]())
            if options.layer_norm:
                parts.append(nn.LayerNorm(widths[index + 1]))
            if options.dropout and not last:
                parts.append(nn.Dropout(options.dropout))
        self.linear = nn.Sequential(*parts)
        self.strength = 1.0
        for part in parts:
            if isinstance(part, nn.Linear | nn.LayerNorm):
                _initialise(part, options.init)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> the same shape and dtype."""
        with torch.autocast(x.device.type, enabled=False):
            plain = x.float()
            return (plain + self.linear(plain) * self.strength).to(x.dtype)


def _initialise(part: nn.Linear | nn.LayerNorm, how: str) -> None:
    weight, bias = part.weight.data, part.bias.data
    if how == "normal" or isinstance(part, nn.LayerNorm):
        nn.init.normal_(weight, 0.0, 0.01)  # A1111 starts layer norms like this too
        nn.init.zeros_(bias)
        return
    nn.init.zeros_(bias)
    leaky = {"nonlinearity": "leaky_relu"}
    {
        "xavier-uniform": lambda: nn.init.xavier_uniform_(weight),
        "xavier-normal": lambda: nn.init.xavier_normal_(weight),
        "kaiming-uniform": lambda: nn.init.kaiming_uniform_(weight, **leaky),
        "kaiming-normal": lambda: nn.init.kaiming_normal_(weight, **leaky),
    }[how]()


def _by_net(weights: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """Names of the weights by network (`768_k`), in the order of their layers."""
    nets: dict[str, list[str]] = {}
    for name in sorted(weights, key=lambda name: (int(name.split(".")[3]), name)):
        nets.setdefault(name.split(".")[1], []).append(name)
    return nets


def _a1111(method: Method, target: Target) -> Path:
    """What A1111 and ComfyUI load; Forge of 2025 opens it too, but no longer uses it."""
    assert isinstance(method, Hypernetwork)
    path = target.folder / f"{target.name}.pt"
    return hypernet.write(path, method.state(), method.facts(), target.about)


class Hypernetwork(Method, kind="hypernetwork"):
    """A pair of small networks for each context width learns; put in place by forward pre-hooks on to_k and to_v."""

    title = "Hypernetwork"
    colour = "#9B6BD6"
    sentence = "Small networks in front of every attention. Good for style, older UIs only."
    usage = "<hypernet:{name}:1> {trigger}"
    readers = "A1111, ComfyUI"
    families = frozenset({"sd1", "sd2", "sdxl"})
    exports: ClassVar[Mapping[str, Writer]] = {"a1111": _a1111}

    class Options(FromFile):
        """The Hypernetwork's settings."""

        kind: Literal["hypernetwork"] = "hypernetwork"
        layers: tuple[float, ...] = (1, 2, 1)
        """Width of each layer as a multiple of the context's; it begins and ends with 1."""
        activation: Literal["linear", "relu", "leakyrelu", "elu", "swish", "tanh", "sigmoid", "softsign", "mish"] = (
            "linear"
        )
        """What stands between two layers; linear and swish are the usual ones."""
        activate_output: bool = False
        """Put the activation behind the last layer too."""
        init: Literal["normal", "xavier-uniform", "xavier-normal", "kaiming-uniform", "kaiming-normal"] = "normal"
        """First weights: normal in general, kaiming for relu and its kin, xavier for tanh and sigmoid."""
        layer_norm: bool = False
        """Normalise each layer's output; not portable: ComfyUI reads such a file wrongly."""
        dropout: float = Field(0.0, ge=0, lt=1)
        """Share of the hidden values left out at random while training."""

        @field_validator("layers")
        @classmethod
        def _ends_with_one(cls, value: tuple[float, ...]) -> tuple[float, ...]:
            if len(value) < 2 or value[0] != 1 or value[-1] != 1 or min(value) <= 0:
                raise ValueError("it must begin and end with 1, such as 1, 2, 1")
            return value

    options: Options

    @classmethod
    def examine(cls, path: Path, options: Any) -> None:
        """A1111's file, old or new, built as the options say."""
        _, facts = hypernet.read(path)
        known = str(facts["activation_func"]).lower()
        if known not in ACTIVATIONS:
            raise ModelError(
                f"'{path.name}' uses the activation {known}, which only A1111 knows; it cannot go on here."
            )
        asked: dict[str, Any] = {
            "layers": tuple(float(factor) for factor in facts["layer_structure"] or (1, 2, 1)),
            "activation": known,
            "layer_norm": bool(facts["is_layer_norm"]),
        }
        if known != "linear":  # there is nothing to put behind the last layer then
            asked["activate_output"] = bool(facts["activate_output"])
        fit.require(path, asked, options)

    def begun(self, path: Path) -> Weights:
        """The networks of A1111's file: its numbers count dropouts, which are ours to choose, so the order decides."""
        self.examine(path, self.options)
        theirs, ours = hypernet.read(path)[0], self.state()
        if _by_net(theirs).keys() != _by_net(ours).keys():
            widths = ", ".join(sorted({name.split(".")[1].split("_")[0] for name in theirs}, key=int))
            raise ModelError(f"'{path.name}' has networks for the widths {widths}, which this base does not ask for.")
        weights = {}
        for net, names in _by_net(ours).items():
            for mine, other in zip(names, _by_net(theirs)[net], strict=False):
                weights[mine] = theirs[other]
        if {n: t.shape for n, t in weights.items()} != {n: t.shape for n, t in ours.items()} or len(ours) != len(
            theirs
        ):
            raise ModelError(f"'{path.name}' does not hold the layers that it says it does; choose another file.")
        return weights

    def remarks(self) -> list[str]:
        """Says where the file will not work."""
        return [f"With method.layer_norm the file is not portable: {NOT_PORTABLE}."] if self.options.layer_norm else []

    def usage_line(self, name: str, form: str = "") -> str:
        """A network with layer norm is not for every program."""
        line = super().usage_line(name, form)
        return f"{line} ({NOT_PORTABLE})" if self.options.layer_norm else line

    def attach(self) -> list[ParamGroup]:
        """Make a pair for each width that to_k and to_v are asked with, and hook it in."""
        places = [
            (name.rsplit("_", 1)[-1], module)
            for name, module in self.models.unet.named_modules()
            if name.endswith((".to_k", ".to_v")) and isinstance(module, nn.Linear)
        ]
        widths = sorted({module.in_features for _, module in places})
        with chance.own(self.seed):
            nets = {f"{width}_{which}": Context(width, self.options) for width in widths for which in ("k", "v")}
        self.nets = nn.ModuleDict(nets).to(self.models.device).train()
        self.models.unet.add_module(HOME, self.nets)
        self._hooks = [
            module.register_forward_pre_hook(self._hook(f"{module.in_features}_{which}")) for which, module in places
        ]
        self._on = True
        self.live = {f"{HOME}.{name}": parameter for name, parameter in self.nets.named_parameters()}
        return [ParamGroup("unet", self.live)]

    def _hook(self, name: str) -> Any:
        def before(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            return (self.nets[name](inputs[0]), *inputs[1:]) if self._on else None

        return before

    def detach(self) -> None:
        """Take hooks and networks away."""
        for hook in getattr(self, "_hooks", ()):
            hook.remove()
        if hasattr(self.models.unet, HOME):
            delattr(self.models.unet, HOME)
        self._hooks, self.live = [], {}

    @contextlib.contextmanager
    def detached(self) -> Iterator[None]:
        """Let the hooks pass everything through for a while."""
        self._on = False
        try:
            yield
        finally:
            self._on = True

    def facts(self) -> dict[str, Any]:
        """The keys of A1111's file that say how the networks are built."""
        options = self.options
        hidden = [options.dropout] * (len(options.layers) - 2)
        return {
            "layer_structure": [int(factor) if factor == int(factor) else factor for factor in options.layers],
            "activation_func": options.activation,
            "is_layer_norm": options.layer_norm,
            "weight_initialization": INITS[options.init],
            "activate_output": options.activate_output,
            "use_dropout": False,  # ComfyUI would go on dropping while it draws; A1111 goes by the structure below
            "dropout_structure": [0, *hidden, 0],
            "last_layer_dropout": False,
        }
