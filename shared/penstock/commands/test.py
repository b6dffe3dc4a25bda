"""`penstock test NAME`: a function on its samples, or on files and objects; what went in, and what came out."""

import argparse
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from penstock.commands.flags import add_function_flags, add_store_flags
from penstock.commands.objects import object_of, place
from penstock.commands.put import content_type_of
from penstock.commands.written import Made, Sample, call_text, how_to_run, identifier, keep, sample_test
from penstock.errors import ConfigError, HandlerError, NothingToDo, PermanentError
from penstock.serving.wiring import function_config
from penstock.terminal import columns, json_text, one_line, printable, progress, size_text

if TYPE_CHECKING:
    from penstock.testing import Output

MOST_BYTES: Final = 64 * 1024 * 1024
_SHOWN: Final = 60
_LEFT_OUT: Final = ("SOURCE", "SINK", "MINIO_ENDPOINT", "MINIO_CA_FILE", "SINK_CA_FILE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_function_flags(parser)
    parser.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="file, or s3://BUCKET/KEY (default: the files in its folder samples)"
    )
    parser.add_argument("--write", action="store_true", help="write a test that expects these results")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each input")
    add_store_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Call the handler on each input; exit code 65 when it refuses one."""
    from penstock.handler.loading import load_module, make_function
    from penstock.testing import run as call

    # Where results go and where sources are does not matter here: no access to them is needed.
    config = function_config(args.function, {**env, **dict.fromkeys(_LEFT_OUT, "")}, args.stack)
    module = load_module(args.function)
    make_function(module, config)  # raises what is wrong with the handler or its options, as a start does
    handle = module.handle
    refused, rows = 0, [("input", "size", "type", "result", "size", "type", "begins with")]
    for data, sample in _inputs(args, env):
        try:
            with progress(sample.name, unit="input", total=1, stays=False):
                made = call(
                    handle,
                    data,
                    name=sample.name,
                    content_type=sample.content_type,
                    metadata=sample.metadata,
                    content_encoding=sample.content_encoding,
                    renditions=config.renditions or None,
                    **config.options,  # type: ignore[arg-type]  # names of options, which are none of the others
                )
        except (PermanentError, NothingToDo) as exc:
            refused += isinstance(exc, PermanentError)
            rows.append((sample.name, size_text(len(data)), sample.content_type, "refused", "", "", one_line(str(exc))))
            told: dict[str, object] = {"input": sample.name, "size": len(data), "refused": str(exc)}
            if args.write:
                why = "refused, so no test is written; write one with pytest.raises if that is right"
                print(printable(f"penstock test: {sample.name}: {why}"), file=sys.stderr)
        except HandlerError as exc:
            raise HandlerError(f"{sample.name}: {exc}") from exc
        except Exception as exc:
            exc.add_note(f"the input was {sample.name}")  # below its trace
            raise
        else:
            rows.append((sample.name, size_text(len(data)), sample.content_type, *_after(made)))
            told = _told(sample, len(data), made)
            for note in () if args.json else dict.fromkeys(made.notes):
                print(printable(f"penstock test: {sample.name}: note: {note}"), file=sys.stderr)
            if args.write:
                first = dict(list(config.renditions.items())[:1])
                text = call_text(sample, first, config.options).replace(
                    "rendition=rendition", f"rendition={next(iter(first), '')!r}"
                )
                _write(args.function, data, sample, made, text)
        if args.json:
            print(json_text(told))
    if not args.json:
        print("\n".join(columns(rows, right={1, 4})))
    return PermanentError.exit_code if refused else 0


def _inputs(args: argparse.Namespace, env: Mapping[str, str]) -> Iterator[tuple[bytes, Sample]]:
    given = args.inputs or sorted(str(path) for path in (args.function / "samples").glob("*") if path.is_file())
    given = [text for text in given if not text.endswith(".py")]
    if not given:
        raise ConfigError(f"{args.function}: no samples there; name a file or s3://BUCKET/KEY")
    for text in given:
        if text.startswith("s3://"):
            try:
                found = place(text)
            except argparse.ArgumentTypeError as exc:
                raise ConfigError(str(exc)) from None
            yield object_of(found.ref(), args, env, MOST_BYTES)
        elif Path(text).is_file():
            name = Path(text).name
            yield Path(text).read_bytes(), Sample(name, name, content_type_of(name), {})
        else:
            option, equals, _ = text.partition("=")
            remedy = ""
            if equals and option.isidentifier():
                remedy = f"; for an option: OPTION_{option.upper()}=... penstock test {args.function.name}"
            raise ConfigError(f"{text}: no such file{remedy}")


def _after(made: "Output") -> tuple[str, str, str, str]:
    # A character has at most 4 bytes, so one that is cut is not among those shown.
    text = made.data[: 4 * _SHOWN].decode("utf-8", "backslashreplace")
    # Not `one_line`: the first byte of gzip counts as white space there.
    begins = printable(re.sub(r"[ \t\r\n]+", " ", text))
    return "made", size_text(len(made.data)), made.content_type, begins[:_SHOWN]


def _told(sample: Sample, size: int, made: "Output") -> dict[str, object]:
    return {
        "input": sample.name,
        "size": size,
        "content_type": sample.content_type,
        "made": {
            "size": len(made.data),
            "content_type": made.content_type,
            "metadata": dict(made.metadata),
            "name": made.name,
            "notes": list(made.notes),
        },
    }


def _write(folder: Path, data: bytes, sample: Sample, made: "Output", call: str) -> None:
    copy, test = folder / "samples" / sample.file, folder / f"{identifier(sample.file)}_test.py"
    try:
        if not copy.exists():
            keep(copy, data)
        elif copy.read_bytes() != data:
            raise ConfigError(f"{copy}: is another file; rename one of them")
        keep(test, sample_test(sample, Made(made.data, made.content_type, made.document), call))
    except FileExistsError:
        raise ConfigError(f"{test}: is there already; remove it to write it anew") from None
    print(printable(how_to_run(test)))
