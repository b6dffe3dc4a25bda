"""What the help of each command says beside its flags: commands to type, and the environment variables that it reads.

A test parses each example with the command's own parser.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from penstock.settings import connector_table as connectors
from penstock.settings import table
from penstock.settings.setting import Setting


class Help(NamedTuple):
    """Examples as they are typed, and the settings that count where no flag is given.

    `more` says which others are read that are too many to be listed here.
    """

    examples: tuple[str, ...]
    variables: tuple[Setting[object], ...] = ()
    more: str = ""

    @property
    def text(self) -> str:
        """The end of the command's help."""
        lines = ["examples:", *(f"  {example}" for example in self.examples)]
        if self.variables:
            width = max(len(variable.name) for variable in self.variables)
            lines += ["", "environment variables:"]
            lines += [f"  {each.name:<{width}}  {each.doc.replace('`', '')}" for each in self.variables]
        if self.more:
            lines += [*([] if self.variables else ["", "environment variables:"]), f"  {self.more}"]
        return "\n".join(lines)


def _settings(*found: Setting[object] | Setting[str] | Setting[int] | Setting[float]) -> tuple[Setting[object], ...]:
    return found


_SECRETS: Final = _settings(table.SECRETS_DIR)
_STORE: Final = (
    *_settings(
        table.MINIO_ENDPOINT,
        table.MINIO_ACCESS_KEY,
        table.MINIO_SECRET_KEY,
        table.MINIO_SESSION_TOKEN,
        table.MINIO_REGION,
        table.MINIO_CA_FILE,
        table.AWS_WEB_IDENTITY_TOKEN_FILE,
        table.AWS_ROLE_ARN,
        table.AWS_ENDPOINT_URL_STS,
    ),
    *_SECRETS,
)
_FUNCTION: Final = (*_settings(table.SOURCE, table.SINK, table.OPTION), *_STORE)
_OF_A_FUNCTION: Final = "and each other setting of a function: docs/settings.md"
_OF_A_STACK_FILE: Final = "each ${NAME} that stands in the stack file, such as REGISTRY and TAG"
_CLUSTER: Final = _settings(*table.CLUSTER)
_LOG: Final = _settings(table.LOG_LEVEL)
_GATEWAY: Final = _settings(connectors.GATEWAY_URL, connectors.BASIC_AUTH_USER, connectors.BASIC_AUTH_PASSWORD)
_DELIVERY: Final = _settings(
    connectors.ATTEMPTS,
    connectors.MIN_WAIT_SECONDS,
    connectors.MAX_WAIT_SECONDS,
    connectors.TIMEOUT_SECONDS,
    connectors.CONCURRENCY,
    connectors.MAX_IN_FLIGHT,
    connectors.BATCH,
    connectors.DELIVERY_DRAIN_SECONDS,
    table.PORT,
    connectors.CA_FILE,
    connectors.DELIVERY_TRACES_ENDPOINT,
    table.FUNCTION_TOKEN,
    table.FUNCTION_HMAC_KEY,
    table.SECRETS_DIR,
)
_TOPICS: Final = (*_GATEWAY, *_settings(connectors.REDISCOVER_SECONDS))
_KAFKA: Final = _settings(connectors.KAFKA, connectors.KAFKA_BROKERS)
_MQTT: Final = _settings(connectors.MQTT_URL, connectors.MQTT_USERNAME, connectors.MQTT_PASSWORD)
_NATS: Final = _settings(connectors.NATS_URL, connectors.NATS_USERNAME, connectors.NATS_PASSWORD, connectors.NATS_TOKEN)
_AMQP: Final = _settings(connectors.AMQP_URL, connectors.AMQP_USERNAME, connectors.AMQP_PASSWORD)
_SQS: Final = _settings(
    connectors.SQS_URL,
    connectors.AWS_REGION,
    connectors.SQS_ACCESS_KEY,
    connectors.SQS_SECRET_KEY,
    connectors.SQS_VISIBILITY_SECONDS,
)
_REDIS: Final = _settings(
    connectors.REDIS_URL,
    connectors.REDIS_USERNAME,
    connectors.REDIS_PASSWORD,
    connectors.REDIS_LEASE_SECONDS,
)

