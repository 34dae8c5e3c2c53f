"""The only file that knows LoRA: low-rank additions to linear and convolution weights (Hu et al., 2021)."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import nn

from studio.data.scan import DataSpec
from studio.errors import ModelError
from studio.formats import adapter, embedding, names
from studio.formats.metadata import embedding_metadata, lora_metadata
from studio.methods import chance, fit
from studio.methods.base import FromFile, Method, ParamGroup, Target, Weights, Writer
from studio.methods.rows import Word
from studio.methods.targets import TARGETS, TEXT_TARGETS, places

ADAPTER = "crucible"
WORD = "-word"  # what the file of a word learnt beside a LoRA is called after the LoRA's name
DIFFUSERS = "-diffusers"
DORA_READERS = (
    "A LoRA with DoRA is right in diffusers and LyCORIS; A1111, Forge and ComfyUI read it wrongly. "
    "LoCon with method.dora = true says the same in a form that A1111 and Forge read."
)


def _kohya(method: Method, target: Target) -> Path:
    """What A1111, Forge and ComfyUI load."""
    path = target.folder / f"{target.name}.safetensors"
    assert isinstance(method, LoRA)
    family, layers = method.models.family.name, method.layers()
    adapter.write_kohya(path, layers, method.alphas(), family, target.dtype, lora_metadata(target.about))
    return method.with_word(path, target)


def _diffusers(method: Method, target: Target) -> Path:
    """What diffusers' load_lora_weights takes."""
    path = target.folder / f"{target.name}{DIFFUSERS}.safetensors"
    assert isinstance(method, LoRA)
    adapter.write_diffusers(path, method.layers(), method.alphas(), target.dtype, lora_metadata(target.about))
    return method.with_word(path, target)


def _word_beside(path: Path) -> Path:
    """Where the word of the LoRA file at ``path`` is kept."""
    return path.with_name(f"{path.stem.removesuffix(DIFFUSERS)}{WORD}.safetensors")


