"""The hook that hands a large object to a Job: one Job for one state of an object, also when its event comes again."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

from penstock.errors import ConfigError, TemporaryError
from penstock.handler.loading import Function
from penstock.jobs.access import find_access
from penstock.jobs.api import JobsApi, KubernetesApi, KubernetesError
from penstock.jobs.job import Job
from penstock.jobs.manifest import job_manifest, job_name
from penstock.process.log import event_id, trace_id
from penstock.runtime.outcome import Offload
from penstock.settings.config import Config, JobSettings
from penstock.sinks.address import parse_sink
from penstock.types import ObjectState

# Ended Jobs of one state that may still exist. More than that is a loop that an operator should look at.
_MAX_REPEATS = 10


def make_offload(function: Function, config: Config) -> Offload:
    """The hook for one deployed function; raises `ConfigError` when Jobs cannot work."""
    if config.jobs is None:
        raise ConfigError("neither OFFLOAD_ABOVE_BYTES nor OFFLOAD_ABOVE_SECONDS is set, so nothing goes to Jobs")
    if parse_sink(config.sink).file is not None:
        raise ConfigError(
            f"SINK={config.sink!r}: a Job cannot write this pod's file; unset OFFLOAD_ABOVE_... or index to a server"
        )
    api = KubernetesApi(find_access(config.jobs.cluster, config.jobs.namespace))
    return offload_to(api, function, config, config.jobs)


def make_finder(function: Function, config: Config) -> Callable[[ObjectState], str]:
    """What finds the Job under way for a state of an object; raises `ConfigError` when Jobs cannot work."""
    if config.jobs is None:
        raise ConfigError("neither OFFLOAD_ABOVE_BYTES nor OFFLOAD_ABOVE_SECONDS is set, so nothing goes to Jobs")
    return finder_in(KubernetesApi(find_access(config.jobs.cluster, config.jobs.namespace)), function, config)


def finder_in(api: JobsApi, function: Function, config: Config) -> Callable[[ObjectState], str]:
    """As `make_finder`, over the given API; the finder raises `TemporaryError` when the cluster does not answer."""

    def find(source: ObjectState) -> str:
        """`NAMESPACE/NAME` of the Job that waits or runs for exactly this state, or ""."""
        missing = 0
        for repeat in range(_MAX_REPEATS):
            name = job_name(source, function, config, repeat)
            try:
                job = Job.read(api.get_job(name))
            except KubernetesError as exc:
                if exc.code != 404:
                    raise _explained(exc, api.namespace) from exc
                # The first of several may have been removed in the meantime, since it ended first.
                missing += 1
                if missing == 2:
                    return ""
                continue
            if not job.ended and not job.deleting:
                return f"{api.namespace}/{name}"
        return ""

    return find


def offload_to(
    api: JobsApi,
    function: Function,
    config: Config,
    jobs: JobSettings,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Offload:
    """The hook over the given API; it raises `TemporaryError` when no Job could be made."""

    def offload(source: ObjectState) -> str:
        """Make sure that a Job for exactly this state waits or runs, and name it."""
        for repeat in range(_MAX_REPEATS):
            name = job_name(source, function, config, repeat)
            trace = trace_id.get()
            manifest = job_manifest(
                name,
                source,
                config,
                jobs,
                now=now(),
                event_id=event_id.get()[:1024],
                # The Job is one step of the event's trace; its parent id is new, and the same for the same Job.
                traceparent=f"00-{trace}-{hashlib.sha256(name.encode()).hexdigest()[:16]}-01" if trace else "",
            )
            try:
                api.create_job(manifest)
            except KubernetesError as exc:
                if exc.code != 409:
                    raise _explained(exc, api.namespace) from exc
            else:
                return f"{source.size} bytes: handed to Job {api.namespace}/{name}"
            if _is_under_way(api, name):
                return f"{source.size} bytes: already with Job {api.namespace}/{name}"
            # It ended, and yet the target does not agree: it failed, or its target was removed. The next name is
            # deterministic too, so two redeliveries at the same moment still make one Job.
        raise TemporaryError(
            f"{source.ref}: {_MAX_REPEATS} Jobs for this state have ended and its target still does not agree; "
            f"see: penstock jobs list --function {function.name}",
            retry_after=jobs.ttl_seconds,
        )

    return offload


def _is_under_way(api: JobsApi, name: str) -> bool:
    try:
        job = Job.read(api.get_job(name))
    except KubernetesError as exc:
        if exc.code == 404:  # its time to live ended just now; the next delivery makes a new one
            raise TemporaryError(f"Job {name}: was removed this moment", retry_after=1) from exc
        raise _explained(exc, api.namespace) from exc
    return not job.ended and not job.deleting


def _explained(exc: KubernetesError, namespace: str) -> TemporaryError:
    if exc.code in (401, 403):
        remedy = f"bind the Role penstock-offload in {namespace} to this function's service account (deploy/jobs)"
        return TemporaryError(f"{exc}; {remedy}, or look at the quota if that is what it names")
    return exc
