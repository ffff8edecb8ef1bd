"""Pairs of sentences that say the same in other words, or nearly the same, made by rules."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple

import torch

from trainables.data.base import About, Dataset, Images, about, registry
from trainables.data.text.drawn import Draws, different
from trainables.data.text.rows import sentence_pairs
from trainables.data.text.tokenizers import Bytes, Words
from trainables.registry import Count, Index

about["paraphrases"] = About(
    "pairs of sentences that say the same or not (classification), 2 classes; computed"
)

NAMES = ("Ann", "Ben", "Eva", "Ian", "Leo", "Mia", "Noa", "Tom")
ACTIONS = (("sold", "sold"), ("lent", "loaned"), ("sent", "mailed"), ("gave", "handed"))
PASSIVE = {"gave": "given"}
KINDS = (("red", "scarlet"), ("big", "large"), ("small", "little"), ("old", "ancient"))
OBJECTS = (("car", "automobile"), ("sofa", "couch"), ("bike", "bicycle"), ("stone", "rock"))
DAYS = ("Monday", "Tuesday", "Friday", "Sunday")

FORMS = (
    "{giver} {action} {taker} {a} {kind} {object} on {day}.",
    "On {day} {giver} {action} {a} {kind} {object} to {taker}.",
    "On {day} {a} {kind} {object} was {done} to {taker} by {giver}.",
    "{taker} was {done} {a} {kind} {object} by {giver} on {day}.",
)
"""Of one meaning."""


class Pair(NamedTuple):
    """Two sentences, and 1 if they say the same, else 0."""

    first: str
    second: str
    label: int


@registry.register("paraphrases", inputs="tokens")
def paraphrases(
    *,
    pairs: Count = 1000,
    tokenizer: Literal["words", "bytes"] = "words",
    draw: Index = 0,
) -> Dataset:
    """Whether two sentences say the same; a stand-in for MRPC in its form.

        On Friday Tom sold a large couch to Eva.    Eva was sold a big sofa by Tom on Friday.    1
        On Friday Tom sold a large couch to Eva.    Tom was sold a big sofa by Eva on Friday.    0

    All pairs differ, half of them (at random) are paraphrases; a quarter as many more are the test
    set.

    Args:
        pairs: To train on.
        tokenizer: Words as tokens, or bytes.
        draw: Seed of the pairs.

    Raises:
        UsageError: there are not so many different pairs.
    """
    tested = max(1, pairs // 4)
    drawn = different(pair, pairs + tested, draw, "paraphrases")
    sentences = [(made.first, made.second) for made in drawn]
    known = Words(text for both in sentences for text in both) if tokenizer == "words" else Bytes()
    inputs = sentence_pairs(known, sentences)
    everything = Images(inputs, torch.tensor([made.label for made in drawn]))
    return Dataset(
        name="paraphrases",
        train=everything.take(torch.arange(pairs)),
        test=everything.take(torch.arange(pairs, pairs + tested)),
        num_classes=2,
        class_names=("different", "paraphrase"),
        source="paraphrases (computed)",
        spec={"vocabulary": known.vocabulary, "length": inputs["tokens"].shape[1]},
    )


@dataclass(frozen=True)
class Event:
    """What a sentence says; words are numbers of `ACTIONS`, `KINDS`, `OBJECTS`, `DAYS`."""

    giver: str
    taker: str
    action: int
    kind: int
    object: int
    day: int
    denied: bool = False


def pair(draws: Draws) -> Pair:
    """A pair of either label, each as likely.

    The second sentence has another form and, at random, other words for the same. Where it does not
    say the same it is denied, or who gives and who takes are exchanged, or another action, kind,
    object or day is in it, each as likely.
    """
    giver = draws.one(NAMES)
    taker = draws.one([name for name in NAMES if name != giver])
    action, kind, thing, day = (draws.below(4) for _ in range(4))
    event = Event(giver, taker, action, kind, thing, day)
    forms = list(FORMS)
    first = _said(event, forms.pop(draws.below(len(forms))), draws)
    label = draws.below(2)
    told = event if label else _changed(event, draws)
    return Pair(first, _said(told, draws.one(forms), draws), label)


def _said(event: Event, form: str, draws: Draws) -> str:
    never = "never " if event.denied else ""
    action = ACTIONS[event.action][draws.below(2)]
    kind = KINDS[event.kind][draws.below(2)]
    return form.format(
        giver=event.giver,
        taker=event.taker,
        action=never + action,
        done=never + PASSIVE.get(action, action),
        a="an" if kind[0] in "aeiou" else "a",
        kind=kind,
        object=OBJECTS[event.object][draws.below(2)],
        day=DAYS[event.day],
    )


def _changed(event: Event, draws: Draws) -> Event:
    kind = draws.below(3)
    if kind == 0:
        return replace(event, denied=True)
    if kind == 1:
        return replace(event, giver=event.taker, taker=event.giver)
    name = draws.one([field.name for field in fields(event) if field.type == "int"])
    return replace(event, **{name: (getattr(event, name) + 1 + draws.below(3)) % 4})


__all__ = ["Pair", "pair", "paraphrases"]
