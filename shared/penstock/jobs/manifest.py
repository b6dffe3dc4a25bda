"""What a Job says: a pure function of an object's state and a function's settings, without a secret in it.

Fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/.
"""

import hashlib
import json
from datetime import datetime
from urllib.parse import urlencode

from penstock.errors import ConfigError, PermanentError
from penstock.handler.loading import Function
from penstock.jobs.pod import Document, container_security, pod_security
from penstock.settings import table
from penstock.settings.config import Config, JobSettings
from penstock.settings.setting import secret_file
from penstock.sinks.address import parse_sink
from penstock.types import ObjectRef, ObjectState

# Labels, annotations and the finalizer: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
FUNCTION_LABEL = "penstock/function"
BUCKET, KEY, ETAG, SIZE = "penstock/bucket", "penstock/key", "penstock/etag", "penstock/size"
CREATED, EVENT_ID, TRACEPARENT = "penstock/created", "penstock/event-id", "penstock/traceparent"
DEAD_LETTERED = "penstock/dead-lettered"
FINALIZER = "penstock/dead-letter"
CONTAINER = "main"

# Where the image has the function: templates/python3-penstock/Dockerfile.
FUNCTION_FOLDER = "/opt/app/function"
# Wrong usage, a permanent error, a wrong configuration: the same pod would fail again.
_FINAL_EXIT_CODES = [2, PermanentError.exit_code, ConfigError.exit_code]


def job_name(source: ObjectState, function: Function, config: Config, repeat: int = 0) -> str:
    """The name of a Job: the same for every event that finds this state; another object, option or sink changes it.

    `repeat` counts the Jobs for this state that have ended already. A DNS label of at most 63 characters, because the
    pods carry it as a label.
    """
    options = {str(name): fingerprint for name, fingerprint in function.fingerprints.items()}
    parts = [function.name, source.ref.bucket, source.ref.key, source.token, config.sink, sorted(options.items())]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]
    return f"{function.name[:36].rstrip('-')}-{digest}" + (f"-{repeat}" if repeat else "")


def job_manifest(
    name: str,
    source: ObjectState,
    config: Config,
    jobs: JobSettings,
    *,
    now: datetime,
    event_id: str = "",
    traceparent: str = "",
) -> Document:
    """The Job `name`, suspended: `penstock jobs watch` lets it start when its turn comes.

    `event_id` and `traceparent` are those of the event that asked for it, "" where it had none.
    """
    labels = {
        "app.kubernetes.io/name": config.function,
        "app.kubernetes.io/component": "job",
        "app.kubernetes.io/managed-by": "penstock",
        FUNCTION_LABEL: config.function,
    }
    annotations = {
        BUCKET: source.ref.bucket,
        KEY: source.ref.key,
        ETAG: source.etag,
        SIZE: str(source.size),
        # creationTimestamp has whole seconds only, and Jobs are admitted in the order of their creation.
        CREATED: now.isoformat(timespec="microseconds"),
        EVENT_ID: event_id,
        TRACEPARENT: traceparent,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {key: value for key, value in annotations.items() if value},
            # Keeps a Job that failed until its dead letter is stored, also when it is deleted meanwhile.
            "finalizers": [FINALIZER],
        },
        "spec": {
            "suspend": True,
            "backoffLimit": jobs.retries,
            "activeDeadlineSeconds": jobs.deadline_seconds,
            "ttlSecondsAfterFinished": jobs.ttl_seconds,
            "podFailurePolicy": {
                "rules": [
                    # A node that is drained says nothing about the object, so it does not count as an attempt.
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                    {
                        "action": "FailJob",
                        "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": _FINAL_EXIT_CODES},
                    },
                ]
            },
            "template": {
                "metadata": {"labels": labels},
                "spec": _pod(source.ref, config, jobs),
            },
        },
    }


