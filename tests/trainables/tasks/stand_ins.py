"""Tiny data sets and models of each kind of inputs, registered for tests.

Letters in shapes: N examples, B samples, L places, V words, D features, K nodes.
"""

from __future__ import annotations

from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

from trainables import data, models
from trainables.data.base import Dataset, Images

V, L, D, N = 7, 6, 8, 48
END = 0


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def texts() -> Dataset:
    """Counting upwards from a random start, which is how far, too: a prompt of two tokens, then
    text and its end."""
    start = torch.randint(1, V - 1, (N, 1), generator=draws())
    whole = (start + torch.arange(L + 1) - 1) % (V - 1) + 1
    length = 4 + start % (L - 3)
    places = torch.arange(L + 1)
    whole = torch.where(places < length, whole, END)
    mask = places[:L] < length
    counted = mask & (places[:L] >= 1)
    answer = whole.gather(1, torch.cat([length - 1, length], 1))
    inputs = {"tokens": whole[:, :L], "mask": mask}
    targets = {"tokens": whole[:, 1:], "counted": counted, "answer": answer}
    spec = {"vocabulary": V, "length": L}
    return Dataset("tiny_text", Images(inputs, targets), None, 0, spec=spec)


def sentences() -> Dataset:
    """Whether the first token is among the later ones."""
    tokens = torch.randint(1, V, (N, L), generator=draws())
    labels = (tokens[:, 1:] == tokens[:, :1]).any(1).long()
    inputs = {"tokens": tokens, "mask": torch.ones(N, L, dtype=torch.bool)}
    return Dataset("tiny_sentences", Images(inputs, labels), None, 2, spec={"vocabulary": V})


def pairs() -> Dataset:
    """Pixels of one brightness, and a token that says how bright."""
    bright = torch.randint(1, V, (N,), generator=draws())
    pixels = (bright * 30).view(N, 1, 1, 1).expand(N, 1, 4, 4)
    noise = torch.randint(0, 20, (N, 1, 4, 4), generator=draws(1))
    inputs = ((pixels + noise).to(torch.uint8), {"tokens": bright[:, None]})
    spec = {"vocabulary": V, "channels": 1, "image_size": 4}
    return Dataset("tiny_pairs", Images(inputs, bright), None, 0, (0.4,), (0.3,), spec=spec)


class Graphs:
    """Graphs of 3 to 6 nodes in a ring, with some chords: their adjacency, padded."""

    def __init__(self) -> None:
        self.sizes = torch.randint(3, 7, (N,), generator=draws())
        self.chords = torch.randint(0, 2, (N,), generator=draws(1))

    def __len__(self) -> int:
        return N

    def batch(self, rows):
        longest = int(self.sizes[rows].max())
        adjacency = torch.zeros(len(rows), longest, longest)
        for at, row in enumerate(rows.tolist()):
            k = int(self.sizes[row])
            ring = torch.eye(k).roll(1, 0)
            adjacency[at, :k, :k] = ring + ring.T
            if self.chords[row]:
                adjacency[at, :k, :k] = 1.0
        return {
            "adjacency": adjacency,
            "nodes": torch.arange(longest) < self.sizes[rows][:, None],
        }


def graphs() -> Dataset:
    """Rings and complete graphs."""
    found = Graphs()
    return Dataset("tiny_graphs", Images(found, found.chords), None, 2, spec={"features": 1})


def arrays() -> Dataset:
    """Features and a number."""
    x = torch.randn(N, 5, generator=draws())
    return Dataset("tiny_arrays", Images(x, x[:, :1].sin()), None, 1, (0.0,), (1.0,))


class Attention(nn.Module):
    """Embedding, one head of attention with a residual, layer normalization."""

    def __init__(self, vocabulary: int, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.words = nn.Embedding(vocabulary, D)
        self.places = nn.Parameter(torch.randn(L, D) * 0.1)
        self.mixed = nn.Linear(D, 3 * D)
        self.norm = nn.LayerNorm(D)

    def forward(self, inputs):
        tokens = inputs["tokens"]
        x = self.words(tokens) + self.places[: tokens.shape[1]]
        q, k, v = self.mixed(x).unsqueeze(1).chunk(3, -1)
        mask = None
        if not self.causal and "mask" in inputs:
            mask = inputs["mask"][:, None, None, :]
        x = x + functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=self.causal
        ).squeeze(1)
        return self.norm(x)


