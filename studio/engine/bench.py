"""The only file that prepares what a run works on: the base model, the encoded pictures, samples and held-out loss."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL.Image import Image

from studio.data import prior
from studio.data.cache import Cache, Encoded, encode
from studio.data.caption import longest, with_trigger
from studio.data.gate import gate
from studio.data.leak import leaks, told
from studio.data.order import batch as batch_of
from studio.data.order import grouped
from studio.data.scan import Example, dataset
from studio.data.tokens import LIMIT, meter
from studio.engine.ahead import Ahead
from studio.engine.draw import draw, fixed_draw
from studio.engine.learner import Batch, Learner
from studio.engine.machine import Machine
from studio.engine.sample import Easel, Wanted, draw_pictures, evaluating, together, wanted
from studio.engine.shown import showings
from studio.errors import DataError, ModelError, SpecError
from studio.events import Event, Note, Picture, Progress, Sampled, Validated
from studio.families.base import Models
from studio.families.calls import Placed
from studio.formats import infotext
from studio.formats.shelf import Shelf
from studio.methods.base import Method
from studio.objective import Draw
from studio.spec import RunSpec
from studio.store import RunStore, published

PRIOR_SLOT = 1_000_000  # class images take their chances from slots that no own picture uses
TURNS = 8  # timesteps at which each held-out picture is judged
TOLD = 100  # times that the encoding of the pictures says how far it is

Place = tuple[int, int, int, Method]  # a batch's step, its slot, of so many slots, and the method that words it


@dataclass
class Bench:
    """A base model and a dataset, ready. ``fill`` must have been drained before the rest is used."""

    spec: RunSpec
    models: Models
    machine: Machine
    cache: Path
    always: tuple[Placed, ...] = ()  # finished files that are on every sample

    def __post_init__(self) -> None:
        self._latents = Cache(self.cache)
        self._ahead: Ahead[Place, tuple[Batch, Draw]] = Ahead(self._prepared)

    def close(self) -> None:
        """End what works ahead."""
        self._ahead.close()

    def fill(self) -> Iterator[Event]:
        """Encode the pictures, or take them from the cache."""
        found = dataset(self.spec.data)
        total = len(found.train) + len(found.held_out)
        for looked in gate(found, self.spec.data, self.cache):
            if total > TOLD and not looked % -(-total // TOLD):  # still nothing encoded, but not silent
                yield Progress(stage="caching", done=0, total=total)
        self.train: list[Encoded] = []
        self.held_out: list[Encoded] = []
        with self.models.alone("vae"):
            for goal, examples in ((self.train, found.train), (self.held_out, found.held_out)):
                for encoded in encode(examples, self.spec.data, self.models, self._latents):
                    goal.append(encoded)
                    done = len(self.train) + len(self.held_out)
                    if done == total or not done % -(-total // TOLD):
                        yield Progress(stage="caching", done=done, total=total)
        if self.spec.data.masks == "alpha" and not any(encoded.masks for encoded in self.train):
            raise DataError(
                "No picture has an alpha channel to be its mask; save them with one, or set data.masks off."
            )
        shapes = [encoded.shape for encoded in self.train]
        self.buckets = grouped(shapes, [encoded.example.repeats for encoded in self.train])
        yield from self._fill_prior(sorted(set(shapes)))
        cut = self._cut()
        if cut:
            of = len(self.train)
            text = f"{cut} of {of} captions go beyond the 75 tokens that are read; `check` says what is lost."
            yield Note(text=text, level="warning")
        copied = told(leaks(found, self.spec.data), found.held_out) if self.machine.main else ""
        if copied:
            yield Note(text=copied, level="warning")

    def _cut(self) -> int:
        """How many captions have more tokens than a text encoder reads; the words of a new one count as one."""
        read = meter(next(iter(self.models.tokenizers.values())))
        texts = [longest(encoded.example.caption, self.spec.data) for encoded in self.train]
        return sum(length.tokens > LIMIT for length in read([text for text in texts if len(text) > LIMIT]))

    def _fill_prior(self, shapes: Sequence[tuple[int, int]]) -> Iterator[Event]:
        """Draw the class images that are missing, with the untouched base, and encode all of them."""
        data, models = self.spec.data, self.models
        self.prior: dict[tuple[int, int], list[Encoded]] = {}
        if not data.class_images:
            return
        side = data.resolution or models.resolution
        sample = self.spec.sample
        how = f"{models.source}/{models.fingerprint()}/{sample.steps}/{sample.guidance:g}/{sample.negative}"
        place = prior.folder(self.cache, data, how, side)
        wanting = prior.missing(place, data.class_images) if self.machine.main else []
        orders = [Wanted(prior.prompt(data), number) for number in wanting]
        with self.machine.autocast():
            for done, picture in enumerate(draw_pictures(models, None, orders, self.spec.sample, side)):
                prior.keep(picture, prior.image(place, orders[done].seed))
                yield Progress(stage="class images", done=done + 1, total=len(orders))
        self.machine.wait()
        plain = data.model_copy(update={"flip": False, "masks": "off"})
        with models.alone("vae"):
            for high, wide in shapes:
                size = (wide * models.shrink, high * models.shrink)
                found = encode(prior.examples(place, data), plain, models, self._latents, size)
                self.prior[high, wide] = list(found)

    def _with_prior(self, batch: Batch, chance: Draw, step: int, slot: int) -> tuple[Batch, Draw]:
        """Put as many class images behind the examples; the loss is then mean(own) + weight * mean(class)."""
        count = len(batch.prompts)
        images = self.prior[chance.noise.shape[2], chance.noise.shape[3]]
        numbers = batch_of([range(len(images))], count, self.spec.seed, (step - 1) * PRIOR_SLOT + slot)
        numbers = (numbers * count)[:count]
        shape = chance.noise.shape
        moments = torch.cat([images[number].view() for number in numbers])
        size = (count, shape[1], shape[2], shape[3])
        other = draw(self.spec.seed, step, PRIOR_SLOT + slot, size, self.spec.objective)
        weights = torch.cat([batch.weights * 2, torch.full((count,), 2 * self.spec.objective.prior_weight)])
        prompts = [*batch.prompts, *[prior.prompt(self.spec.data)] * count]
        mask = None if batch.mask is None else torch.cat([batch.mask, torch.ones_like(batch.mask)])
        return Batch(torch.cat([batch.moments, moments]), prompts, weights, mask), Draw.join([chance, other])

    def batch(self, step: int, slot: int, slots: int, method: Method) -> tuple[Batch, Draw]:
        """The batch in ``slot`` of ``slots`` at ``step`` (from 1), and what chance decides for it.

        While it is used, this rank's next one is prepared; that changes nothing in what comes.
        """
        following = slot + self.machine.world
        then = (step, following) if following < slots else (step + 1, following % slots)
        wanted = then[0] <= self.spec.schedule.steps
        return self._ahead.take((step, slot, slots, method), (*then, slots, method) if wanted else None)

    def _prepared(self, place: Place) -> tuple[Batch, Draw]:
        step, slot, slots, method = place
        spec = self.spec
        shown = showings(spec, lambda index: self.train[index].example, self.buckets, (step, slot, slots))
        prompts = [method.prompt(one.prompt) for one in shown]
        views = [(self.train[one.index], one.side) for one in shown]
        moments = torch.cat([encoded.view(side) for encoded, side in views])
        shape = (len(shown), moments.shape[1] // 2, moments.shape[2], moments.shape[3])
        chance = draw(spec.seed, step, slot, shape, spec.objective)
        batch = Batch(moments, prompts, torch.ones(len(shown)), _masks(views))
        return self._with_prior(batch, chance, step, slot) if self.prior else (batch, chance)

    def samples(self, store: RunStore, step: int, method: Method | None) -> Iterator[Event]:
        """Draw the spec's prompts and seeds with the live model and publish them as the samples of ``step``."""
        try:
            yield from self._samples(store, step, method)
        except (SpecError, ModelError) as error:  # a file that a prompt calls has gone, or is for another base
            yield Note(text=f"The samples of step {step} were not drawn: {error}", level="warning")

    def accompany(self, store: RunStore, method: Method) -> None:
        """Ask the model as ``samples`` does, which needs every rank where it is split over them; keep nothing."""
        with self.machine.autocast(), contextlib.suppress(SpecError, ModelError):  # the first rank says it
            for _ in self._drawn(store, method)[1]:
                pass

    def _drawn(self, store: RunStore, method: Method | None) -> tuple[list[Wanted], Iterator[Image]]:
        """What is wanted, and the pictures as they are drawn."""
        spec = self.spec
        orders = wanted(spec.prompts(), spec.sample.seeds)
        side = spec.data.resolution or self.models.resolution
        easel = Easel((side, side), Shelf.of_run(store.path, spec.file_name), self.always)
        return orders, draw_pictures(self.models, method, orders, spec.sample, easel)

    def _samples(self, store: RunStore, step: int, method: Method | None) -> Iterator[Event]:
        folder = store.sample_folder(step)
        orders, drawn = self._drawn(store, method)
        pictures = []
        with published(folder) as draft, self.machine.autocast():
            for index, (order, image) in enumerate(zip(orders, drawn, strict=True)):
                name = f"{index:03d}.png"
                infotext.save(image, draft / name)
                relative = (folder / name).relative_to(store.path).as_posix()
                pictures.append(Picture(path=relative, prompt=order.prompt, seed=order.seed))
                yield Progress(stage="sampling", done=index + 1, total=len(orders))
        yield Sampled(step=step, pictures=tuple(pictures))

    def validate(self, step: int, learner: Learner, say: Callable[[str], str]) -> Iterator[Event]:
        """Mean loss on the held-out pictures, under draws that are the same for every run; ``say`` spells captions."""
        if not self.held_out:
            return
        with evaluating(self.models):
            prompts = [say(with_trigger(encoded.example.caption, self.spec.data)) for encoded in self.held_out]
            if self.models.one_at_a_time and not learner.knows(prompts):  # no two parts lie there at once
                with self.models.alone(*self.models.text_encoders), self.machine.autocast():
                    learner.conditioning(prompts)
            losses = [self._loss_of(index, learner, prompt) for index, prompt in enumerate(prompts)]
        yield Validated(step=step, loss=sum(losses) / len(losses))

    @torch.no_grad()
    def _loss_of(self, index: int, learner: Learner, prompt: str) -> float:
        moments = self.held_out[index].view()
        _, doubled, high, wide = moments.shape
        draws = [fixed_draw(turn, TURNS, index, (1, doubled // 2, high, wide)) for turn in range(TURNS)]
        shrink, losses = self.models.shrink, []
        size = turns_at_once(self.models, (wide * shrink, high * shrink))
        with self.machine.autocast():
            for first in range(0, TURNS, size):
                some = draws[first : first + size]
                count = len(some)
                batch = Batch(moments.expand(count, -1, -1, -1), [prompt] * count, torch.ones(count))
                losses.append(learner(batch, Draw.join(some)))
        return float(torch.cat(losses).mean())


def turns_at_once(models: Models, size: tuple[int, int]) -> int:
    """At how many timesteps a held-out picture of ``size`` (pixels) is judged in one call; on a small card few."""
    return together(size, small=True) if models.one_at_a_time else TURNS


def _masks(views: Sequence[tuple[Encoded, int]]) -> torch.Tensor | None:
    """The masks (B, 1, h, w) of views, whole where a picture has none; None where no picture has one."""
    if not any(encoded.masks for encoded, _ in views):
        return None
    found = [(encoded.mask(side), encoded.shape) for encoded, side in views]
    return torch.cat([torch.ones(1, 1, *shape) if mask is None else mask for mask, shape in found])


def captions(examples: Sequence[Example], spec: RunSpec) -> dict[str, int]:
    """How often each comma-separated tag occurs, for the files' metadata."""
    counts: dict[str, int] = {}
    for example in examples:
        for tag in with_trigger(example.caption, spec.data).split(","):
            counts[tag.strip()] = counts.get(tag.strip(), 0) + 1
    return counts
