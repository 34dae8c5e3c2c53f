"""Blind votes: hidden names, shuffled sides, every pair before any again, and a tally with its interval."""

from collections import Counter

import pytest

from studio.compare import votes
from studio.errors import UserError
from studio.store import ExperimentStore

KINDS = ("lora", "textual-inversion", "dreambooth")


@pytest.fixture
def store(carried_out) -> ExperimentStore:
    return carried_out(*KINDS)


def who(path) -> str:
    return path.parents[2].name


def test_no_pair_is_asked_twice_until_all_are(store: ExperimentStore) -> None:
    assert votes.left_to_ask(store) == (18, 18)  # three pairs of methods, six columns
    for turn in range(2):
        asked = []
        for _ in range(18):
            pair = votes.ask(store)
            asked.append((frozenset((who(pair.left), who(pair.right))), pair.prompt, pair.seed))
            votes.vote(store, pair.key, "tie")
        assert len(set(asked)) == 18, turn
    assert votes.left_to_ask(store) == (18, 18)
    assert "base" not in {score.name for score in votes.tally(store)}


def test_the_question_hides_who_drew_and_shuffles_the_sides(store: ExperimentStore) -> None:
    lefts: Counter[str] = Counter()
    for _ in range(36):
        pair = votes.ask(store)
        assert votes.ask(store) == pair  # a reload asks the same
        assert not any(kind in f"{pair.key} {pair.prompt}" for kind in KINDS)
        lefts[who(pair.left)] += 1
        votes.vote(store, pair.key, "left")
    assert all(4 <= lefts[kind] <= 20 for kind in KINDS)


def test_who_is_always_chosen_comes_first(store: ExperimentStore) -> None:
    for _ in range(18):
        pair = votes.ask(store)
        side = "left" if who(pair.left) == "lora" else "right" if who(pair.right) == "lora" else "tie"
        votes.vote(store, pair.key, side)
    first, *others = votes.tally(store)
    assert (first.name, first.rate, first.votes) == ("lora", 1.0, 12)
    assert 0.7 < first.low < 0.8 and first.high == pytest.approx(1)  # Wilson, 12 of 12
    assert [score.rate for score in others] == [0.25, 0.25] and others[0].high < first.low


def test_an_answer_counts_once(store: ExperimentStore) -> None:
    pair = votes.ask(store)
    votes.vote(store, pair.key, "left")
    for key in (pair.key, "nonsense", "nonsense-0"):
        with pytest.raises(UserError, match="no longer asked"):
            votes.vote(store, key, "left")
    with pytest.raises(UserError, match="no answer"):
        votes.vote(store, votes.ask(store).key, "both")
    assert sum(score.votes for score in votes.tally(store)) == 2


def test_a_torn_line_loses_one_vote_at_most(store: ExperimentStore) -> None:
    votes.vote(store, votes.ask(store).key, "left")
    with open(store.path / "votes.jsonl", "ab") as file:
        file.write('{"question": "torn", "prompt": "犬'.encode()[:-1])
    assert sum(score.votes for score in votes.tally(store)) == 2
    votes.vote(store, votes.ask(store).key, "right")
    assert sum(score.votes for score in votes.tally(store)) == 4


def test_with_one_method_there_is_nothing_to_ask(carried_out) -> None:
    store = carried_out("lora")
    assert votes.ask(store) is None and votes.tally(store) == [] and votes.left_to_ask(store) == (0, 0)
