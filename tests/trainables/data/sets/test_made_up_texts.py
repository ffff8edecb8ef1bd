"""The texts that are made by rules, read by rules of the reader's own."""

from __future__ import annotations

import re

import pytest
import torch

from trainables import data
from trainables.data.sets import paraphrases
from trainables.data.sets.word_problems import problem
from trainables.data.text.drawn import different
from trainables.errors import UsageError

EVENT = re.compile(
    r"(?P<more>\w+ (?:buys|finds|gets) (?P<up>\d+) more)"
    r"|(?P<fewer>\w+ (?:loses|sells|gives) (?P<down>\d+)(?: away)?)"
    r"|(?P<twice>\w+ doubles them)"
)


def solved(question: str) -> list[int]:
    """How many there are at first and after each event, from the question alone."""
    start, *events, asked, mark = re.split(r"[.?] ?", question)
    assert mark == "###"
    assert asked.startswith("How many")
    there = [int(start.split()[2])]
    for event in events:
        found = EVENT.fullmatch(event)
        assert found, event
        if found["more"]:
            there.append(there[-1] + int(found["up"]))
        elif found["fewer"]:
            there.append(there[-1] - int(found["down"]))
        else:
            there.append(2 * there[-1])
    return there


@pytest.mark.parametrize("largest", [2, 9, 40])
def test_problems_are_solved_step_by_step(largest: int) -> None:
    texts = different(lambda draws: problem(draws, largest), 300, 0, "word_problems")
    steps = set()
    for prompt, reasoning, answer in texts:
        there = solved(prompt)
        steps.add(len(there) - 1)
        equations = re.findall(r"(\d+) ([-+*]) (\d+) = (\d+)\.", reasoning)
        assert " ".join(f"{a} {s} {b} = {c}." for a, s, b, c in equations) == reasoning.strip()
        calculated = [eval(f"{a} {sign} {b}") for a, sign, b, _ in equations]
        assert calculated == [int(c) for *_, c in equations] == there[1:]
        assert [int(a) for a, *_ in equations] == there[:-1]
        assert answer == f" --> {there[-1]}"
        assert min(there) >= 0
    assert steps == {2, 3}


@pytest.mark.parametrize("name", ["words", "bytes"])
def test_the_set_of_problems_is_its_texts(name: str) -> None:
    found = data.build("word_problems", problems=20, tokenizer=name)
    texts = different(lambda draws: problem(draws, 9), 25, 0, "word_problems")
    assert (len(found.train), len(found.test)) == (20, 5)
    inputs, targets = found.test.inputs, found.test.targets
    longest = max(targets["counted"].int().sum(1))
    assert targets["answer"].shape[1] < longest, "of the answer alone"
    if name == "bytes":
        for row, text in enumerate(texts[20:]):
            tokens = inputs["tokens"][row][inputs["mask"][row]]
            assert bytes((tokens - 3).tolist()).decode() == "".join(text)
            written = targets["tokens"][row][targets["counted"][row]][:-1]
            assert bytes((written - 3).tolist()).decode() == text.reasoning + text.answer
    assert found.spec["length"] == inputs["tokens"].shape[1]
    assert int(found.train.inputs["tokens"].max()) < found.spec["vocabulary"]


def test_no_problem_is_trained_and_tested_on() -> None:
    found = data.build("word_problems", problems=400, largest=2)
    train, test = (
        {tuple(row) for row in part.inputs["tokens"].tolist()} for part in (found.train, found.test)
    )
    assert len(train) == 400
    assert not train & test


def test_too_many_small_problems_are_refused() -> None:
    with pytest.raises(UsageError, match="word_problems: with these options there are only about"):
        data.build("word_problems", problems=20_000, largest=1)


SAME = {
    word: number
    for table in (paraphrases.ACTIONS, paraphrases.KINDS, paraphrases.OBJECTS)
    for number, words in enumerate(table)
    for word in (*words, *(["given"] if "gave" in words else []))
}


def meaning(sentence: str) -> tuple[object, ...]:
    """Who, to whom, and what, of either voice and in either order."""
    words = sentence.removesuffix(".").split()
    day = words[words.index("on" if "on" in words else "On") + 1]
    words = [w for w in words if w.lower() not in ("on", "a", "an") and w != day]
    names = [w for w in words if w in paraphrases.NAMES]
    if "by" in words:
        giver = words[words.index("by") + 1]
        (taker,) = [name for name in names if name != giver]
    else:
        giver, taker = names
    said = sorted((w, SAME[w]) for w in words if w in SAME)
    kinds = {w for pair in paraphrases.KINDS for w in pair}
    objects = {w for pair in paraphrases.OBJECTS for w in pair}
    (kind,) = [number for w, number in said if w in kinds]
    (thing,) = [number for w, number in said if w in objects]
    (action,) = [number for w, number in said if w not in kinds | objects]
    return giver, taker, action, kind, thing, day, "never" in words


def test_labels_of_pairs_are_whether_they_mean_the_same() -> None:
    drawn = different(paraphrases.pair, 1000, 0, "paraphrases")
    for first, second, label in drawn:
        assert (meaning(first) == meaning(second)) == bool(label), (first, second)
        assert first != second
    # 500 of 1000 fair labels, within 5 standard deviations: wrong once in 1.7 million seeds
    assert abs(sum(pair.label for pair in drawn) - 500) < 5 * 250**0.5
    apart = [(meaning(a), meaning(b)) for a, b, label in drawn if not label]
    exchanged = sum(a[:2] == b[:2][::-1] for a, b in apart)
    denied = sum(b[-1] for _, b in apart)
    # a third of about 500 each, within 6 standard deviations: wrong once in 250 million seeds
    assert all(abs(count - 167) < 6 * 11 for count in (exchanged, denied))
    assert not any(a[-1] for a, _ in apart)


def test_the_set_of_pairs() -> None:
    found = data.build("paraphrases", pairs=40, draw=3)
    assert (len(found.train), len(found.test), found.num_classes) == (40, 10, 2)
    assert set(found.train.inputs) == {"tokens", "mask", "segments"}
    again = data.build("paraphrases", pairs=40, draw=3)
    other = data.build("paraphrases", pairs=40, draw=4)
    assert torch.equal(found.train.inputs["tokens"], again.train.inputs["tokens"])
    assert not torch.equal(found.train.targets, other.train.targets)
