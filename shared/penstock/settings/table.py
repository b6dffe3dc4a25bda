"""The settings of a function and of its Jobs: name, default, what each may hold, whether it is a secret, what it means.

The reader takes defaults and ranges from here, the Jobs of a function what it hands on to them, the manifests where
secrets are mounted. `connector_table` has the settings of connectors, bridge and console, which a function does not
import, and `every_setting` both.
"""

from typing import Final

from penstock.settings.setting import Setting, quantity, switch, text, whole

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


def _removes(given: str) -> bool:
    if given not in ("keep", "delete"):
        raise ValueError("expected keep or delete")
    return given == "delete"


def _follows(given: str) -> bool:
    if given not in ("source", "bucket"):
        raise ValueError("expected source or bucket")
    return given == "source"


def _level(given: str) -> str:
    if given.upper() not in _LEVELS:
        raise ValueError(f"expected {', '.join(_LEVELS[:-1])} or {_LEVELS[-1]}")
    return given.upper()


def _profile(given: str) -> str:
    if given not in ("auto", *STORES):
        raise ValueError(f"expected auto or one of {', '.join(STORES)}")
    return given


STORES: Final = (
    "minio",
    "silo",
    "aistor",
    "rustfs",
    "ceph",
    "versity",
    "seaweedfs",
    "garage",
    "s3proxy",
    "aws",
    "gcs",
    "azure",
    "s3",
)
"""The stores that docs/stores.md tells about; `s3` is any other one."""


# A function

