"""`penstock render PLATFORM`: write manifests, or say whether those that are there are current."""

import argparse
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from penstock.commands.output_file import add_force_flag, refuse_to_lose
from penstock.errors import ConfigError
from penstock.render import knative, kubernetes, openfaas, stack_pro
from penstock.render.plan import make_plans
from penstock.settings.names import is_dns_label
from penstock.settings.stackfile import load_stack
from penstock.settings.yamlfile import substitute
from penstock.terminal import json_text, printable

_IMAGE = "${REGISTRY:-registry.example.com}/penstock:${TAG:-0.1.0}"
_GATEWAY = "http://gateway.openfaas.svc.cluster.local:8080"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--stack", type=Path, default=Path("stack.yml"), metavar="FILE", help="the stack file (default: %(default)s)"
    )
    common.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a file is not current")
    add_force_flag(common)
    common.add_argument("--json", action="store_true", help="print as JSON which files differ or are needed no more")
    with_bridge = argparse.ArgumentParser(add_help=False, parents=[common])
    with_bridge.add_argument(
        "--image", metavar="NAME", help="the bridge's image (default: REGISTRY/penstock:TAG, as in the stack file)"
    )
    with_bridge.add_argument(
        "--outcome-url",
        metavar="[NAME=]URL",
        action="append",
        default=[],
        help="a URL that the bridge tells how each event ended; repeatable",
    )
    platforms = parser.add_subparsers(dest="platform", required=True)

    defaults = knative.KnativeSettings(image="")
    own = platforms.add_parser("knative", parents=[with_bridge], help="Services, Broker, Triggers and what they need")
    own.add_argument(
        "--output",
        type=Path,
        default=Path("deploy/knative/base"),
        metavar="FOLDER",
        help="folder for the files (default: %(default)s)",
    )
    _add_cluster_flags(own, defaults)
    own.add_argument(
        "--event-policy",
        action="store_true",
        help="let only the bridge, the KafkaSource and the functions' answers into the Broker"
        " (needs Knative's authentication-oidc)",
    )
    own.add_argument(
        "--region",
        default=defaults.region,
        metavar="NAME",
        help="the region in MinIO's events, its MINIO_SITE_REGION (default: none)",
    )

    own = platforms.add_parser(
        "kubernetes", parents=[with_bridge], help="Deployments that KEDA scales from 0, connector, bridge; no FaaS"
    )
    own.add_argument(
        "--output",
        type=Path,
        default=Path("deploy/kubernetes/base"),
        metavar="FOLDER",
        help="folder for the files (default: %(default)s)",
    )
    _add_cluster_flags(own, kubernetes.KubernetesSettings(image=""))

    own = platforms.add_parser(
        "openfaas", parents=[with_bridge], help="bridge and reconcile jobs beside faas-cli's functions"
    )
    own.add_argument(
        "--output",
        type=Path,
        default=Path("deploy/openfaas/base"),
        metavar="FOLDER",
        help="folder for the files (default: %(default)s)",
    )
    own.add_argument("--gateway", default=_GATEWAY, metavar="URL", help="OpenFaaS gateway (default: %(default)s)")

    # It names folders relative to itself, so it is always beside the file that it is made of.
    platforms.add_parser(
        "openfaas-pro", parents=[common], help="stack.pro.yml, with the labels that paid editions read"
    )


