"""`penstock graph`: draw what flows where, from stack.yml and lake.yml."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from penstock.commands.output_file import add_force_flag, refuse_to_lose
from penstock.errors import ConfigError
from penstock.lake.file import load_lake
from penstock.render.drawing import svg
from penstock.render.flow import flow_of, mermaid
from penstock.settings.stackfile import load_stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument(
        "--stack", type=Path, default=Path("stack.yml"), metavar="FILE", help="the stack file (default: %(default)s)"
    )
    parser.add_argument(
        "--lake", type=Path, metavar="FILE", help="a lake file: its notification targets are drawn too (default: none)"
    )
    parser.add_argument(
        "--format", choices=("mermaid", "svg"), default="mermaid", help="what to write (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write it (default: the terminal)")
    add_force_flag(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Write the drawing. Raises `ConfigError` for files that are wrong and for one that cannot be written."""
    if args.output is not None:
        refuse_to_lose(args.output, force=args.force)
    lake = load_lake(args.lake, env) if args.lake else None
    flow = flow_of(load_stack(args.stack, env).functions.values(), lake)
    text = svg(flow) if args.format == "svg" else mermaid(flow)
    if args.output is None:
        print(text, end="")
        return 0
    try:
        args.output.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"--output {args.output}: cannot be written: {exc.strerror}") from exc
    return 0