FUNCTION_NAME: Final = text(
    "FUNCTION_NAME",
    "a DNS label. It is part of every mark, so keep it the same",
    shown="`OPENFAAS_NAME`, `K_SERVICE`, the folder's name",
    in_job=True,
)
SOURCE: Final = text(
    "SOURCE",
    "`s3://bucket/prefix*suffix`, several separated by spaces; `*.{jpg,png}` stands for both. `?type=image/*&max=64MB`"
    " behind a rule filters by content type, size and tags (below). Objects of other buckets"
    " are answered 403. A bucket's"
    " name has 3 to 63 lower-case letters, digits, `-` and single `.`",
    in_job=True,
)
SINK: Final = text(
    "SINK",
    "`s3://bucket/{key}.gz`, `sqlite:///path`, `postgresql://host/database/table`, `cassandra://host/keyspace/table` or `opensearch+https://host:9200/index`",
    in_job=True,
)
ON_SOURCE_REMOVED: Final = Setting(
    name="ON_SOURCE_REMOVED",
    doc="`delete` removes a bucket's target with its source; an index always does",
    default=False,
    read=_removes,
    component="function",
    takes="`keep`, `delete`",
    shown="`keep`",
    in_job=True,
)
TARGET_ENCRYPTION: Final = Setting(
    name="TARGET_ENCRYPTION",
    doc="`source` encrypts a bucket's target as its source is (SSE-S3, SSE-KMS with the same key); `bucket` leaves it "
    "to the target's bucket",
    default=True,
    read=_follows,
    component="function",
    takes="`source`, `bucket`",
    shown="`source`",
    in_job=True,
)
OPTION: Final = text("OPTION_<NAME>", "an option of the function; an unknown one is refused at start", in_job=True)
RENDITIONS: Final = text(
    "RENDITIONS",
    "several outputs: `thumb?width=200&fit=cover card?width=800`. SINK then needs `{rendition}`",
    in_job=True,
)
MINIO_ENDPOINT: Final = text("MINIO_ENDPOINT", "the object store: `http://host:9000` or `https://...`", in_job=True)
MINIO_ACCESS_KEY: Final = text("MINIO_ACCESS_KEY", "its access key", is_secret=True, in_job=True)
MINIO_SECRET_KEY: Final = text("MINIO_SECRET_KEY", "its secret key", is_secret=True, in_job=True)
MINIO_SESSION_TOKEN: Final = text(
    "MINIO_SESSION_TOKEN", "the session token that goes with temporary keys", is_secret=True, in_job=True
)
# The names that Amazon EKS sets in pods: "IAM roles for service accounts" in its user guide.
AWS_WEB_IDENTITY_TOKEN_FILE: Final = text(
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "in place of keys: a file with the token of an OpenID issuer, such as a service account's. It is exchanged for keys"
    " that last for a while (AssumeRoleWithWebIdentity), and read again before they end",
)
AWS_ROLE_ARN: Final = text(
    "AWS_ROLE_ARN", "the role for such a token. At MinIO not needed where a claim of the token names the policy"
)
AWS_ENDPOINT_URL_STS: Final = text(
    "AWS_ENDPOINT_URL_STS",
    "the URL that exchanges tokens for keys",
    shown="`MINIO_ENDPOINT`; for AWS `https://sts.REGION.amazonaws.com`",
)
MINIO_REGION: Final = text("MINIO_REGION", "the region that requests are signed for", "us-east-1", in_job=True)
STORE_NAME: Final = text(
    "STORE_NAME",
    "a name for the object store, where functions of several stores share an index. It is part of every mark, so keep"
    " it the same. For a name that is given later: `penstock reconcile --adopt`",
    in_job=True,
)
STORE_PROFILE: Final = Setting(
    name="STORE_PROFILE",
    doc="which store answers there ([stores.md](stores.md)). It decides what a key in an event means, and `gcs` and"
    " `azure` say that this is an S3 endpoint of that store, so that its events are taken. With `auto` the first"
    " objects tell what keys mean",
    default="auto",
    read=_profile,
    component="function",
    takes=", ".join(f"`{name}`" for name in ("auto", *STORES)),
    shown="`auto`",
)
MINIO_CA_FILE: Final = text(
    "MINIO_CA_FILE", "a PEM file with a private CA. The server's certificate is always checked", in_job=True
)
SINK_USERNAME: Final = text("SINK_USERNAME", "the user of a search server or database", is_secret=True, in_job=True)
SINK_PASSWORD: Final = text("SINK_PASSWORD", "its password", is_secret=True, in_job=True)
SINK_CA: Final = text(
    "SINK_CA",
    "the certificate of a search server's private CA, in PEM; mostly its file, `SINK_CA_FILE`. Unset: `MINIO_CA_FILE`",
    is_secret=True,
    in_job=True,
)
SINK_OTHER: Final = text(
    "SINK_<NAME>", "a credential of a sink that is installed beside Penstock", is_secret=True, in_job=True
)
MAX_INPUT_BYTES: Final = whole(
    "MAX_INPUT_BYTES", "larger objects are refused", 5 * 1024**4, minimum=1, shown="5 TiB", in_job=True
)
MAX_BODY_BYTES: Final = whole(
    "MAX_BODY_BYTES", "largest body of a direct call", 256 * 1024**2, minimum=1, shown="256 MiB"
)
PORT: Final = whole("PORT", "the port to listen on", 8080, minimum=1, maximum=65535)
THREADS: Final = whole("THREADS", "requests worked on at once, in each process", 4, minimum=1, maximum=1024)
WORKERS: Final = whole("WORKERS", "processes", 1, minimum=1, maximum=1024)
DRAIN_SECONDS: Final = whole(
    "DRAIN_SECONDS", "after SIGTERM: not ready, but still accepting, for this long", 0, maximum=3600
)
GRACE_SECONDS: Final = whole(
    "GRACE_SECONDS", "how long requests under way may take to finish", 30, minimum=1, maximum=3600
)
MAX_WAITING: Final = whole(
    "MAX_WAITING",
    "requests that may wait for a thread; one more is answered 503 with Retry-After",
    64,
    maximum=1_000_000,
)
READ_TIMEOUT_SECONDS: Final = whole(
    "READ_TIMEOUT_SECONDS",
    "time for the head of a request, and again for its body. Then 408",
    20,
    minimum=1,
    maximum=3600,
)
MIN_BYTES_PER_SECOND: Final = whole(
    "MIN_BYTES_PER_SECOND",
    "lowest rate of a body and of a response: each so many bytes give one second more",
    1024,
    minimum=1,
)
DEADLINE_SECONDS: Final = whole(
    "DEADLINE_SECONDS", "time for one object or direct call. Then 503, and nothing half done is left. 0: no limit", 0
)
SEARCH: Final = switch("SEARCH", "`off`: `GET /?...` is answered 403", default=True)
BODY_MODE: Final = switch("BODY_MODE", "`off`: files in a request's body are answered 403; events go on", default=True)
LAMBDA: Final = switch("LAMBDA", "`off`: `POST /lambda`, MinIO's Object Lambda, is answered 403", default=True)
STORE_URLS: Final = text(
    "STORE_URLS",
    "further addresses under which the store signs URLs for `/lambda`, such as `http://127.0.0.1:9000`, separated by"
    " spaces. Connections go to MINIO_ENDPOINT all the same",
)
OPEN_OPTIONS: Final = text(
    "OPEN_OPTIONS",
    "the options that a reader at `/lambda` may set: `width<=2000 height<=2000 fit`. `<=` sets the highest value",
)
STORE_ON_READ: Final = switch(
    "STORE_ON_READ", "`on`: a read without options writes the target, if it does not agree yet", default=False
)
SIGNED_URL_KEY: Final = text(
    "SIGNED_URL_KEY",
    "opens `GET /read/BUCKET/KEY` for URLs that `penstock sign` makes with it. Two keys with a space between them are"
    " both accepted. At least 16 characters each",
    is_secret=True,
)
CACHE_SECONDS: Final = whole(
    "CACHE_SECONDS",
    "how long browsers and caches may keep what `/read` answers, without asking again; 0: they always ask",
    0,
    maximum=31_536_000,
)
FUNCTION_TOKEN: Final = text(
    "FUNCTION_TOKEN",
    "what callers send as `Authorization: Bearer ...`. Two tokens with a space between them are both accepted. Probes"
    " and `/metrics` stay open",
    is_secret=True,
)
FUNCTION_HMAC_KEY: Final = text(
    "FUNCTION_HMAC_KEY",
    "the key with which callers sign the body of each POST (Standard Webhooks): `whsec_` and 24 to 64 bytes in base64."
    " Two keys with a space between them are both accepted. Queries are not signed",
    is_secret=True,
)
LOG_LEVEL: Final = Setting(
    name="LOG_LEVEL",
    doc="the least important lines that are logged",
    default="INFO",
    read=_level,
    component="function",
    takes=", ".join(f"`{level}`" for level in _LEVELS),
    in_job=True,
)
TRACES_ENDPOINT: Final = text(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "where traces go by OTLP over HTTP, such as `http://collector:4318`; needs `penstock[tracing]`."
    " OpenTelemetry's other variables hold too",
    shown="no traces",
)
# Where OpenFaaS mounts secrets; Knative manifests mount theirs to the same place.
SECRETS_DIR: Final = text("SECRETS_DIR", "the folder with the mounted secrets", "/var/openfaas/secrets")