def _pod(ref: ObjectRef, config: Config, jobs: JobSettings) -> Document:
    # Of the sink's credentials only those that this sink takes; of the others, all that the settings name.
    taken = parse_sink(config.sink).secrets
    secrets = {
        name: where
        for name, where in jobs.secrets.items()
        if not name.startswith("SINK_") or name.removesuffix("_FILE") in taken
    }
    # A setting that is a file is mounted, any other is a variable.
    files = {name: where for name, where in secrets.items() if name.endswith("_FILE")}
    values = {name: where for name, where in secrets.items() if name not in files}
    env = {**_settings(config), **{name: f"{table.SECRETS_DIR.default}/{secret_file(name)}" for name in files}}
    volumes: list[Document] = [{"name": "tmp", "emptyDir": {"sizeLimit": jobs.disk}}]
    mounts: list[Document] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - the pod's own
    if files:
        sources = [
            {"secret": {"name": where.secret, "items": [{"key": where.key, "path": secret_file(name)}]}}
            for name, where in files.items()
        ]
        volumes.append({"name": "secrets", "projected": {"defaultMode": 0o440, "sources": sources}})
        mounts.append({"name": "secrets", "mountPath": table.SECRETS_DIR.default, "readOnly": True})
    resources = {"memory": jobs.memory, "cpu": jobs.cpu}
    return {
        "restartPolicy": "Never",
        "serviceAccountName": jobs.service_account,
        # The work needs the object store, never the Kubernetes API.
        "automountServiceAccountToken": False,
        # Otherwise a Service called `option-x` would put OPTION_X_SERVICE_HOST here, an option that does not exist.
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "containers": [
            {
                "name": CONTAINER,
                "image": jobs.image,
                "command": ["python", "-m", "penstock.cli", "run"],
                "args": [literal(text) for text in _arguments(ref, config)],
                "env": [
                    *({"name": name, "value": literal(value)} for name, value in env.items()),
                    *(
                        {"name": name, "valueFrom": {"secretKeyRef": {"name": where.secret, "key": where.key}}}
                        for name, where in values.items()
                    ),
                ],
                "resources": {"requests": resources, "limits": resources},
                "securityContext": container_security(),
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }


def _arguments(ref: ObjectRef, config: Config) -> list[str]:
    """The flags of `penstock run`, with `=` because a key may begin with a dash."""
    arguments = [FUNCTION_FOLDER, f"-f={ref.bucket}", f"-k={ref.key}"]
    if bucket := parse_sink(config.sink).bucket:
        arguments.append(f"-t={bucket}")
    # The object may be removed before the Job starts; then the Job removes its target, as the function would.
    return [*arguments, "--missing-ok"]


def _settings(config: Config) -> dict[str, str]:
    """The function's settings as variables again: those that the table marks `in_job`, but for secrets."""
    renditions = (name + (f"?{urlencode(options)}" if options else "") for name, options in config.renditions.items())
    store = config.store
    settings = {
        table.FUNCTION_NAME.name: config.function,
        table.SOURCE.name: " ".join(str(rule) for rule in config.sources),
        table.SINK.name: config.sink,
        table.ON_SOURCE_REMOVED.name: "delete" if config.remove_with_source else "keep",
        table.TARGET_ENCRYPTION.name: "source" if config.follow_encryption else "bucket",
        table.MAX_INPUT_BYTES.name: str(config.max_input_bytes),
        table.LOG_LEVEL.name: config.log_level,
        table.RENDITIONS.name: " ".join(renditions),
        table.MINIO_ENDPOINT.name: store.endpoint if store else "",
        table.MINIO_REGION.name: store.region if store else "",
        table.STORE_NAME.name: config.store_name,
        table.K_SINK.name: config.jobs.answer_to if config.jobs else "",
        **{f"OPTION_{name.upper()}": value for name, value in config.options.items()},
    }
    # An option that is set to nothing has a meaning; any other empty setting counts as not set.
    return {name: value for name, value in settings.items() if value or name.startswith("OPTION_")}


def literal(text: str) -> str:
    """Text that Kubernetes leaves as it is: in args and env it would put variables in place of `$(NAME)`.

    Otherwise an object called `$(MINIO_SECRET_KEY).csv` would put the secret into a key, and so into a log.
    """
    return text.replace("$", "$$")
