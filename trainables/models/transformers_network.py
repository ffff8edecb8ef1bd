"""Networks of the package ``transformers``, as functions from a batch's inputs to logits.

None is downloaded unless a person names one of a hub. `transformers` is imported when a network is
built, and not before: that takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.errors import UsageError, reason
from trainables.extras import library
from trainables.models.weights import checked_folder

FILES = ("model.safetensors", "pytorch_model.bin")
"""Which of a published network's files has its weights."""

HubName = Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+@[0-9a-f]{40}$")]
"""A published network with its version, the 40 digits of a commit, which is part of a trial's name:
``openai-community/gpt2@607a...``. A branch moves, and is none."""


class Logits(nn.Module):
    """``network`` with one argument, a batch's inputs, and logits as its output.

    Inputs are ``tokens`` int64 (B, L), ``mask`` bool (B, L), true where there is a token, and
    ``segments`` int64 (B, L) where there are two sentences.

    Args:
        causal: Whether a place sees none that comes after it.
    """

    network: Any  # a transformers.PreTrainedModel

    def __init__(self, network: nn.Module, causal: bool) -> None:
        super().__init__()
        self.network, self.causal = network, causal

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Weights that are one tensor stay one where torch makes new parameters for a device."""
        moved = super()._apply(fn, recurse)
        self.network.tie_weights()
        return moved

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, classes), or (B, L, V) of a language model."""
        named = {"input_ids": inputs["tokens"], "attention_mask": self._bias(inputs["mask"])}
        if "segments" in inputs:
            named["token_type_ids"] = inputs["segments"]
        logits = self.network(**named).logits
        assert isinstance(logits, Tensor)
        return logits

    def _bias(self, mask: Tensor) -> Tensor:
        """What is added to the scores of attention: (B, 1, 1, L), or (B, 1, L, L) if causal.

        Made here, as the library would first ask the device whether there is anything to mask.
        """
        seen = mask[:, None, None, :]
        if self.causal:
            seen = seen & seen.new_ones(mask.shape[1], mask.shape[1]).tril()
        dtype = next(self.network.parameters()).dtype
        return torch.zeros_like(seen, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)


def build(
    network: str,
    config: str,
    *,
    causal: bool = False,
    weights: str | None = None,
    weights_sha256: str | None = None,
    hub: str | None = None,
    new: Collection[str] = (),
    unused: Collection[str] = (),
    **fields: Any,
) -> nn.Module:
    """A network of `transformers`.

    Attention is written out: fused kernels have no second derivative.

    Args:
        network, config: Names of its class, and of that of its configuration.
        causal: See `Logits`.
        weights, weights_sha256, hub: See `trainables.models.gpt2.gpt2`. None of them: the weights
            are drawn.
        new, unused: Beginnings of the names of parameters that published weights may lack, and may
            have beside those of the network.
        fields: Of the configuration.

    Raises:
        UsageError: the package is not there, or the weights are not, or are of another network.
    """
    transformers = library("transformers", "text")
    described = getattr(transformers, config)(**fields)
    described._attn_implementation = "eager"
    kind = getattr(transformers, network)
    if weights is None and hub is None:
        return Logits(kind(described), causal)
    what, folder = _found(weights, weights_sha256, hub)
    try:
        with _quietly(transformers):
            made, found = kind.from_pretrained(
                str(folder),
                config=described,
                dtype=torch.float32,
                attn_implementation="eager",
                local_files_only=True,
                ignore_mismatched_sizes=True,  # said below, in one sentence
                output_loading_info=True,
            )
    except Exception as error:  # of many kinds, most of them from other packages
        raise UsageError(f"{what} cannot be read: {reason(error)}") from None
    for name, there, here in sorted(found["mismatched_keys"]):
        raise UsageError(
            f"{what} does not fit: {name!r} has shape {tuple(there)} there and {tuple(here)} here"
        )
    _check(what, "only the network", found["missing_keys"], new)
    _check(what, "only the file", found["unexpected_keys"], unused)
    return Logits(made.train(), causal)


def _found(weights: str | None, weights_sha256: str | None, hub: str | None) -> tuple[str, Path]:
    """What is read, in words, and the folder in which it is."""
    if hub is None:
        assert weights is not None
        return f"weights = {weights!r}", checked_folder(weights, weights_sha256, FILES)
    if weights is not None:
        raise UsageError(f"weights = {weights!r} and hub = {hub!r}: name one of them")
    return f"hub = {hub!r}", _fetched(hub)


def _fetched(hub: str) -> Path:
    """The folder in which the hub's own package keeps what it fetched, or had fetched before."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    name, commit = hub.split("@")
    for file in FILES:
        try:
            return Path(hf_hub_download(name, file, revision=commit)).parent
        except LocalEntryNotFoundError as error:  # it cannot be reached, and has not been before
            raise UsageError(f"hub = {hub!r} cannot be read: {reason(error)}") from None
        except EntryNotFoundError:
            continue
        except Exception as error:
            raise UsageError(f"hub = {hub!r} cannot be read: {reason(error)}") from None
    raise UsageError(f"hub = {hub!r} has none of {', '.join(FILES)}")


@contextmanager
def _quietly(transformers: Any) -> Iterator[None]:
    """Within it the package neither reports nor draws a bar: what is wrong is said by an error."""
    logging = transformers.utils.logging
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def _check(what: str, where: str, names: Collection[str], allowed: Collection[str]) -> None:
    wrong = sorted(name for name in names if not name.startswith(tuple(allowed)))
    if wrong:
        raise UsageError(f"{what} does not fit: {where} has {wrong[0]!r}")


def check_length(length: int, positions: int) -> None:
    """Raise UsageError where texts of ``length`` tokens are longer than a network's positions."""
    if length > positions:
        raise UsageError(
            f"positions = {positions}, but the data have texts of {length} tokens: "
            "give as many or more, or take a tokenizer that makes fewer"
        )


def check_heads(heads: int, width: int) -> None:
    """Raise UsageError where ``heads`` does not divide ``width``."""
    if width % heads:
        raise UsageError(f"heads = {heads} must divide width = {width}")


__all__ = ["HubName", "Logits", "build", "check_heads", "check_length"]