# A function that hands large objects to Jobs

OFFLOAD_ABOVE_BYTES: Final = whole("OFFLOAD_ABOVE_BYTES", "larger objects go to Jobs; 0: none", 0, of="job")
OFFLOAD_ABOVE_SECONDS: Final = whole(
    "OFFLOAD_ABOVE_SECONDS", "objects that would take longer go to Jobs; 0: none. One of both is enough", 0, of="job"
)
JOB_IMAGE: Final = text("JOB_IMAGE", "the image of the Jobs: the function's own. Required", of="job")
JOB_NAMESPACE: Final = text("JOB_NAMESPACE", "where Jobs are created", of="job", shown="the function's namespace")
JOB_SERVICE_ACCOUNT: Final = text(
    "JOB_SERVICE_ACCOUNT",
    "the service account of the Jobs, which has the pull secrets. Its token is not mounted",
    "penstock-job",
    of="job",
)
JOB_MEMORY: Final = quantity("JOB_MEMORY", "memory, as request and as limit", "512Mi", of="job")
JOB_CPU: Final = quantity("JOB_CPU", "CPU, as request and as limit", "1", of="job")
JOB_DISK: Final = quantity(
    "JOB_DISK",
    "size of `/tmp`, the only place that can be written. Several RENDITIONS keep the whole input there",
    "1Gi",
    of="job",
)
JOB_SECRETS: Final = text(
    "JOB_SECRETS",
    "`SETTING=SECRET/KEY`, separated by spaces. A setting that ends in `_FILE` is mounted as a file, any other is a"
    " variable",
    of="job",
    shown="`MINIO_ACCESS_KEY=minio-access-key/minio-access-key` and so on",
)
JOB_ANSWER_TO: Final = text(
    "JOB_ANSWER_TO",
    "where a Job sends its outcome. `penstock render knative` sets it to the Broker",
    of="job",
    shown="`K_SINK`",
)
JOB_RETRIES: Final = whole("JOB_RETRIES", "further attempts after a temporary error", 2, maximum=100, of="job")
JOB_DEADLINE_SECONDS: Final = whole(
    "JOB_DEADLINE_SECONDS",
    "for all attempts together, from the moment the Job may start",
    6 * 3600,
    minimum=1,
    of="job",
)
JOB_TTL_SECONDS: Final = whole("JOB_TTL_SECONDS", "how long an ended Job and its log stay", 24 * 3600, of="job")
# https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
KUBECONFIG: Final = text("KUBECONFIG", "a kubeconfig, for the Kubernetes API from outside the cluster", of="job")
KUBERNETES_SERVICE_HOST: Final = text(
    "KUBERNETES_SERVICE_HOST", "the Kubernetes API; Kubernetes sets it in every pod", of="job"
)
KUBERNETES_SERVICE_PORT: Final = text(
    "KUBERNETES_SERVICE_PORT", "its port; Kubernetes sets it in every pod", "443", of="job"
)
SERVICE_ACCOUNT_DIR: Final = text(
    "SERVICE_ACCOUNT_DIR",
    "the folder with the pod's token and CA",
    "/var/run/secrets/kubernetes.io/serviceaccount",
    of="job",
)

