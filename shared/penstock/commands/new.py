"""`penstock new NAME`: a function of your own, from the template's starter."""

import argparse
import shutil
from pathlib import Path

from penstock.errors import ConfigError
from penstock.settings.names import is_dns_label, stack_path

TEMPLATE = Path("template/python3-penstock")

_ENTRY = """
  {name}:
    lang: python3-penstock
    handler: ./functions/{name}
    image: ${{REGISTRY:-ghcr.io/example}}/{name}:${{TAG:-latest}}
    readonly_root_filesystem: true
    environment:
      FUNCTION_NAME: {name}
      SOURCE: s3://upload/*
      SINK: s3://processed/{name}/{{key}}
      MINIO_ENDPOINT: ${{MINIO_ENDPOINT:-http://minio.minio.svc.cluster.local}}
    secrets:
      - minio-access-key
      - minio-secret-key
    annotations:
      topic: upload
      penstock.dev/scale.zero: "true"
      penstock.dev/scale.zero-duration: 15m
      com.openfaas.health.http.path: /_/health
      com.openfaas.ready.http.path: /_/ready
      com.openfaas.retry.codes: 408,429,500,502,503,504
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument("name", metavar="NAME", help="the function's name: lower-case letters, digits and -")


def run(args: argparse.Namespace) -> int:
    """Make functions/NAME from the starter and add its entry to stack.yml; raises `ConfigError`."""
    folder = Path("functions", args.name)
    if not is_dns_label(args.name):
        raise ConfigError(f"{args.name!r}: a name has lower-case letters, digits and -, as in a DNS label")
    if not TEMPLATE.is_dir():
        raise ConfigError(f"{TEMPLATE}: not here; run this at the top of a Penstock project")
    if folder.exists():
        raise ConfigError(f"{folder}: exists already; choose another name")
    stack = stack_path()
    entry = _ENTRY.format(name=args.name)
    try:
        before = stack.read_text(encoding="utf-8") if stack.is_file() else ""
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{stack}: not UTF-8 at byte {exc.start}; save it as UTF-8") from exc
    if "\nfunctions:" not in before:
        raise ConfigError(f"{stack}: has no functions: to add {args.name} to")
    shutil.copytree(TEMPLATE / "function", folder, ignore=shutil.ignore_patterns("__pycache__"))
    # `functions:` is the last key, as faas-cli new --append needs it too.
    stack.write_text(before.rstrip("\n") + "\n" + entry, encoding="utf-8")
    print(f"{folder}: handler.py and its test; {stack}: SOURCE, SINK and topic to make your own")
    print(f"try it:  penstock serve {folder} --port 8081   and   curl --data-binary @FILE http://127.0.0.1:8081/")
    return 0
