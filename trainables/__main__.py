"""``python -m trainables CONFIG.yaml``: run one trial and print its result as JSON.

How a trial is run on a bare machine, and how a person debugs one. The configuration is YAML or
JSON, nested or with dotted names (``optimizer.lr: 0.1``); ``-`` reads it from standard input.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from trainables.errors import UsageError, print_error
from trainables.parse_json import parse_json


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done or diverged (the result says which). 1: it failed. 2: bad usage."""
    parser = argparse.ArgumentParser(prog="python -m trainables", description=__doc__)
    parser.add_argument("config", help="a TrialConfig as YAML or JSON, or - for it")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ...")
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--storage", help="folder or URI: resume from and write to it")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument(
        "--keep-weights", choices=("none", "last", "best"), default="none", help="default none"
    )
    parser.add_argument(
        "--measure", action="append", default=[], metavar="NAME", help="at the end; may be repeated"
    )
    parser.add_argument(
        "--measure-every", type=int, default=0, metavar="K", help="and after every K epochs"
    )
    parser.add_argument(
        "--import", action="append", default=[], metavar="FILE", dest="imports",
        help="with parts of your own; a folder or module, too; may be repeated",
    )  # fmt: skip
    options = parser.parse_args(arguments)

    from trainables import measures, own_parts
    from trainables.config import Request, TrialConfig, merge

    try:
        own_parts.load_parts(options.imports)
        config = TrialConfig(**merge({}, _fields(options.config)))
        requests = tuple(Request(name, every=options.measure_every) for name in options.measure)
        for request in requests:
            measures.registry.resolve(request.name, {})
    except (OSError, UnicodeDecodeError, UsageError) as error:
        print(f"{options.config}: {error}", file=sys.stderr)
        return 2

    from trainables.storage.files import Storage
    from trainables.train import Execution, fit

    execution = Execution(
        options.device,
        options.data,
        options.threads,
        keep_weights=options.keep_weights,
        measures=requests,
    )
    try:
        storage = Storage(options.storage) if options.storage else None
        if storage is not None:
            storage.check_writable()
        result = fit(config, execution, storage, on_epoch=_report)
    except Exception as error:
        return print_error(error, f"trial {config.trial_id} failed")
    print(result.to_json())
    return 0


def _fields(file: str) -> dict[str, Any]:
    """What a file, or standard input, says of a trial.

    Raises:
        UsageError: it is no JSON, no YAML that is read here, or no mapping.
        OSError, UnicodeDecodeError: it cannot be read.
    """
    from trainables.settings_file import parse

    text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    piped = file == "-" and not text.lstrip().startswith("{")
    in_yaml = piped or file.endswith((".yaml", ".yml"))
    fields = parse(text, Path(file).name).value if in_yaml else parse_json(text)
    if not isinstance(fields, dict):
        raise UsageError("a configuration is a mapping: method, model, epochs, ...")
    return fields


def _report(epoch: int, numbers: dict[str, float]) -> None:
    shown = "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
    print(f"epoch {epoch}: {shown}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
