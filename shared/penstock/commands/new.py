"""`penstock new NAME`: a function of your own, from the template's starter."""

import argparse
import contextlib
import keyword
import os
import re
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from penstock.commands import graph, render
from penstock.errors import ConfigError, is_full
from penstock.local.gateway.router import ASYNC_TARGET, UNREADABLE_TARGET
from penstock.render.plan import make_plans
from penstock.settings.names import stack_path
from penstock.settings.stackfile import load_stack
from penstock.terminal import printable

TEMPLATE = Path("template/python3-penstock")

# What OpenFaaS (RFC 1123), Knative (RFC 1035) and a bucket all take; `make_plans` knows the longest name and what is
# taken on a cluster.
_NAME: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LOCAL_NAMES: Final = (ASYNC_TARGET, UNREADABLE_TARGET)

_ENTRY = """
  {name}:
    lang: python3-penstock
    handler: ./{folder}
    image: ${{REGISTRY:-registry.example.com}}/penstock-{name}:${{TAG:-0.1.0}}
    readonly_root_filesystem: true
    environment:
      FUNCTION_NAME: {name}
      SOURCE: s3://{name}/*
      SINK: s3://processed/{name}/{{key}}
      MINIO_ENDPOINT: ${{MINIO_ENDPOINT:-http://minio.minio.svc.cluster.local}}
    secrets:
      - minio-access-key
      - minio-secret-key
    limits: {{memory: 256Mi, cpu: 1000m}}
    requests: {{memory: 64Mi, cpu: 50m}}
    annotations:
      topic: upload
      penstock.dev/reconcile: {minute} */6 * * *
      penstock.dev/scale.max: "20"
      penstock.dev/scale.zero: "true"
      penstock.dev/scale.zero-duration: 15m
      penstock.dev/scale.type: capacity
      penstock.dev/scale.target: "4"
      com.openfaas.health.http.path: /_/health
      com.openfaas.ready.http.path: /_/ready
      com.openfaas.retry.attempts: "10"
      com.openfaas.retry.codes: 408,429,500,502,503,504
"""

_README = """\
# {name}

Puts a greeting before a text. That is what the starter does: say here what yours does.

Run these commands at the top of the project, where `stack.yml` is. They need `penstock` on the path, and port 8081.

```sh
penstock serve {folder} --port 8081 &
curl -sS --fail-with-body --retry 9 --retry-connrefused --data-binary 'world' http://127.0.0.1:8081/note.txt
```

## Options

As `OPTION_<NAME>` in `stack.yml`, or in the query string of a direct call.

| option | default | what it does |
|---|---|---|
| `greeting` | `hello` | the line that goes before the input |

## Where it works

`SOURCE` in `stack.yml` says which objects it takes: all of the bucket `{name}`. `SINK` says where the results go.
"""

_NEXT = """\
{folder}: handler.py, its test and a README
{stack}: SOURCE takes the bucket {name}, SINK writes to processed/{name}/; change both as you like

next:
  python -m pytest --import-mode=importlib {folder}    its test; needs: pip install pytest
  penstock serve {folder} --port 8081    serve it alone, then send a file:
    curl -sS --fail-with-body --data-binary @FILE http://127.0.0.1:8081/
  penstock up    the whole lake: drop a file on the console
  {render}    after each change of {stack}, for the manifests of each platform
  on a cluster: the bucket {name} and a rule for {name} in your lake file; see {lake}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument("name", metavar="NAME", help="the function's name: lower-case letters, digits and -")


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Make a folder under functions/ from the starter and add its entry to stack.yml; raises `ConfigError`.

    Manifests and drawing that are made from stack.yml are renewed where they are there.
    """
    name = args.name
    _refuse_name(name)
    # A folder of Python code; `-` could not be in the name of its package.
    folder = Path("functions", name.replace("-", "_"))
    if not TEMPLATE.is_dir():
        raise ConfigError(
            f"{TEMPLATE}: not here; run this at the top of a project, or write one here with penstock init"
        )
    if folder.exists():
        raise ConfigError(f"{folder}: exists already; choose another name")
    stack = stack_path()
    try:
        before = stack.read_text(encoding="utf-8") if stack.is_file() else ""
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{stack}: not UTF-8 at byte {exc.start}; save it as UTF-8") from exc
    if "\nfunctions:" not in before:
        raise ConfigError(f"{stack}: has no functions: to add {name} to")
    has_entries = re.search(r"^\s+[^\s#]", before.partition("\nfunctions:")[2], re.MULTILINE)
    if has_entries and name in load_stack(stack, env).functions:  # a file without functions cannot be loaded
        raise ConfigError(f"{stack}: has a function {name} already; choose another name")
    # Not at the minutes of the others, so that the jobs of all functions do not start together.
    entry = _ENTRY.format(name=name, folder=folder, minute=zlib.crc32(name.encode()) % 60)
    # `functions:` is the last key, as faas-cli new --append needs it too.
    text = before.rstrip("\n") + "\n" + entry
    try:
        shutil.copytree(TEMPLATE / "function", folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "README.md").write_text(_README.format(name=name, folder=folder), encoding="utf-8")
        _write_checked(stack, text, name, env)
    except BaseException as exc:
        shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(exc, OSError) or is_full(exc):  # the command line says what helps on a full disk
            raise
        what = f"{exc.filename or folder}: cannot be written: {exc.strerror or exc}"
        raise ConfigError(f"{what}; a function needs a folder there") from exc
    _renew(env)
    # A checkout has a Makefile; a project that penstock init wrote has none.
    rendering = "make render" if Path("Makefile").is_file() else "penstock render knative (or kubernetes, openfaas)"
    lake = "docs/lake.md" if Path("docs/lake.md").is_file() else "penstock lake --help"
    told = _NEXT.format(name=name, folder=folder, stack=stack, render=rendering, lake=lake)
    print(printable(told, keep="\n"), end="")
    return 0


def _refuse_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r}: a name has lower-case letters, digits and -, begins with a letter and ends with no -"
        )
    if name in _LOCAL_NAMES or keyword.iskeyword(name):
        raise ConfigError(f"{name!r}: has a meaning of its own; choose another name")


def _write_checked(stack: Path, text: str, name: str, env: Mapping[str, str]) -> None:
    """Replace the stack file once the platforms take what is in it; raises `ConfigError`."""
    new = stack.with_name(f".{stack.name}.new")
    try:
        new.write_text(text, encoding="utf-8")
        try:
            make_plans(load_stack(new, env).functions.values())
        except ConfigError as exc:
            # The file of that name is gone again when this is read, and so are its lines.
            problems = [re.sub(rf"^{re.escape(str(new))}(:\d+)?: ", "", problem) for problem in exc.problems]
            raise ConfigError(*(f"{name!r} cannot be added to {stack}: {problem}" for problem in problems)) from exc
        new.replace(stack)
    finally:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()


def _renew(env: Mapping[str, str]) -> None:
    """Do what `make render` does, for what is there."""
    for platform in ("knative", "kubernetes", "openfaas"):
        if Path("deploy", platform, "base").is_dir():
            parser = argparse.ArgumentParser()
            render.add_arguments(parser)
            render.run(parser.parse_args([platform]), env)
    if Path("stack.pro.yml").is_file():
        parser = argparse.ArgumentParser()
        render.add_arguments(parser)
        render.run(parser.parse_args(["openfaas-pro"]), env)
    drawing = Path("docs/flow.svg")
    if drawing.is_file():
        parser = argparse.ArgumentParser()
        graph.add_arguments(parser)
        graph.run(parser.parse_args(["--format", "svg", "--output", str(drawing), "--force"]), env)
