"""The only file that puts finished files onto a loaded base, with a weight each, and takes them off bit for bit."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engine.difference import bias_difference, difference
from studio.errors import ModelError
from studio.families.base import Models
from studio.families.calls import Placed, word_pattern
from studio.families.quantized import Linear as Packed
from studio.families.words import NewWords
from studio.formats import embedding, hypernet, lycoris
from studio.methods.hypernetwork import HOME as NETWORKS
from studio.methods.lycoris import HOME as MODULES

Spell = Callable[[str], str]
LAYERS = (nn.Linear, nn.Conv2d, nn.LayerNorm, nn.GroupNorm)


@contextlib.contextmanager
def stacked(models: Models, placed: Sequence[Placed]) -> Iterator[Spell]:
    """While open, ``models`` answer with the files of ``placed`` on them, in their order, whatever else is attached.

    LoRA and LyCORIS are added to the plain weights, of which copies wait on the CPU; Hypernetworks stand before keys
    and values; embeddings are new words, and what is yielded spells them: it turns a prompt with the files' names into
    one that the tokenizers know. Raises ModelError for a file that is not for this base; the base is then as it was.
    """
    with contextlib.ExitStack() as stack, torch.no_grad():
        spelled: dict[str, str] = {}
        adapters = [file for file in placed if file.kind == "lora"]
        for file in placed:
            if file.kind == "embedding":
                vectors = {file.word: embedding.read(file.path)}
            else:
                vectors = lycoris.words(file.path) if file.kind == "lora" else {}
            for word, rows in vectors.items():
                spelled[word.lower()] = _teach(stack, models, rows, len(spelled), file)
        stack.enter_context(_added(models, adapters))
        for file in placed:
            if file.kind == "hypernetwork":
                _hook(stack, models, file)
        yield _speller(spelled)


def _speller(spelled: Mapping[str, str]) -> Spell:
    if not spelled:
        return lambda text: text
    pattern = word_pattern(list(spelled))
    return lambda text: pattern.sub(lambda match: spelled[match[0].lower()], text)


def _teach(stack: contextlib.ExitStack, models: Models, rows: Mapping[str, Tensor], number: int, file: Placed) -> str:
    """Add the word of an embedding until ``stack`` closes; how it is spelled in tokens of its own."""
    if rows.keys() != models.text_encoders.keys():
        raise ModelError(f"'{file.path.name}' is for another model family than this {models.family.title} base.")
    tokens = [f"<file{number}-{index}>" for index in range(len(rows["text_encoder"]))]
    words = NewWords(models, tokens, rows)
    stack.callback(words.take)
    words.put()
    return " ".join(tokens)


# -- weights ----------------------------------------------------------------------------------------------------------


def layers(models: Models) -> dict[str, Any]:
    """Every layer that a file may change, by canonical path; of a layer in an adapter's wrapper the plain one."""
    found: dict[str, Any] = {}

    def walk(path: str, module: Any) -> None:
        plain = getattr(module, "base_layer", module)
        if isinstance(plain, LAYERS):
            if getattr(plain, "weight", True) is not None:
                found[path] = plain
            return
        for name, child in module.named_children():
            if name not in (NETWORKS, MODULES):
                walk(f"{path}.{name}", child)

    for part, root in models.modules().items():
        walk(part, root)
    return found


@contextlib.contextmanager
def _added(models: Models, files: Sequence[Placed]) -> Iterator[None]:
    """Add all ``files`` to the weights; each layer is rounded to its dtype once, after the last of them."""
    if not files:
        yield
        return
    places = layers(models)
    plan: dict[str, list[tuple[Placed, Mapping[str, Tensor]]]] = {}
    for file in files:
        for path, parts in lycoris.read(file.path, places).items():
            plan.setdefault(path, []).append((file, parts))
    kept: list[tuple[Tensor, Tensor]] = []
    packed = [(places[path], places[path].instead) for path in plan if isinstance(places[path], Packed)]
    try:
        for path, additions in plan.items():
            _add(path, _holder(places[path]), additions, kept)
        yield
    finally:
        for live, plain in kept:
            live.data.copy_(plain)  # its data of now: it may have been to another device and back
        for layer, before in packed:
            layer.instead = before


def _holder(layer: Any) -> Any:
    """What has the layer's weight: the layer, or LyCORIS' module for full differences, which takes it over."""
    return layer if hasattr(layer, "weight") else layer.forward.__self__