HELP: Final[Mapping[str, Help]] = {
    "up": Help(
        (
            "penstock up",
            "penstock up --port 8081 --store-port 9001 --fresh",
            "penstock up --reload",
            "penstock up --zero-after 30s --quiet",
        ),
        (*_STORE, *_LOG),
        "and " + _OF_A_STACK_FILE,
    ),
    "demo": Help(
        ("penstock demo", "penstock demo --rows 1000", "penstock demo --data .penstock-demo"),
        (*_STORE, *_LOG),
        "and " + _OF_A_STACK_FILE,
    ),
    "serve": Help(
        ("penstock serve functions/compress --port 8081", "penstock serve resize --stack stack.yml"),
        (*_settings(table.PORT), *_FUNCTION),
        _OF_A_FUNCTION,
    ),
    "run": Help(
        (
            "penstock run compress --stack stack.yml --from upload --key donors.csv",
            "penstock run compress -f upload -k donors.csv -t processed",
        ),
        (
            *_FUNCTION,
            *_settings(table.K_SINK, table.ENDPOINT, table.ENDPOINT_SSL, table.ACCESS_KEY_ID, table.ACCESS_KEY_SECRET),
        ),
        _OF_A_FUNCTION,
    ),
    "init": Help(("penstock init", "penstock init my-lake")),
    "new": Help(("penstock new thumbnails",)),
    "test": Help(
        (
            "penstock test compress donors.csv",
            "penstock test resize s3://images/rose.jpg --stack stack.yml --write",
        ),
        (*_settings(table.OPTION, table.RENDITIONS), *_STORE),
    ),
    "donors": Help(("penstock donors", "penstock donors --rows 1000 --seed 7 --output -")),
    "completion": Help(
        (
            "penstock completion bash > ~/.local/share/bash-completion/completions/penstock",
            "penstock completion zsh > ~/.zfunc/_penstock",
            "penstock completion fish > ~/.config/fish/completions/penstock.fish",
        )
    ),
    "bridge": Help(
        (
            "penstock bridge --to compress=http://127.0.0.1:8081/ --inbox inbox.db --allow-anonymous",
            "penstock bridge --to http://broker/ --only 'compress=s3://upload/*.csv'",
        ),
        (
            *_settings(
                connectors.BRIDGE_TOKEN,
                connectors.DEAD_LETTER_TOKEN,
                connectors.CONSOLE_TOKEN,
                connectors.BRIDGE_SINK,
                connectors.K_CE_OVERRIDES,
                connectors.OUTCOME_URLS,
                connectors.OUTCOME_HMAC_KEY,
                connectors.OUTCOME_ATTEMPTS,
            ),
            *_DELIVERY,
            *_LOG,
        ),
    ),
    "connect kafka": Help(
        (
            "penstock connect kafka --stack stack.yml --gateway http://127.0.0.1:8080",
            "penstock connect kafka --to upload=http://127.0.0.1:8081/ --set bootstrap.servers=127.0.0.1:9092",
        ),
        (*_KAFKA, *_TOPICS, *_DELIVERY, *_LOG),
    ),
    "connect mqtt": Help(
        ("penstock connect mqtt --url mqtt://127.0.0.1:1883 --to lake/upload=http://127.0.0.1:8081/",),
        (*_MQTT, *_TOPICS, *_DELIVERY, *_LOG),
    ),
    "connect nats": Help(
        ("penstock connect nats --url nats://127.0.0.1:4222 --to lake.upload=http://127.0.0.1:8081/",),
        (*_NATS, *_TOPICS, *_DELIVERY, *_LOG),
    ),
    "connect amqp": Help(
        ("penstock connect amqp --url amqp://127.0.0.1:5672 --to lake.upload=http://127.0.0.1:8081/",),
        (*_AMQP, *_TOPICS, *_DELIVERY, *_LOG),
    ),
    "connect sqs": Help(
        ("penstock connect sqs --url http://127.0.0.1:9324 --to lake-upload=http://127.0.0.1:8081/",),
        (*_SQS, *_TOPICS, *_DELIVERY, *_LOG),
    ),
    "connect redis": Help(
        ("penstock connect redis --url redis://127.0.0.1:6379 --to bucketevents=http://127.0.0.1:8081/",),
        (*_REDIS, *_TOPICS, *_DELIVERY, *_LOG),
    ),
    "watch": Help(
        (
            "penstock watch 's3://upload/*.csv' --to http://127.0.0.1:8081/event --state watch.db",
            "penstock watch s3://upload/ --to http://bridge:8080/ --every 5m --since 1h",
        ),
        (
            *_STORE,
            *_settings(
                table.FUNCTION_TOKEN,
                table.FUNCTION_HMAC_KEY,
                connectors.BRIDGE_TOKEN,
                table.PORT,
                connectors.CA_FILE,
            ),
            *_LOG,
        ),
    ),
    "dlq": Help(
        (
            "penstock dlq list",
            "penstock dlq show 7 --data .penstock-demo",
            "penstock dlq replay --all --target resize --inbox inbox.db",
        ),
        _KAFKA,
    ),
    "repro": Help(
        (
            "penstock repro 7",
            "penstock repro 7 --inbox inbox.db --function resize --yes",
        ),
        (*_KAFKA, *_STORE),
    ),
    "listen": Help(
        (
            "penstock listen kafka upload --set bootstrap.servers=127.0.0.1:9092",
            "penstock listen mqtt 'lake/#' --url mqtt://127.0.0.1:1883",
            "penstock listen minio upload --suffix .csv",
        ),
        (*_KAFKA, *_MQTT, *_settings(connectors.CA_FILE), *_STORE),
    ),
    "put": Help(
        (
            "penstock put donors.csv upload/",
            "penstock donors --output - | penstock put - upload/donors.csv",
            "penstock put --recursive photos images/2026/",
        ),
        _STORE,
    ),
    "get": Help(
        (
            "penstock get processed/donors.csv.gz",
            "penstock get processed/donors.csv.gz - | gunzip",
            "penstock get --recursive images/2026/ photos",
        ),
        _STORE,
    ),
    "ls": Help(("penstock ls upload", "penstock ls s3://processed/2026/ --json"), _STORE),
    "rm": Help(("penstock rm upload/donors.csv", "penstock rm --recursive upload/2025/"), _STORE),
    "reconcile": Help(
        (
            "penstock reconcile compress --stack stack.yml --check",
            "penstock reconcile compress --stack stack.yml --since 24h",
        ),
        _FUNCTION,
        _OF_A_FUNCTION,
    ),
    "jobs": Help(
        (
            "penstock jobs list --namespace lake",
            "penstock jobs logs compress-1a2b3c --namespace lake",
            "penstock jobs clean --older-than 7d --namespace lake",
        ),
        (*_CLUSTER, *_settings(table.JOB_MAX_RUNNING, table.DEAD_LETTER_SINK), *_LOG),
    ),
    "lake": Help(("penstock lake plan", "penstock lake apply --file lake.yml", "penstock lake show --json"), _STORE),
    "render": Help(("penstock render knative", "penstock render openfaas --check"), (), _OF_A_STACK_FILE),
    "status": Help(
        (
            "penstock status s3://upload/donors.csv",
            "penstock status s3://images/rose.jpg --function resize --json",
            "penstock status s3://upload/donors.csv --bridge http://127.0.0.1:8081",
        ),
        (*_STORE, *_settings(connectors.CONSOLE_TOKEN, connectors.CA_FILE)),
        _OF_A_FUNCTION,
    ),
    "sign": Help(
        (
            "penstock sign s3://images/rose.jpg --url http://127.0.0.1:8082 --for 7d",
            "penstock sign s3://images/rose.jpg --option width=200",
        ),
        (*_settings(table.SIGNED_URL_KEY), *_SECRETS),
    ),
    "graph": Help(
        ("penstock graph", "penstock graph --lake lake.yml --format svg --output flow.svg"), (), _OF_A_STACK_FILE
    ),
    "console": Help(
        (
            "penstock console --gateway http://127.0.0.1:8080 --bridge http://127.0.0.1:8081",
            "penstock console --kubernetes --namespace lake --metrics http://127.0.0.1:8082/metrics",
            "penstock console --gateway http://127.0.0.1:8080 --store http://127.0.0.1:9000 --allow-writes",
        ),
        (
            *_GATEWAY,
            *_settings(
                connectors.CONSOLE_TOKEN,
                connectors.CONSOLE_PASSWORD,
                connectors.CA_FILE,
                table.FUNCTION_TOKEN,
                table.FUNCTION_HMAC_KEY,
            ),
            *_CLUSTER,
            *_STORE,
            *_LOG,
        ),
    ),
    "doctor": Help(
        (
            "penstock doctor",
            "penstock doctor --kafka 127.0.0.1:9092 --mqtt mqtt://127.0.0.1:1883 --json",
            "penstock doctor openfaas --gateway http://127.0.0.1:8080",
        ),
        (*_STORE, *_GATEWAY, *_settings(connectors.CA_FILE), *_KAFKA, *_MQTT),
        "the index's SINK_USERNAME, SINK_PASSWORD and SINK_CA, and " + _OF_A_STACK_FILE,
    ),
}
