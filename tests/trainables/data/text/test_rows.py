"""Texts in rows, against the same said slowly."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.text.rows import Completion, completions, sentence_pairs
from trainables.data.text.tokenizers import END, PAD, START, Bytes
from trainables.tasks.language_modelling import NO_TOKEN

WORDS = st.text("ab c", max_size=6)
TEXTS = st.lists(st.tuples(WORDS.filter(bool), WORDS, WORDS), min_size=1, max_size=4)
BYTES = Bytes()


@given(TEXTS)
def test_completions_place_by_place(drawn: list[tuple[str, str, str]]) -> None:
    inputs, targets = completions(BYTES, [Completion(*text) for text in drawn])
    length = max(len("".join(text)) for text in drawn)
    width = max(len(answer) for *_, answer in drawn) + 1
    assert inputs["tokens"].shape == targets["tokens"].shape == (len(drawn), length)
    assert targets["answer"].shape == (len(drawn), width)
    for row, (prompt, reasoning, answer) in enumerate(drawn):
        written = BYTES.encode(reasoning + answer)
        whole = [*BYTES.encode(prompt), *written, END]
        for place in range(length):
            following = whole[place + 1] if place + 1 < len(whole) else None
            assert inputs["tokens"][row, place] == (whole[place] if place < len(whole) else PAD)
            assert targets["tokens"][row, place] == (PAD if following is None else following)
            assert inputs["mask"][row, place] == (following is not None)
            said = following is not None and place + 1 >= len(prompt)
            assert targets["counted"][row, place] == said
        end = [*BYTES.encode(answer), END]
        found = targets["answer"][row].tolist()
        assert found == [NO_TOKEN] * (width - len(end)) + end


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4))
def test_sentence_pairs_place_by_place(drawn: list[tuple[str, str]]) -> None:
    inputs = sentence_pairs(BYTES, drawn)
    for row, (first, second) in enumerate(drawn):
        one = [START, *BYTES.encode(first), END]
        two = [*BYTES.encode(second), END]
        rest = inputs["tokens"].shape[1] - len(one) - len(two)
        assert inputs["tokens"][row].tolist() == one + two + [PAD] * rest
        assert inputs["mask"][row].tolist() == [True] * len(one + two) + [False] * rest
        assert inputs["segments"][row].tolist() == [0] * len(one) + [1] * len(two) + [0] * rest
    assert {name: tensor.dtype for name, tensor in inputs.items()} == {
        "tokens": torch.int64,
        "mask": torch.bool,
        "segments": torch.int64,
    }