def _add(
    path: str,
    layer: Any,
    additions: "Additions",
    kept: list[tuple[Tensor, Tensor]],
) -> None:
    weight = _changed(path, additions, layer.weight.detach())
    bias = None if layer.bias is None else layer.bias.detach().float()
    for file, parts in additions:
        more = bias_difference(parts, _strength(path, file))
        if more is not None:
            with _naming(path, file):
                bias = _with_bias(bias, more)
    packed = isinstance(layer, Packed)
    if packed:  # its weight is told anew each time, and so are the additions: held, they would be as large as the base
        layer.instead = partial(_instead, path, additions, layer.instead)
    for live, changed in ((None if packed else layer.weight, weight), (layer.bias, bias)):
        if live is not None:
            kept.append((live, live.detach().to("cpu", copy=True)))
            live.data.copy_(changed)


Additions = Sequence[tuple[Placed, Mapping[str, Tensor]]]


def _changed(path: str, additions: Additions, weight: Tensor) -> Tensor:
    """``weight`` (out, in, ...) with all ``additions``, float32."""
    weight = weight.float()
    for file, parts in additions:
        with _naming(path, file):
            weight = weight + difference(weight, parts, _strength(path, file), file.rank)
    return weight


def _instead(path: str, additions: Additions, before: Callable[[Tensor], Tensor] | None, plain: Tensor) -> Tensor:
    """What a packed layer answers with for its ``plain`` weight, of which others may have changed some ``before``."""
    return _changed(path, additions, before(plain) if before else plain).to(plain.dtype)


def _strength(path: str, file: Placed) -> float:
    return file.weight if path.startswith("unet.") else file.text_weight


@contextlib.contextmanager
def _naming(path: str, file: Placed) -> Iterator[None]:
    """What does not fit says which file it is of, and where."""
    try:
        yield
    except ModelError as error:
        raise ModelError(
            f"'{file.path.name}' is not for this base, or is damaged: at {path}, {error}; choose another file."
        ) from error


def _with_bias(bias: Tensor | None, more: Tensor) -> Tensor:
    if bias is None or bias.shape != more.shape:
        raise ModelError("its bias does not fit the layer")
    return bias + more.to(bias.device)


# -- hypernetworks ----------------------------------------------------------------------------------------------------


def _hook(stack: contextlib.ExitStack, models: Models, file: Placed) -> None:
    """Put a Hypernetwork before every to_k and to_v of a width that it knows, until ``stack`` closes."""
    weights, facts = hypernet.read(file.path)
    nets = {
        name: _network(
            {key: value.to(models.device) for key, value in _below(weights, f"hypernetwork.{name}.linear.").items()},
            facts,
            file,
        )
        for name in {key.split(".")[1] for key in weights}
    }
    used = 0
    for name, module in models.unet.named_modules():
        if name.endswith((".to_k", ".to_v")) and hasattr(module, "in_features"):
            net = nets.get(f"{module.in_features}_{name[-1]}")
            if net is not None:
                used += 1
                stack.callback(module.register_forward_pre_hook(_before(net)).remove)
    if not used:
        raise ModelError(f"'{file.path.name}' has no network of a width that this {models.family.title} base asks for.")


def _before(net: Callable[[Tensor], Tensor]) -> Any:
    return lambda _, inputs: (net(inputs[0]), *inputs[1:])


def _below(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _network(weights: Mapping[str, Tensor], facts: Mapping[str, Any], file: Placed) -> Callable[[Tensor], Tensor]:
    """``x + net(x) * weight`` as A1111 runs a file's networks: Linear, activation, LayerNorm, in float32."""
    numbers = sorted({int(name.split(".")[0]) for name in weights})
    activation = _activation(facts["activation_func"])
    if activation is None:
        raise ModelError(f"'{file.path.name}' uses the activation '{facts['activation_func']}', which is not known.")
    steps: list[Callable[[Tensor], Tensor]] = []
    last = max(number for number in numbers if weights[f"{number}.weight"].ndim == 2)
    for number in numbers:
        weight, bias = weights[f"{number}.weight"], weights[f"{number}.bias"]
        if weight.ndim == 1:
            steps.append(partial(functional.layer_norm, normalized_shape=weight.shape, weight=weight, bias=bias))
            continue
        steps.append(partial(functional.linear, weight=weight, bias=bias))
        if number != last or facts["activate_output"]:
            steps.append(activation)

    def answer(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            hidden = plain = x.float()
            for step in steps:
                hidden = step(hidden)
            return (plain + hidden * file.weight).to(x.dtype)

    return answer


def _activation(name: str) -> nn.Module | None:
    """By A1111's names: torch's own in small letters, but for linear, which is none, and swish, which is Hardswish."""
    own: dict[str, type[nn.Module]] = {"linear": nn.Identity, "swish": nn.Hardswish}
    kinds = {kind.lower(): getattr(nn, kind) for kind in nn.modules.activation.__all__} | own
    try:
        return kinds[name]().eval()
    except (KeyError, TypeError):  # unknown, or one that needs more than its name
        return None