class Writer(nn.Module):
    """The next token."""

    def __init__(self, spec) -> None:
        super().__init__()
        self.body = Attention(spec["vocabulary"], causal=True)
        self.head = nn.Linear(D, spec["vocabulary"])

    def forward(self, inputs):
        return self.head(self.body(inputs))


class Reader(nn.Module):
    """Classes of a text."""

    def __init__(self, spec, classes: int) -> None:
        super().__init__()
        self.body = Attention(spec["vocabulary"], causal=False)
        self.head = nn.Linear(D, classes)

    def forward(self, inputs):
        return self.head(self.body(inputs)[:, 0])


class TwoTowers(nn.Module):
    """Features of an image and of its caption."""

    def __init__(self, spec) -> None:
        super().__init__()
        self.image = nn.Linear(spec["channels"] * spec["image_size"] ** 2, D)
        self.text = Attention(spec["vocabulary"], causal=True)
        self.log_temperature = nn.Parameter(torch.tensor(-1.0))

    def forward(self, inputs):
        pixels, caption = inputs
        images = self.image(pixels.flatten(1)).tanh()
        return images, self.text(caption)[:, -1], self.log_temperature.expand(len(images))


class TwoHops(nn.Module):
    """Two graph convolutions, the mean over nodes, a linear layer."""

    def __init__(self, spec, classes: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(spec["features"], D), nn.Linear(D, D)
        self.head = nn.Linear(D, classes)

    def forward(self, inputs):
        adjacency, nodes = inputs["adjacency"], inputs["nodes"][..., None].to(self.first.weight)
        degree = adjacency.sum(-1, keepdim=True)
        x = (adjacency @ self.first(degree)).tanh() * nodes
        x = (adjacency @ self.second(x)).tanh() * nodes
        return self.head(x.sum(1) / nodes.sum(1))


DATA = {
    "tiny_text": (texts, {"inputs": "tokens", "losses": ("token_cross_entropy",)}),
    "tiny_sentences": (sentences, {"inputs": "tokens"}),
    "tiny_pairs": (pairs, {"inputs": "pairs", "losses": ("contrastive",)}),
    "tiny_graphs": (graphs, {"inputs": "graphs"}),
    "tiny_arrays": (arrays, {}),
}
MODELS = {
    "tiny_writer": (
        lambda *, spec: Writer(spec),
        {"inputs": "tokens", "losses": ("token_cross_entropy",)},
    ),
    "tiny_reader": (lambda *, spec, num_classes: Reader(spec, num_classes), {"inputs": "tokens"}),
    "tiny_towers": (lambda *, spec: TwoTowers(spec), {"inputs": "pairs"}),
    "tiny_hops": (lambda *, spec, num_classes: TwoHops(spec, num_classes), {"inputs": "graphs"}),
}
OF_TASK = {
    "token_cross_entropy": ("tiny_text", "tiny_writer"),
    "cross_entropy": ("tiny_sentences", "tiny_reader"),
    "contrastive": ("tiny_pairs", "tiny_towers"),
    "cross_entropy of graphs": ("tiny_graphs", "tiny_hops"),
    "mse": ("tiny_arrays", "mlp"),
}
"""A data set and a model of each task."""


def register() -> None:
    layers = models.Layers(batchnorm=False, dropout=False)
    for name, (part, fit) in DATA.items():
        data.registry.register(name, **fit)(part)
    for name, (part, fit) in MODELS.items():
        models.registry.register(name, layers=layers, **fit)(part)


def drop() -> None:
    for name in DATA:
        data.registry.drop(name)
    for name in MODELS:
        models.registry.drop(name)
    data.forget()


@contextmanager
def registered():
    register()
    try:
        yield
    finally:
        drop()


def fields(kind: str, **others):
    """Of a trial of a task of `OF_TASK`."""
    source, model = OF_TASK[kind]
    return {
        "data": {"source": source, "validation": 8, "split_seed": 0},
        "model": model,
        "loss": kind.partition(" ")[0],
        "batch_size": 8,
        "epochs": 1,
        "optimizer": {"lr": 0.05},
        "precision": "float64",
    } | others
