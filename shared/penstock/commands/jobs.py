"""`penstock jobs list|watch|logs|clean`: the Jobs of large objects, from their turn to their end."""

import argparse
import os
import sys
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import urlsplit

from penstock.commands.flags import whole
from penstock.errors import ConfigError, PermanentError
from penstock.events.endpoint import EventEndpoint
from penstock.jobs.access import ClusterAccess, find_access, read_kubeconfig, read_text
from penstock.jobs.api import JobsApi, KubernetesApi, KubernetesError
from penstock.jobs.dead_letter import reason_of
from penstock.jobs.job import Job, JobState
from penstock.jobs.release import let_go
from penstock.jobs.watcher import SELECTOR, Watcher, run_watcher
from penstock.process.log import set_up_logging
from penstock.process.signals import stopping_on_signals
from penstock.settings.durations import parse_duration
from penstock.settings.plaintext import without_login
from penstock.settings.table import JOB_MAX_RUNNING
from penstock.terminal import columns, json_text, one_line, printable

# How long an answer of the Kubernetes API may hold up the end.
_PATIENCE_SECONDS: Final = 5.0
_COLUMNS = ("NAME", "FUNCTION", "STATE", "SINCE", "SOURCE", "REASON")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "-n",
        "--namespace",
        default="",
        metavar="NAME",
        help="namespace of the Jobs (default: the kubeconfig's, or this pod's own)",
    )
    where.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="how to reach the cluster (default: KUBECONFIG, this pod, ~/.kube/config)",
    )
    where.add_argument(
        "--context", default="", metavar="NAME", help="context of the kubeconfig, instead of its current one"
    )
    where.add_argument("--server", metavar="URL", help="the API itself, such as a kubectl proxy; needs --namespace")
    where.add_argument("--token-file", type=Path, metavar="FILE", help="with --server: file with the token to present")
    where.add_argument("--ca-file", type=Path, metavar="FILE", help="with --server: PEM file with its authority")
    some = argparse.ArgumentParser(add_help=False)
    some.add_argument("--function", metavar="NAME", help="only those of this function")
    some.add_argument("--state", choices=[state.value for state in JobState], help="only those in this state")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", parents=[where, some], help="one line each, oldest first")
    listing.add_argument("--json", action="store_true", help="one JSON object each")
    watch = actions.add_parser("watch", parents=[where], help="start Jobs in turn, send dead letters of failed ones")
    watch.add_argument(
        "--max-running",
        type=whole,
        metavar="N",
        help=f"Jobs at once (default: JOB_MAX_RUNNING, else {JOB_MAX_RUNNING.default})",
    )
    watch.add_argument(
        "--dead-letter-to", metavar="URL", help="where dead letters are sent (default: DEAD_LETTER_SINK)"
    )
    watch.add_argument("--sink-ca-file", metavar="FILE", help="a PEM file with the authority of that URL")
    watch.add_argument("--status-port", type=whole, metavar="PORT", help="serve /_/health and /metrics there")
    logs = actions.add_parser("logs", parents=[where], help="what a Job's pods wrote")
    logs.add_argument("name", metavar="JOB", help="as `list` shows it")
    logs.add_argument(
        "--tail", type=whole, default=200, metavar="LINES", help="lines of each pod (default: %(default)s)"
    )
    logs.add_argument("--json", action="store_true", help="print one JSON object with state, reason and pods")
    clean = actions.add_parser("clean", parents=[where, some], help="delete Jobs that have ended, after their pods")
    clean.add_argument("names", nargs="*", metavar="JOB", help="these, in any state; each becomes a dead letter")
    clean.add_argument(
        "--older-than", default="0s", metavar="TIME", help="ended that long ago: 30m, 12h, 7d (default: %(default)s)"
    )
    clean.add_argument(
        "--force", action="store_true", help="do not wait for dead letters; only when the watcher was removed"
    )


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ, out: TextIO | None = None) -> int:
    """Do one action; exit code 65 for a Job that is not there, 75 when the API does not answer."""
    out = out or sys.stdout
    api = KubernetesApi(_access(args, env))
    if args.action == "watch":
        return _watch(args, env, api)
    if args.action == "logs":
        return _logs(api, args.name, args.tail, out, as_json=args.json)
    before = datetime.now(UTC) - _duration(args.older_than) if args.action == "clean" else None
    jobs = sorted(map(Job.read, api.list_jobs(SELECTOR)[0]), key=lambda job: job.order)
    chosen = [job for job in jobs if args.function in (None, job.function) and args.state in (None, job.state.value)]
    if before is None:
        _list(chosen, out, as_json=args.json)
        return 0
    return _clean(api, args, chosen, before, out)