class LoRA(Method, kind="lora"):
    """W x + alpha / rank * B A x, where only A and B learn; put in place by peft."""

    title = "LoRA"
    colour = "#2F9E58"
    sentence = "Thin layers on attention. The usual first choice: good likeness, stacks."
    usage = "<lora:{name}:1> {trigger}"
    families = frozenset({"sd1", "sd2", "sdxl"})
    exports: ClassVar[Mapping[str, Writer]] = {"kohya": _kohya, "diffusers": _diffusers}

    class Options(FromFile):
        """LoRA's settings."""

        kind: Literal["lora"] = "lora"
        rank: int = Field(16, ge=1, le=1024)
        """Width of the added layers: more learns more, and makes a larger file."""
        alpha: float = Field(16.0, gt=0, le=1024)
        """The additions count alpha / rank; half the rank to the rank is usual."""
        targets: Literal["qkv", "attn", "attn-mlp", "full"] = "attn"
        """Where they go: query, key and value; all of attention; with its MLP; with convolutions too."""
        dropout: float = Field(0.0, ge=0, lt=1)
        """Share of the additions' inputs left out at random, against overfitting."""
        rank_stabilised: bool = False
        """Divide by the root of the rank instead of the rank (rsLoRA), so that large ranks keep learning."""
        dora: bool = False
        """Learn each weight's size apart from its direction (DoRA): slower, and for diffusers; A1111 wants LoCon's."""
        train_text_encoder: bool = False
        """Put additions on the text encoder too, with its own learning rate."""
        new_words: int = Field(0, ge=0, le=75)
        """Vectors of a new word that learns too, in the trigger's place (pivotal tuning): a second file; 0: none."""

    options: Options

    @classmethod
    def problems(cls, options: Any, data: DataSpec) -> list[str]:
        """A new word needs the trigger as the place to stand in."""
        found = super().problems(options, data)
        if options.new_words and not data.trigger:
            found.append("method.new_words needs data.trigger: the word in the captions that the new one stands for.")
        return found

    @classmethod
    def examine(cls, path: Path, options: Any) -> None:
        """A LoRA file in kohya's or diffusers' naming, and its word beside it where one is to learn."""
        fit.require_kind(path, "lora")
        beside = _word_beside(path)
        words = len(embedding.read(beside)["text_encoder"]) if beside.is_file() else 0
        if words != options.new_words:
            with_or = f"with a word of {words} vectors beside it" if words else "without a word beside it"
            raise ModelError(f"'{path.name}' was made {with_or}; to go on from it set method.new_words = {words}.")

    def attach(self) -> list[ParamGroup]:
        """Inject the layers; A from peft's Kaiming initialisation under our seed, B zero: at first nothing changes."""
        self._word: Word | None = None
        groups = [self._inject("unet", "unet", self.models.unet, TARGETS[self.options.targets])]
        if self.options.train_text_encoder:
            for name, encoder in self.models.text_encoders.items():
                groups.append(self._inject("text", name, encoder, TEXT_TARGETS))
        if self.options.new_words:
            word = Word(self.models, self.options.new_words)
            groups.append(ParamGroup("tokens", word.put(word.from_text(self.data.class_word, "method.new_words"))))
            self._word = word
        self.live = {name: parameter for group in groups for name, parameter in group.params.items()}
        return groups

    def _inject(self, part: str, prefix: str, module: nn.Module, pattern: str) -> ParamGroup:
        from peft import LoraConfig, inject_adapter_in_model

        options = self.options
        config = LoraConfig(
            r=options.rank,
            lora_alpha=options.alpha,
            target_modules=[name for name in places(module, pattern) if self.reaches(f"{prefix}.{name}")],
            lora_dropout=options.dropout,
            use_rslora=options.rank_stabilised,
            use_dora=options.dora,
        )
        with chance.own(self.seed):
            inject_adapter_in_model(config, module, ADAPTER)
        params = {}
        for name, parameter in module.named_parameters():
            if f".{ADAPTER}." in name:
                parameter.data = parameter.data.float()
                parameter.requires_grad_(True)
                plain = name.replace(f".{ADAPTER}", "")
                params[f"{prefix}.{plain.replace(f'{names.MAGNITUDE}.weight', names.MAGNITUDE)}"] = parameter
        module.train()
        return ParamGroup(part, params)

    def alphas(self) -> dict[str, float]:
        """The alpha that makes ``alpha / rank`` the scale in use, by canonical module name."""
        options = self.options
        value = options.alpha * options.rank**0.5 if options.rank_stabilised else options.alpha
        return {name.rsplit(".lora_", 1)[0]: value for name in self.live if ".lora_" in name}

    def layers(self) -> Weights:
        """What was learnt but for the word."""
        return {name: tensor for name, tensor in self.state().items() if ".lora_" in name}

    def with_word(self, path: Path, target: Target) -> Path:
        """Write the word, if there is one, beside the LoRA at ``path``, which is returned."""
        if self._word:
            word = {
                name.removesuffix(".tokens"): tensor
                for name, tensor in self.state().items()
                if name not in self.layers()
            }
            embedding.write(_word_beside(path), word, embedding_metadata(target.about))
        return path

    def begun(self, path: Path) -> Weights:
        """A LoRA of either naming and its word; layers that nothing here depends on are left out."""
        self.examine(path, self.options)
        options = self.options
        found, alphas = adapter.read(path, fit.module_paths(self.models))
        found = {name: tensor for name, tensor in found.items() if self.reaches(name)}
        modules = {names.split_weight(name)[0] for name in found}
        ranks = {module: int(found[f"{module}.{names.DOWN}"].shape[0]) for module in modules}
        if len(set(ranks.values())) > 1 or len({alphas[module] for module in modules}) > 1:
            raise ModelError(f"'{path.name}' has several ranks or alphas; it cannot be trained further here.")
        rank, alpha = next(iter(ranks.values())), alphas[next(iter(modules))]
        dora = any(name.endswith(names.MAGNITUDE) for name in found)
        alpha = alpha / rank**0.5 if options.rank_stabilised else alpha
        asked = {"rank": rank, "alpha": round(alpha, 5), "dora": dora, **fit.reach(path, modules, self)}
        fit.require(path, asked, options)
        if self._word:
            beside = _word_beside(path)
            found |= self._word.fitting(f"'{beside.name}'", embedding.read(beside), "method.new_words")
        return found

    def restore(self, weights: Weights) -> None:
        """Put everything back, and take the word's lengths for those it had."""
        super().restore(weights)
        if self._word:
            self._word.begin()

    def prompt(self, text: str) -> str:
        """Put the new word where the trigger stands."""
        return self._word.spelled(text, self.data.trigger) if self._word else text

    def settle(self) -> None:
        """Keep the new word's length sane."""
        if self._word:
            self._word.settle()

    def figures(self) -> dict[str, float]:
        """How long the new word's rows are, beside the base's."""
        return self._word.figures() if self._word else {}

    def remarks(self) -> list[str]:
        """What is odd about the rows that the word begins with, and who cannot read a DoRA."""
        said = [DORA_READERS] if self.options.dora else []
        return [*said, *(self._word.remarks() if self._word else [])]

    def usage_line(self, name: str, form: str = "") -> str:
        """A word learnt beside it stands in the trigger's place; what is for diffusers, others do not read."""
        if form == "diffusers":
            return f'pipeline.load_lora_weights("{name}-diffusers.safetensors")'
        if not self.options.new_words:
            return super().usage_line(name, form)
        return f"<lora:{name}:1> {name}{WORD} {self.data.class_word}".strip()

    def _layers(self) -> Iterator[Any]:
        from peft.tuners.tuners_utils import BaseTunerLayer

        for module in self.models.modules().values():
            for child in module.modules():
                if isinstance(child, BaseTunerLayer):
                    yield child

    def detach(self) -> None:
        """Put the plain layers back where peft's stand."""
        from diffusers.utils.peft_utils import recurse_remove_peft_layers

        if getattr(self, "_word", None):
            self._word.take()  # type: ignore[union-attr]
        for module in self.models.modules().values():
            recurse_remove_peft_layers(module)
            if hasattr(module, "peft_config"):
                del module.peft_config
            module.requires_grad_(False).eval()
        self.live = {}

    @contextlib.contextmanager
    def detached(self) -> Iterator[None]:
        """Switch the additions off for a while."""
        layers = list(self._layers())
        try:
            for layer in layers:
                layer._disable_adapters = True
            with self._word.lifted() if self._word else contextlib.nullcontext():
                yield
        finally:
            for layer in layers:
                layer._disable_adapters = False
