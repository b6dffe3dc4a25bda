"""`penstock console`: the page of the local stack for a lake on OpenFaaS, Knative or plain Kubernetes."""

import argparse
import os
import secrets
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from penstock.commands.flags import add_ca_file_flag, port
from penstock.errors import ConfigError
from penstock.process.signals import end_on_sigterm, stop_on_signals
from penstock.settings.connector_table import CONSOLE_PASSWORD, CONSOLE_TOKEN, GATEWAY_URL
from penstock.settings.environment import load_store_settings
from penstock.settings.secrets import read_secret
from penstock.settings.stackfile import load_stack
from penstock.terminal import printable, set_up_log_lines

if TYPE_CHECKING:
    from penstock.local.console.remote.lake import RemoteLake
    from penstock.local.console.remote.platform import Platform

_PORT = 8090


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument("--gateway", metavar="URL", help="functions of this OpenFaaS gateway (default: GATEWAY_URL)")
    parser.add_argument(
        "--kubernetes", action="store_true", help="functions of a namespace: Knative's Services, and Deployments"
    )
    parser.add_argument(
        "-n", "--namespace", default="", metavar="NAME", help="namespace of the functions (default: the platform's)"
    )
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="with --kubernetes: how to reach the cluster (default: KUBECONFIG, this pod, ~/.kube/config)",
    )
    parser.add_argument(
        "--context", default="", metavar="NAME", help="with --kubeconfig: a context instead of its current one"
    )
    parser.add_argument("--store", metavar="URL", help="the object store (default: MINIO_ENDPOINT)")
    parser.add_argument("--bridge", metavar="URL", help="the bridge, for events and dead letters; needs CONSOLE_TOKEN")
    parser.add_argument(
        "--metrics",
        metavar="URL",
        action="append",
        default=[],
        help="/metrics of a connector, for what waits in its queue; repeatable",
    )
    parser.add_argument(
        "--stack", type=Path, metavar="FILE", help="stack.yml whose functions' folders say what their options mean"
    )
    parser.add_argument(
        "--allow-writes", action="store_true", help="let the page upload, delete, send again, replay and drop"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=port, default=_PORT, metavar="PORT", help="port to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--host-name",
        metavar="NAME",
        action="append",
        default=[],
        help="a name, beside this machine's own, by which browsers reach the page; repeatable",
    )
    add_ca_file_flag(parser, "for gateway, functions, bridge and metrics")


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Show the page until SIGINT or SIGTERM; returns 0. Raises `ConfigError`."""
    from penstock.local.console.remote.application import ConsoleApplication
    from penstock.local.gateway.access import Access
    from penstock.local.http_server import HttpServer

    set_up_log_lines(env.get("LOG_LEVEL", "WARNING").upper())
    end_on_sigterm()
    lake = _lake(args, env)
    given = read_secret(env, CONSOLE_PASSWORD.name)
    password = given or secrets.token_urlsafe(16)
    access = Access(password=password)
    access = replace(access, hosts=access.hosts | frozenset(args.host_name))
    server = HttpServer(ConsoleApplication(lake, access), host=args.host, port=args.port)
    stopped = threading.Event()
    try:
        stop_on_signals(stopped.set)
        lake.start()
        server.start()
        login = "" if given else f"?password={quote(password, safe='')}"
        changes = "it may change things" if args.allow_writes else "it only reads"
        print(printable(f"console  {server.url}/ui/{login}  user admin; {changes}"), flush=True)
        stopped.wait()
    finally:
        server.stop()
        lake.stop()
    return 0


def _lake(args: argparse.Namespace, env: Mapping[str, str]) -> "RemoteLake":
    from penstock.connect.settings import ca_file_from, caller_headers, caller_keys
    from penstock.local.console.remote.bridge import BridgeInbox
    from penstock.local.console.remote.caller import FunctionCaller
    from penstock.local.console.remote.lake import RemoteLake
    from penstock.local.console.remote.queues import Queues
    from penstock.store.s3 import S3ObjectStore

    ca_file = ca_file_from(args, env)
    settings = load_store_settings({**env, "MINIO_ENDPOINT": args.store} if args.store else env)
    token = read_secret(env, CONSOLE_TOKEN.name)
    if args.bridge and not token:
        raise ConfigError("--bridge: needs CONSOLE_TOKEN, the same for the bridge and for this console")
    handlers = load_stack(args.stack, env).functions if args.stack else {}
    return RemoteLake(
        _platform(args, env, ca_file),
        S3ObjectStore(settings),
        bridge=BridgeInbox(args.bridge, token, ca_file=ca_file) if args.bridge else None,
        queues=Queues(args.metrics, ca_file=ca_file),
        caller=FunctionCaller(caller_headers(env), caller_keys(env), ca_file),
        handlers={name: spec.handler for name, spec in handlers.items()},
        allows_writes=args.allow_writes,
    )


def _platform(args: argparse.Namespace, env: Mapping[str, str], ca_file: str | None) -> "Platform":
    from penstock.local.console.remote.platform import KubernetesPlatform, OpenFaasPlatform

    gateway = args.gateway or GATEWAY_URL.value(env)
    if args.kubernetes:
        if args.gateway:
            raise ConfigError("--gateway and --kubernetes: give one of them")
        from penstock.jobs.access import find_access, read_kubeconfig
        from penstock.jobs.api import KubernetesApi

        if args.kubeconfig:
            return KubernetesPlatform(KubernetesApi(read_kubeconfig(args.kubeconfig, args.namespace, args.context)))
        return KubernetesPlatform(KubernetesApi(find_access(env, args.namespace, args.context)))
    if not gateway:
        raise ConfigError("nothing to look at: give --gateway URL, or --kubernetes; penstock up has its own console")
    from penstock.connect.sources import gateway_from

    return OpenFaasPlatform(gateway_from(gateway, env, namespace=args.namespace, ca_file=ca_file))