# One function on one object: the names of the program that `penstock run` replaces

ENDPOINT: Final = text("ENDPOINT", "`HOST:PORT` of the object store, in place of MINIO_ENDPOINT", of="run")
ENDPOINT_SSL: Final = text("ENDPOINT_SSL", "`true` makes ENDPOINT an https address", "false", of="run")
ACCESS_KEY_ID: Final = text("ACCESS_KEY_ID", "in place of MINIO_ACCESS_KEY", of="run")
ACCESS_KEY_SECRET: Final = text("ACCESS_KEY_SECRET", "in place of MINIO_SECRET_KEY", of="run")
K_SINK: Final = text("K_SINK", "the URL that gets the outcome as a CloudEvent", of="run", in_job=True)

# The watcher of Jobs

JOB_MAX_RUNNING: Final = whole("JOB_MAX_RUNNING", "Jobs that run at once; 0 holds all back", 4, of="watcher")
DEAD_LETTER_SINK: Final = text(
    "DEAD_LETTER_SINK", "the URL that gets the events of failed Jobs. Required", of="watcher"
)

SINK_SECRETS: Final = (SINK_USERNAME, SINK_PASSWORD, SINK_CA)
CLUSTER: Final = (KUBECONFIG, KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT, SERVICE_ACCOUNT_DIR)
# All that stand above, in this order.
FUNCTION_SETTINGS: Final = tuple(found for found in list(globals().values()) if isinstance(found, Setting))