def _add_cluster_flags(
    own: argparse.ArgumentParser, defaults: knative.KnativeSettings | kubernetes.KubernetesSettings
) -> None:
    own.add_argument(
        "--namespace", default=defaults.namespace, metavar="NAME", help="namespace of all of it (default: %(default)s)"
    )
    own.add_argument(
        "--kafka", default=defaults.kafka, metavar="HOST:PORT", help="bootstrap servers of Kafka (default: %(default)s)"
    )
    own.add_argument(
        "--kafka-secret",
        default=defaults.kafka_secret,
        metavar="NAME",
        help='the Secret for Kafka\'s TLS and user; "" for a listener without them (default: %(default)s)',
    )


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Write or compare; returns 1 when `--check` finds a difference. Raises `ConfigError` with every problem found."""
    _check(args)
    stack = load_stack(args.stack, env)
    plans = make_plans(stack.functions.values())
    wanted: Mapping[str, str]
    outcomes: tuple[str, ...] = ()
    if args.platform != "openfaas-pro" and args.outcome_url:
        from penstock.connect.bridge.callbacks import outcome_words  # its metrics take a moment to import

        outcomes = outcome_words(args.outcome_url)
    image = "" if args.platform == "openfaas-pro" else args.image or substitute(_IMAGE, env)
    if args.platform == "openfaas-pro":
        args.output = stack.path.parent
        header = stack_pro.HEADER
        wanted = {stack_pro.name_beside(stack.path): stack_pro.render(stack.path)}
    elif args.platform == "knative":
        header = knative.HEADER
        settings = knative.KnativeSettings(
            image, args.namespace, args.kafka, args.kafka_secret, args.region, args.event_policy, outcomes
        )
        wanted = knative.render(plans, settings)
    elif args.platform == "kubernetes":
        header = kubernetes.HEADER
        wanted = kubernetes.render(
            plans, kubernetes.KubernetesSettings(image, args.namespace, args.kafka, args.kafka_secret, outcomes)
        )
    else:
        header = openfaas.HEADER
        wanted = openfaas.render(plans, image, args.gateway.rstrip("/"), outcomes)
    present = _present(args.output, header)
    stale = sorted(name for name in present if name not in wanted)
    different = [name for name, text in wanted.items() if present.get(name) != text]
    told = {"output": str(args.output), "files": sorted(wanted), "different": sorted(different), "left_over": stale}
    if args.check:
        if args.json:
            print(json_text(told))
        return _report(args, different, stale)
    for name in different:
        refuse_to_lose(args.output / name, force=args.force, own=f"# {header}\n".encode())
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        for name in different:
            (args.output / name).parent.mkdir(parents=True, exist_ok=True)
            (args.output / name).write_text(wanted[name], encoding="utf-8")
        for name in stale:
            (args.output / name).unlink()
    except OSError as exc:
        raise ConfigError(f"--output {args.output}: cannot be written: {exc.strerror}") from exc
    many = "s" * (len(wanted) != 1)
    done = f"{args.output}: {len(wanted)} file{many}, {len(different)} written, {len(stale)} removed"
    print(json_text(told) if args.json else printable(done))
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse what would be rendered without complaint and fail in the cluster only."""
    problems = []
    if args.platform == "openfaas" and not re.fullmatch(r"https?://[^/\s]+(/\S*)?", args.gateway):
        problems.append(f"--gateway {args.gateway!r}: expected a URL such as {_GATEWAY}")
    if args.platform in ("knative", "kubernetes"):
        if not is_dns_label(args.namespace):
            problems.append(f"--namespace {args.namespace!r}: expected lower-case letters, digits and -")
        if not re.fullmatch(r"[^\s:,/]+:[0-9]{1,5}(,[^\s:,/]+:[0-9]{1,5})*", args.kafka):
            problems.append(f"--kafka {args.kafka!r}: expected HOST:PORT")
        if args.kafka_secret and not is_dns_label(args.kafka_secret):
            problems.append(f"--kafka-secret {args.kafka_secret!r}: expected lower-case letters, digits and -")
    if problems:
        raise ConfigError(*problems)


def _report(args: argparse.Namespace, different: list[str], stale: list[str]) -> int:
    for name in different:
        print(printable(f"{args.output / name}: not what {args.stack} says"), file=sys.stderr)
    for name in stale:
        print(printable(f"{args.output / name}: nothing in {args.stack} makes it any more"), file=sys.stderr)
    if different or stale:
        output = "" if args.platform == "openfaas-pro" else f" --output {args.output}"
        print(printable(f"run: penstock render {args.platform} --stack {args.stack}{output}"), file=sys.stderr)
    return 1 if different or stale else 0


def _present(folder: Path, header: str) -> dict[str, str]:
    """The files in the folder that were made by this command; others are left alone."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: not a folder; name another with --output")
    found = [*folder.glob("*.y*ml"), *folder.glob("components/*/*.y*ml")]
    texts = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in found}
    return {name: text for name, text in texts.items() if text.startswith(f"# {header}\n")}
