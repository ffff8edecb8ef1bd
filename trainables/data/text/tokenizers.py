"""Texts as numbers: by bytes, by words, or by the files of a published tokenizer.

The first two need no file. Published ones lie in a folder of their own, ``tokenizers/NAME`` under
the data directory, as ``tokenizer.json``, as ``vocab.json`` with ``merges.txt`` (GPT-2's), or as
``vocab.txt`` (BERT's); nothing here reaches for the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import Field

from trainables.data.base import DataError, MissingDataError
from trainables.data.prepare import originals
from trainables.errors import reason
from trainables.extras import library
from trainables.parse_json import NoJSONError, parse_json

TokenizerName = Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
"""``words``, ``bytes``, or a folder of files (see above)."""

PAD, START, END, UNKNOWN = range(4)
FIRST_BYTE = END + 1


class Tokenizer(Protocol):
    """Texts as numbers.

    Attributes:
        vocabulary: All numbers are below it.
        pad: Fills rows up; it means nothing.
        start: The first number of a pair of sentences (BERT's ``[CLS]``).
        end: Where a text ends, or a sentence of a pair (``[SEP]``).
    """

    vocabulary: int
    pad: int
    start: int
    end: int

    def encode(self, text: str) -> list[int]:
        """The numbers of ``text``, without start and end."""


class Bytes:
    """Each byte of the UTF-8 text is a number."""

    vocabulary, pad, start, end = FIRST_BYTE + 256, PAD, START, END

    def encode(self, text: str) -> list[int]:
        """See `Tokenizer`."""
        return [FIRST_BYTE + byte for byte in text.encode()]


_PIECE = re.compile(r" ?(?:[^\W\d_]+|\d|[^\w\s]|_)|\s")


class Words:
    """Each word, digit and mark is a number, with the space before it, so that nothing is lost.

    Args:
        texts: The pieces of these are known; all others are one number, `UNKNOWN`.

    Attributes:
        pieces: Those that are known, sorted; the first is the number after `UNKNOWN`.
    """

    pad, start, end = PAD, START, END

    def __init__(self, texts: Iterable[str]) -> None:
        self.pieces = sorted({piece for text in texts for piece in _PIECE.findall(text)})
        self._numbers = {piece: at for at, piece in enumerate(self.pieces, UNKNOWN + 1)}
        self.vocabulary = UNKNOWN + 1 + len(self.pieces)

    def encode(self, text: str) -> list[int]:
        """See `Tokenizer`."""
        return [self._numbers.get(piece, UNKNOWN) for piece in _PIECE.findall(text)]


PADS, STARTS, ENDS = (
    ("[PAD]", "<pad>", "<|endoftext|>"),
    ("[CLS]", "<s>", "<|startoftext|>", "<|endoftext|>"),
    ("[SEP]", "</s>", "<|endoftext|>"),
)
"""What published tokenizers call these; the first that is there is taken."""


class Published:
    """A tokenizer in the files of its publisher, read by the package ``tokenizers``.

    Raises:
        DataError: they cannot be read, or know no end of a text.
    """

    def __init__(self, folder: Path) -> None:
        self._tokenizer = _read(folder)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.vocabulary = int(self._tokenizer.get_vocab_size())
        self.end = self._first(ENDS, folder)
        self.pad = self._first(PADS, folder)
        self.start = self._first(STARTS, folder)

    def _first(self, names: Sequence[str], folder: Path) -> int:
        for name in names:
            number = self._tokenizer.token_to_id(name)
            if number is not None:
                return int(number)
        raise DataError(f"the tokenizer in {folder} has none of {', '.join(names)}: take another")

    def encode(self, text: str) -> list[int]:
        """See `Tokenizer`."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)


def tokenizer(name: str, directory: Path, texts: Iterable[str]) -> Tokenizer:
    """The tokenizer of this name.

    Args:
        directory: The data directory.
        texts: Those of the training examples, whose words ``words`` knows.

    Raises:
        MissingDataError: its files are not there; the message says what to put where.
        DataError: they cannot be read.
        UsageError: the package that reads them is not installed.
    """
    if name == "bytes":
        return Bytes()
    if name == "words":
        return Words(texts)
    return Published(directory / "tokenizers" / name)


def _read(folder: Path) -> Any:
    whole, words = folder / "tokenizer.json", folder / "vocab.txt"
    pairs = folder / "vocab.json", folder / "merges.txt"
    if not any(file.is_file() for file in (whole, words, *pairs)):
        raise MissingDataError(
            f"tokenizer {folder.name!r} is missing, looked for {whole}: put tokenizer.json there "
            "(or vocab.json and merges.txt, or vocab.txt) as it is published beside the weights, "
            "or take tokenizer = 'words' or 'bytes', which need no file"
        )
    tokenizers = library("tokenizers", "text")
    try:
        if whole.is_file():
            return tokenizers.Tokenizer.from_file(str(originals.checked_file(whole)))
        if words.is_file():
            return tokenizers.BertWordPieceTokenizer(
                str(originals.checked_file(words)), lowercase=_lowercase(folder)
            )
        return tokenizers.ByteLevelBPETokenizer(
            *(str(originals.checked_file(file)) for file in pairs)
        )
    except DataError:
        raise
    except Exception as error:  # the package's own are of no common class
        raise DataError(
            f"the tokenizer in {folder} cannot be read ({reason(error)}): fetch its files again"
        ) from None


def _lowercase(folder: Path) -> bool:
    """Whether BERT's text is made lower case; so it is where no ``tokenizer_config.json`` says."""
    file = folder / "tokenizer_config.json"
    if not file.is_file():
        return True
    try:
        return bool(parse_json(file.read_bytes()).get("do_lower_case", True))
    except (NoJSONError, AttributeError):
        raise DataError(f"{file} is no JSON object: fetch it again, or remove it") from None


__all__ = ["Bytes", "Published", "Tokenizer", "TokenizerName", "Words", "tokenizer"]