def _access(args: argparse.Namespace, env: Mapping[str, str]) -> ClusterAccess:
    if args.server:
        if urlsplit(args.server).scheme not in ("http", "https"):
            raise ConfigError(f"--server {args.server!r}: expected a URL such as http://127.0.0.1:8001")
        if not args.namespace:
            raise ConfigError("--server: say which namespace with --namespace")
        ca = read_text(args.ca_file) if args.ca_file else ""
        return ClusterAccess(args.server.rstrip("/"), args.namespace, token_file=args.token_file, ca=ca)
    if args.kubeconfig:
        return read_kubeconfig(args.kubeconfig, args.namespace, args.context)
    return find_access(env, args.namespace, args.context)


def _watch(args: argparse.Namespace, env: Mapping[str, str], api: JobsApi) -> int:
    from penstock.jobs.measures import JobMeasures
    from penstock.process.status_server import StatusServer

    letters = EventEndpoint(_sink(args, env), args.sink_ca_file)
    measures = JobMeasures()
    watcher = Watcher(api, letters, max_running=_max_running(args, env), measures=measures)
    set_up_logging(env.get("LOG_LEVEL", "INFO").upper())
    if args.status_port is not None:
        StatusServer(("", args.status_port), measures, ill=measures.problem, unready=str).start()
    stop = threading.Event()
    with stopping_on_signals(stop.set, patience_seconds=_PATIENCE_SECONDS):
        run_watcher(watcher, api, stop)
    return 0


def _sink(args: argparse.Namespace, env: Mapping[str, str]) -> str:
    url = args.dead_letter_to or env.get("DEAD_LETTER_SINK", "")
    if urlsplit(url).scheme not in ("http", "https"):
        raise ConfigError(
            f"DEAD_LETTER_SINK={without_login(url)!r}: expected the URL that failed Jobs' events are sent to"
        )
    return str(url)


def _max_running(args: argparse.Namespace, env: Mapping[str, str]) -> int:
    number = args.max_running if args.max_running is not None else JOB_MAX_RUNNING.value(env)
    if number < 0:
        raise ConfigError(f"--max-running {number}: expected 0 (none starts) or more")
    return int(number)


def _list(jobs: Iterable[Job], out: TextIO, *, as_json: bool) -> None:
    rows = []
    for job in jobs:
        reason = reason_of(job) if job.state is JobState.FAILED else "being deleted" if job.deleting else ""
        fields = (job.name, job.function, job.state.value, job.since, str(job.ref), reason)
        if as_json:
            named = dict(zip((column.lower() for column in _COLUMNS), fields, strict=True))
            named["dead_letter"] = "stored" if job.dead_lettered else ""
            print(json_text(named), file=out)
        else:
            rows.append((*fields[:-1], one_line(reason)))
    for line in columns([_COLUMNS, *rows] if rows else []):
        print(line, file=out)


def _logs(api: JobsApi, name: str, tail: int, out: TextIO, *, as_json: bool) -> int:
    if tail < 1:
        raise ConfigError(f"--tail {tail}: expected a number of lines, 1 or more")
    try:
        job = Job.read(api.get_job(name))
    except KubernetesError as exc:
        if exc.code != 404:
            raise
        raise PermanentError(f"no Job {name} in {api.namespace}; see: penstock jobs list") from exc
    reason = reason_of(job) if job.state is JobState.FAILED else ""
    pods = api.pods_of(name)
    if as_json:
        told = {
            "name": job.name,
            "state": job.state.value,
            "reason": reason,
            "pods": [_pod(api, p, tail) for p in pods],
        }
        print(json_text(told), file=out)
        return 0
    if reason:
        print(f"failed: {one_line(reason)}", file=out)
    if not pods:
        print("no pods: " + ("it waits for its turn" if job.state is JobState.WAITING else "gone already"), file=out)
    for pod in pods:
        found = _pod(api, pod, tail)
        print(f"==> {found['name']} ({found['phase']})", file=out)
        out.write(printable(found["log"], keep="\n\t"))
    return 0


def _pod(api: JobsApi, pod: Mapping[str, Any], tail: int) -> dict[str, str]:
    name = pod["metadata"]["name"]
    return {"name": name, "phase": (pod.get("status") or {}).get("phase", ""), "log": api.log_of(name, tail)}


def _clean(api: JobsApi, args: argparse.Namespace, jobs: list[Job], before: datetime, out: TextIO) -> int:
    missing = set(args.names) - {job.name for job in jobs}
    if missing:
        raise PermanentError(f"no Job {', '.join(sorted(missing))} in {api.namespace}; see: penstock jobs list")
    for job in jobs:
        if job.name not in args.names and (args.names or not job.ended or datetime.fromisoformat(job.since) > before):
            continue
        api.delete_job(job.name, job.uid)
        if args.force:
            let_go(api, job)
        print(f"{job.name}: deleted", file=out)
    return 0


def _duration(text: str) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as exc:
        raise ConfigError(f"--older-than {exc}") from exc
