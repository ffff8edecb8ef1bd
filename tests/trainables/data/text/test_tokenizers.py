"""Texts as numbers and back; files in the forms in which tokenizers are published."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.base import DataError, MissingDataError
from trainables.data.text.tokenizers import (
    END,
    PAD,
    START,
    UNKNOWN,
    Bytes,
    Tokenizer,
    Words,
    tokenizer,
)
from trainables.errors import UsageError

TEXT = "Ann has 12 coins.  Ben: none_at all, 3-4?"


@given(st.text())
def test_bytes_and_words_lose_nothing(text: str) -> None:
    text = text.encode(errors="replace").decode()  # no lone surrogates: they are in no file
    assert bytes(token - 3 for token in Bytes().encode(text)).decode() == text
    assert "".join(pieces(Words([text]), text)) == text


def pieces(known: Words, text: str) -> list[str]:
    return [known.pieces[token - 4] for token in known.encode(text)]


def test_bytes_are_the_utf8_bytes_after_three_marks() -> None:
    assert sorted({PAD, START, END}) == [0, 1, 2]
    assert Bytes().encode("aé") == [97 + 3, 0xC3 + 3, 0xA9 + 3]
    assert Bytes().vocabulary == 3 + 256


def test_words_are_words_digits_and_marks_with_the_space_before_them() -> None:
    expected = ["Ann", " has", " 1", "2", " coins", ".", " ", " Ben", ":", " none", "_", "at"]
    expected += [" all", ",", " 3", "-", "4", "?"]
    known = Words([TEXT])
    assert pieces(known, TEXT) == expected
    assert known.vocabulary == 4 + len(set(expected))
    assert known.encode(" 2") == [UNKNOWN], "a digit with a space before it is another"
    assert not {PAD, START, END, UNKNOWN} & set(known.encode(TEXT))


def test_words_are_numbered_alike_in_whichever_order_the_texts_come() -> None:
    assert Words(["b a", "c"]).encode("a b c") == Words(["c", "b a"]).encode("a b c")


def write_bert(folder: Path, **config: object) -> None:
    folder.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "play", "##ing", "cat", "Cat", "."]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))


def write_gpt2(folder: Path) -> None:
    folder.mkdir(parents=True)
    words = ["l", "o", "w", "Ġ", "lo", "low", "Ġlow", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: at for at, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\nl o\nlo w\nĠ low\n")


def write_whole(folder: Path) -> None:
    """With the cutting and filling up that published files may ask for."""
    import tokenizers

    folder.mkdir(parents=True)
    words = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "cat": 4, "dog": 5}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.enable_truncation(2)
    made.enable_padding(length=8)
    made.save(str(folder / "tokenizer.json"))


def marks(known: Tokenizer) -> tuple[int, int, int, int]:
    return known.vocabulary, known.pad, known.start, known.end


def test_files_of_bert(tmp_path: Path) -> None:
    write_bert(tmp_path / "tokenizers" / "bert")
    known = tokenizer("bert", tmp_path, ())
    assert known.encode("Playing cat.") == [5, 6, 7, 9]
    assert marks(known) == (10, 0, 2, 3)


def test_files_of_bert_that_keep_capitals(tmp_path: Path) -> None:
    write_bert(tmp_path / "tokenizers" / "bert", do_lower_case=False)
    assert tokenizer("bert", tmp_path, ()).encode("Cat cat") == [8, 7]


def test_files_of_gpt2(tmp_path: Path) -> None:
    write_gpt2(tmp_path / "tokenizers" / "gpt2")
    known = tokenizer("gpt2", tmp_path, ())
    assert known.encode("low low lo") == [5, 6, 3, 4]
    assert marks(known) == (8, 7, 7, 7)


def test_a_whole_file_neither_cuts_nor_fills_up(tmp_path: Path) -> None:
    write_whole(tmp_path / "tokenizers" / "own")
    known = tokenizer("own", tmp_path, ())
    assert known.encode("dog cat dog bird") == [5, 4, 5, 3]
    assert marks(known) == (6, 0, 1, 2)


def test_missing_files_are_one_sentence_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"put tokenizer\.json there") as error:
        tokenizer("gpt2", tmp_path, ())
    assert str(tmp_path / "tokenizers" / "gpt2" / "tokenizer.json") in str(error.value)
    assert "'words' or 'bytes'" in str(error.value)


@pytest.mark.parametrize(
    ("file", "content", "pattern"),
    [
        ("tokenizer.json", "{", "cannot be read"),
        ("tokenizer.json", "", "is empty"),
        ("vocab.json", "{}", "merges.txt is missing"),
        ("vocab.txt", "cat\n[UNK]\n", "sep_token not found"),
    ],
)
def test_damaged_files_are_one_sentence(
    file: str, content: str, pattern: str, tmp_path: Path
) -> None:
    folder = tmp_path / "tokenizers" / "mine"
    folder.mkdir(parents=True)
    (folder / file).write_text(content)
    with pytest.raises(DataError, match=pattern) as error:
        tokenizer("mine", tmp_path, ())
    assert re.search(re.escape(str(folder)), str(error.value))


def test_a_tokenizer_that_knows_no_end_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "tokenizers" / "gpt2"
    write_gpt2(folder)
    (folder / "vocab.json").write_text(json.dumps({"l": 0, "o": 1, "w": 2, "Ġ": 3}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(DataError, match=r"has none of \[SEP\], </s>, <\|endoftext\|>"):
        tokenizer("gpt2", tmp_path, ())


def test_without_the_package_a_sentence_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gpt2(tmp_path / "tokenizers" / "gpt2")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match=r"pip install 'flatsweep\[text\]'"):
        tokenizer("gpt2", tmp_path, ())
    assert tokenizer("bytes", tmp_path, ()).vocabulary == 259
