"""The only file that knows blind votes: which two pictures are shown next, what was answered, and who won how often."""

import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

from studio.compare import gallery
from studio.compare.members import BASE
from studio.disk import guarded
from studio.errors import UserError
from studio.store import ExperimentStore

KEPT_IN = "votes.jsonl"
SURE = 1.96  # standard deviations of a 95 % interval
Choice = Literal["left", "right", "tie"]


@dataclass(frozen=True)
class Pair:
    """Two pictures of one prompt and seed, without the names of who drew them.

    ``key`` names the question to `vote`. The paths tell who drew; show the pictures by their content
    (`report.data_url`), not by their address.
    """

    key: str
    prompt: str
    seed: int
    left: Path
    right: Path


@dataclass(frozen=True)
class Score:
    """How one row did: ``rate`` of its votes won, a tie counting half, and the 95 % interval of that (Wilson, 1927)."""

    name: str
    title: str
    colour: str
    ring: bool
    votes: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class _Vote:
    """A line of ``votes.jsonl``."""

    question: str
    left: str
    right: str
    choice: Choice
    prompt: str
    seed: int
    time: float


@dataclass(frozen=True)
class _Question:
    """Two rows at one column; in every round it is asked once, the sides drawn anew."""

    one: gallery.Strip
    other: gallery.Strip
    column: int
    shown: gallery.Column

    @property
    def name(self) -> str:
        said = f"{self.one.name} {self.other.name} {self.shown.prompt} {self.shown.seed}"
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def sides(self, turn: int) -> tuple[gallery.Strip, gallery.Strip]:
        """Who stands left and who right in round ``turn``."""
        return (self.one, self.other) if _luck(self.name, turn) % 2 else (self.other, self.one)


def ask(store: ExperimentStore) -> Pair | None:
    """The next pair, one of those that were asked least; None when fewer than two rows have pictures.

    The same until it is answered, so a page may be loaded again.
    """
    counts = Counter(vote.question for vote in _votes(store))
    asked = [(counts[question.name], question) for question in _questions(store)]
    if not asked:
        return None
    turn = min(count for count, _ in asked)
    waiting = [question for count, question in asked if count == turn]
    question = min(waiting, key=lambda one: _luck(one.name, turn, "order"))
    left, right = (side.pictures[question.column] for side in question.sides(turn))
    assert left and right  # only such columns become questions
    return Pair(f"{question.name}-{turn}", question.shown.prompt, question.shown.seed, left, right)


def vote(store: ExperimentStore, key: str, choice: Choice) -> None:
    """Keep the answer to the pair called ``key``; raises UserError when it is no longer asked."""
    if choice not in ("left", "right", "tie"):
        raise UserError(f"'{choice}' is no answer; use left, right or tie.")
    name, _, turn = key.partition("-")
    question = next((one for one in _questions(store) if one.name == name), None)
    with guarded(store.path):
        answered = sum(one.question == name for one in _votes(store))
        if question is None or turn != str(answered):
            raise UserError("This pair is no longer asked; take the next one.")
        left, right = question.sides(answered)
        shown = question.shown
        said = _Vote(name, left.name, right.name, choice, shown.prompt, shown.seed, time.time())
        with open(store.path / KEPT_IN, "a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(asdict(said), ensure_ascii=False)}\n")  # so what a crash tore stays alone


def left_to_ask(store: ExperimentStore) -> tuple[int, int]:
    """How many pairs of the round in hand are still to be asked, and how many a round has."""
    counts = Counter(vote.question for vote in _votes(store))
    asked = [counts[question.name] for question in _questions(store)]
    return (sum(count == min(asked) for count in asked), len(asked)) if asked else (0, 0)


def tally(store: ExperimentStore) -> list[Score]:
    """Who won how often, the best first; empty before the first vote."""
    won: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for one in _votes(store):
        seen.update((one.left, one.right))
        if one.choice == "tie":
            won.update({one.left: 0.5, one.right: 0.5})
        else:
            won[one.left if one.choice == "left" else one.right] += 1
    strips = [strip for strip in gallery.build(store).strips if seen[strip.name]]
    scores = [_score(strip, won[strip.name], seen[strip.name]) for strip in strips]
    return sorted(scores, key=lambda score: (-score.rate, score.title))


def _score(strip: gallery.Strip, won: float, votes: int) -> Score:
    rate = won / votes
    centre = (rate + SURE**2 / (2 * votes)) / (1 + SURE**2 / votes)
    half = SURE / (1 + SURE**2 / votes) * math.sqrt(rate * (1 - rate) / votes + SURE**2 / (4 * votes**2))
    return Score(strip.name, strip.title, strip.colour, strip.ring, votes, rate, centre - half, centre + half)


def _questions(store: ExperimentStore) -> Iterator[_Question]:
    shown = gallery.build(store)
    rows = [strip for strip in shown.strips if strip.name != BASE]
    for one, other in combinations(rows, 2):
        for column, what in enumerate(shown.columns):
            if one.pictures[column] and other.pictures[column]:
                yield _Question(one, other, column, what)


def _votes(store: ExperimentStore) -> list[_Vote]:
    """What was answered; a line that a crash tore says nothing."""
    found = []
    try:
        lines = (store.path / KEPT_IN).read_text(encoding="utf-8", errors="replace").split("\n")  # torn inside a letter
    except FileNotFoundError:
        return []
    for line in filter(None, lines):
        try:
            found.append(_Vote(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def _luck(*seeds: object) -> int:
    """A number that looks like chance and is the same each time."""
    return int.from_bytes(hashlib.sha256(repr(seeds).encode()).digest()[:8], "big")
