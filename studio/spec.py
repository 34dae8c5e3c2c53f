"""The only file that knows a run's whole specification: its sections, its TOML, what is wrong before a start."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import tomlkit
from pydantic import Field, SerializeAsAny, ValidationError, field_validator

from studio.data.caption import templates
from studio.data.scan import DataSpec, dataset
from studio.errors import DataError, ModelError, SpecError
from studio.families.about import about
from studio.families.base import BaseSpec
from studio.families.calls import problems as prompt_problems
from studio.families.detect import detect
from studio.formats.shelf import Shelf
from studio.hardware import MachineSpec
from studio.methods import method, registry
from studio.methods.base import Method
from studio.objective import ObjectiveSpec
from studio.optimizer import OptimSpec
from studio.schedule import ScheduleSpec
from studio.section import Section, merge, nest, sentence
from studio.store import safe_name
from studio.validation import ValidationSpec

T = TypeVar("T", bound=Section)
PRESETS = Path(__file__).resolve().parent.parent / "presets"


class SampleSpec(Section):
    """The pictures drawn along the way, at the same prompts and seeds for every method."""

    every: int = Field(200, ge=0)
    """Steps between two rounds of samples; 0 draws them only before the first and after the last step."""
    prompts: tuple[str, ...] = (
        "a photo of {trigger}",
        "a photo of {trigger}, blue background",
        "a photo of {trigger} in snow",
        "a photo of a {class}",
    )
    """One prompt a line; {trigger} stands for trigger and class word, {class} for the class word alone."""
    seeds: tuple[int, ...] = (42,)
    """Each prompt is drawn once with each of these seeds."""
    negative: str = ""
    """What the samples should not show."""
    steps: int = Field(25, ge=1, le=200)
    """Denoising steps of a sample."""
    guidance: float = Field(5.0, ge=1, le=30)
    """How strictly a sample follows its prompt (classifier-free guidance)."""


class SaveSpec(Section):
    """What is kept on disk."""

    every: int = Field(500, ge=0)
    """Steps between two checkpoints; 0 keeps only the last one."""
    keep: int = Field(2, ge=1)
    """How many checkpoints stay; older ones are removed."""
    formats: tuple[str, ...] = ()
    """Files to write at the end; empty means every format that the method has."""
    best: bool = False
    """Make the files from the state with the lowest held-out loss, whose checkpoint then stays, not from the last."""


class RunSpec(Section):
    """One run, whole; equal to its TOML."""

    name: str = Field("", max_length=80)
    """Name of the run and of its files; empty takes the method's."""
    seed: int = Field(42, ge=0, lt=2**63)
    """Decides noise, timesteps, order and initial weights; equal seeds see equal noise, whatever the method."""
    base: BaseSpec = BaseSpec()
    data: DataSpec = DataSpec()
    method: SerializeAsAny[Method.Options]
    objective: ObjectiveSpec = ObjectiveSpec()
    optim: OptimSpec = OptimSpec()
    schedule: ScheduleSpec = ScheduleSpec()
    sample: SampleSpec = SampleSpec()
    validation: ValidationSpec = ValidationSpec()
    save: SaveSpec = SaveSpec()
    machine: MachineSpec = MachineSpec()

    @field_validator("method", mode="before")
    @classmethod
    def _by_kind(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            if "kind" not in value:
                raise ValueError(f"it needs a kind: one of {', '.join(registry())}")
            return method(str(value["kind"])).Options(**value)
        return value

    @property
    def file_name(self) -> str:
        """The name of the run's files without ending, such as corgi-lora: what a prompt will say."""
        return safe_name(f"{Path(self.data.folder).name}-{self.name}")

    def problems(self, shelf: Shelf | None = None, begins: bool = True) -> list[str]:
        """What would stop the run before any work, one sentence each; empty when it can start.

        ``shelf`` is where its prompts find files; without one, the usual outputs folder. A run that no longer
        ``begins`` has no use for the file that it began from.
        """
        found = []
        kind = method(self.method.kind)
        try:
            found += self._judged(bool(dataset(self.data).held_out))
            templates(self.data)
        except DataError as error:
            found.append(str(error))
        try:
            family = detect(self.base.model)
            if family.name not in kind.families:
                found.append(f"{kind.title} cannot train {family.title} models; choose another method or base.")
            found += self.objective.problems(self._prediction()) if self.objective.zero_terminal_snr else []
        except ModelError as error:
            found.append(str(error))
        if self.data.class_images and not self.data.class_word:
            found.append("data.class_images needs data.class_word: what kind of thing the class images show.")
        found += kind.problems(self.method, self.data) if begins else []
        unknown = [name for name in self.save.formats if name not in kind.exports]
        if unknown:
            known = ", ".join(kind.exports)
            found.append(f"{self.method.kind} cannot be saved as {', '.join(unknown)}; use {known}.")
        found += self.optim.problems(self.schedule)
        found += self.optim.small_problems(self.schedule, self.machine, kind.whole)
        found += self.machine.problems(kind.title, kind.whole, kind.partial)
        found += prompt_problems(self.prompts(), self.sample.negative, shelf or Shelf(own=self.file_name))
        return found

    def _judged(self, possible: bool) -> list[str]:
        """What is missing where held-out pictures shall decide something."""
        wanted = {"validation.patience": self.validation.patience, "save.best": self.save.best}
        asking = [key for key, on in wanted.items() if on]
        if not possible:
            return [f"{key} needs held-out pictures; set data.held_out to a folder of some." for key in asking]
        if not (self.validation.every or self.sample.every):
            return [f"{key} needs to know how often to judge; set validation.every." for key in asking]
        return []

    def _prediction(self) -> str:
        """What the base predicts, as far as it says so without being loaded; raises ModelError."""
        return about(self.base.model).prediction if self.base.prediction == "auto" else self.base.prediction

    def prompts(self) -> tuple[str, ...]:
        """The sample prompts with trigger and class word filled in."""
        return tuple(self.data.fill(prompt) for prompt in self.sample.prompts)

    def to_toml(self) -> str:
        """The complete spec, defaults written out."""
        return tomlkit.dumps(self.model_dump(mode="json"))


class Preset(Section):
    """What a preset says of itself, beside the settings it changes."""

    name: str
    """File name without the ending: METHOD-FAMILY-TIER."""
    title: str = ""
    """A few words for the tile."""
    when: str = ""
    """One sentence: when to take it."""
    memory_gb: float = 0
    """Graphics memory that it was made for; 0 runs anywhere."""
    settings: dict[str, Any] = {}
    """The settings that differ from the defaults, nested."""

    @property
    def family(self) -> str:
        """The model family in the name, such as starter or sd15."""
        return self.name.split("-")[-2] if self.memory_gb else self.name.split("-")[-1]

    def spec(self, **over: Any) -> RunSpec:
        """The run that this preset describes, with nested settings laid over it."""
        return make_spec(merge(self.settings, over))


class Guest(Section):
    """A finished file, ours or another program's, that is held beside the runs of an experiment."""

    name: str
    """Its folder in the experiment."""
    file: str
    """The file, or a diffusers folder."""
    weight: float = Field(1.0, ge=-10, le=10)
    """How much it counts, as in a prompt."""
    words: str = Field("", max_length=200)
    """What calls its subject; empty takes the experiment's trigger, for an embedding the file's name."""


class Terms(Section):
    """What holds for every run of an experiment: how long it trains, and who judges the pictures."""

    budget: Literal["advice", "steps", "minutes"] = "advice"
    """How long each run trains: as its preset advises, for equal steps, or for equal minutes of training."""
    steps: int = Field(0, ge=0, le=10_000_000)
    """Optimizer updates of each run where the budget is steps."""
    minutes: float = Field(0.0, ge=0, le=100_000)
    """Minutes of training, without samples and checkpoints, where the budget is minutes."""
    eye: str = "starter"
    """What judges the pictures: `starter`, or a folder of a DINOv2 or CLIP model; DINO+CLIP takes one for each side."""


class Experiment(Section):
    """One dataset, one base, one set of prompts and seeds, and runs that differ in nothing else."""

    name: str
    """Name of the experiment."""
    created: float = 0.0
    """Seconds since the epoch."""
    seed: int = 42
    """The seed that every run shares (repeat k adds k)."""
    base: BaseSpec = BaseSpec()
    data: DataSpec = DataSpec()
    sample: SampleSpec = SampleSpec()
    terms: Terms = Terms()
    runs: tuple[str, ...] = ()
    """Run folders in the order in which they are trained."""
    guests: tuple[Guest, ...] = ()
    """Finished files that are drawn and judged beside the runs."""

    def to_toml(self) -> str:
        """The experiment's file."""
        return tomlkit.dumps(self.model_dump(mode="json"))

    @classmethod
    def from_toml(cls, text: str) -> "Experiment":
        """Read it back; raises SpecError."""
        return _validated(cls, _parsed(text, "experiment.toml"))


def make_spec(settings: dict[str, Any]) -> RunSpec:
    """Validate nested settings into a RunSpec with its examples' own words filled in; raises SpecError."""
    spec = _validated(RunSpec, settings)
    name = spec.name or spec.method.kind
    return spec.model_copy(update={"name": name, "data": spec.data.completed()})


def spec_from_toml(text: str, where: str = "spec.toml") -> RunSpec:
    """Read a spec; raises SpecError with one sentence that names the setting."""
    return make_spec(_parsed(text, where))


def preset(name: str, folder: Path = PRESETS) -> Preset:
    """The preset of that name; raises SpecError that names near ones."""
    path = folder / f"{name}.toml"
    if not path.is_file():
        import difflib

        known = [file.stem for file in folder.glob("*.toml")]
        near = difflib.get_close_matches(name, known, 3, 0.3) or sorted(known)
        raise SpecError(f"There is no preset '{name}'; did you mean {', '.join(near)}?")
    data = _parsed(path.read_text(encoding="utf-8"), path.name)
    about = data.pop("preset", {})
    return _validated(Preset, {"name": name, **about, "settings": data})


def presets(folder: Path = PRESETS) -> list[Preset]:
    """All presets, by name."""
    return [preset(path.stem, folder) for path in sorted(folder.glob("*.toml"))]


def load_spec(source: str, over: Mapping[str, Any] | None = None) -> RunSpec:
    """A preset's name or a TOML file, with ``{"optim.lr": 1e-3}`` laid over it; raises SpecError."""
    path = Path(source)
    if source.endswith(".toml") or path.is_file():
        if not path.is_file():
            raise SpecError(f"There is no file '{source}'.")
        settings = _parsed(path.read_text(encoding="utf-8"), path.name)
        settings.pop("preset", None)
    else:
        settings = preset(source).settings
    return make_spec(merge(settings, nest(dict(over or {}))))


def parse_value(text: str) -> Any:
    """Read the right side of ``--set key=value`` as TOML where it is TOML, else as plain text."""
    try:
        found = tomllib.loads(f"v = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return found["v"] if len(found) == 1 else text


def _parsed(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{where} is not valid TOML: {error}.") from error


def _validated(cls: type[T], data: dict[str, Any]) -> T:
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        raise SpecError(sentence(error)) from error
