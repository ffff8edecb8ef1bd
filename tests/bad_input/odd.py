"""Values that nobody meant, and bytes and trees that were changed a little."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

WORDS = [
    *("", " ", "-", "--", "=", ",", ":", "@", "a=b", "null", "true", "nan", "inf", "-inf", "1e999"),
    *("0", "-1", "1", "2.5", "1e-400", "9" * 30, "9" * 5000, "0x10", "1_000", "١", "²", "[", "{"),
    *("[]", "{}", "[[1]]", '{"name": "sam"}', '"x"', "'x'", "[" * 3000, "{}" * 50, "\t", "\n", "é"),
    *("\u202e", "\udcff", "\U0001f600", "x" * 300, "%s", "{0}", "$HOME", "*", "?", "#", "<", "&"),
    *("sam", "erm", "paper", "smoke", "text", "code", "list", "nrs/table1", "__class__", "name"),
]  # fmt: skip

words = st.one_of(
    st.sampled_from(WORDS),
    st.text(st.characters(exclude_characters="\0/~", exclude_categories=["Cs"]), max_size=12),
    st.integers().map(str),
    st.floats().map(str),
)
"""Of a command line. No path leads out of the folder in which they are tried."""

values = st.one_of(
    st.sampled_from(
        [
            *(None, True, False, 0, 1, -1, 2, 2**31, 2**63, -(2**63), 10**400, 0.0, -0.0, 0.5),
            *(1e308, 1e-320, math.nan, math.inf, -math.inf, "", [], {}, [[]], [None], {"": None}),
            *({"name": "sam"}, {"name": None}, {"num": 3}, [1, 2], ["a", "b"], "x" * 1000),
            *("a\nb", "../../outside", "\0", "\ud800", [[[[[[[1]]]]]]]),
        ]
    ),
    st.text(max_size=8),
    st.integers(),
    st.floats(),
)
"""JSON's, and what only looks like it."""

Change = tuple[str, float, bytes]
changes: st.SearchStrategy[Change] = st.tuples(
    st.sampled_from(["set", "insert", "remove", "cut", "repeat"]),
    st.floats(0, 1),
    st.binary(min_size=1, max_size=8),
)


def changed_bytes(content: bytes, made: Sequence[Change]) -> bytes:
    """``content`` after changes at relative places."""
    for what, where, piece in made:
        at = int(where * len(content))
        if what == "set":
            content = content[:at] + piece + content[at + len(piece) :]
        elif what == "insert":
            content = content[:at] + piece + content[at:]
        elif what == "remove":
            content = content[:at] + content[at + 8 * len(piece) :]
        elif what == "cut":
            content = content[:at]
        else:
            content = content[:at] + content[at : at + 64] * len(piece) + content[at:]
    return content


byte_changes = st.lists(changes, min_size=1, max_size=3)

TreeChange = tuple[list[int], str, Any]
tree_changes = st.lists(
    st.tuples(
        st.lists(st.integers(0, 30), min_size=1, max_size=5),
        st.sampled_from(["replace", "replace", "replace", "remove", "add", "rename", "nest"]),
        values,
    ),
    min_size=1,
    max_size=3,
)


def changed_tree(tree: Any, made: Sequence[TreeChange]) -> Any:
    """``tree`` (mappings, lists and leaves) after changes at places that numbers lead to."""
    root = [copy.deepcopy(tree)]
    for steps, what, value in made:
        parent: Any = root
        key: Any = 0
        for step in steps:
            node = parent[key]
            if not isinstance(node, dict | list) or not node:
                break
            parent, key = (
                node,
                (list(node) if isinstance(node, dict) else range(len(node)))[step % len(node)],
            )
        _change(parent, key, what, copy.deepcopy(value))
    return root[0]


def _change(parent: Any, key: Any, what: str, value: Any) -> None:
    if what == "remove" and len(parent) > 0 and isinstance(parent, dict):
        del parent[key]
    elif what == "add" and isinstance(parent, dict):
        parent[str(value)[:20]] = value
    elif what == "rename" and isinstance(parent, dict):
        parent[str(value)[:20]] = parent.pop(key)
    elif what == "nest":
        parent[key] = [parent[key]]
    else:
        parent[key] = value


__all__ = ["WORDS", "byte_changes", "changed_bytes", "changed_tree", "tree_changes", "values",
           "words"]  # fmt: skip
