"""The settings of connectors, bridge and console, as `table` has those of a function."""

from typing import Final

from penstock.settings import table
from penstock.settings.setting import Setting, number, text, whole

ATTEMPTS: Final = whole(
    "ATTEMPTS", "attempts per message before it becomes a dead letter; 0 never gives up", 10, of="delivery"
)
MIN_WAIT_SECONDS: Final = number(
    "MIN_WAIT_SECONDS",
    "the wait before the second attempt is at most this; the limit doubles with each further one",
    0.5,
    of="delivery",
)
MAX_WAIT_SECONDS: Final = number(
    "MAX_WAIT_SECONDS", "longest wait between two attempts, and the limit for a Retry-After", 60.0, of="delivery"
)
TIMEOUT_SECONDS: Final = number("TIMEOUT_SECONDS", "time for one request and its answer", 60.0, of="delivery")
CONCURRENCY: Final = whole("CONCURRENCY", "requests under way at once, per target", 32, minimum=1, of="delivery")
MAX_IN_FLIGHT: Final = whole(
    "MAX_IN_FLIGHT", "messages accepted and not finished, per target", 1000, minimum=1, of="delivery"
)
BATCH: Final = whole(
    "BATCH",
    "MinIO notifications that may share one request, for functions that answer for each",
    1,
    minimum=1,
    of="delivery",
)
DELIVERY_TRACES_ENDPOINT: Final = text(
    table.TRACES_ENDPOINT.name, "where traces go, as for a function", of="delivery", shown="no traces"
)
CA_FILE: Final = text("CA_FILE", "a PEM file with a private CA for https targets", of="delivery")
DELIVERY_DRAIN_SECONDS: Final = number(
    "DRAIN_SECONDS", "after SIGTERM: time for requests under way. Kubernetes kills after 30", 25.0, of="delivery"
)
GATEWAY_URL: Final = text("GATEWAY_URL", "the OpenFaaS gateway in front of the functions", of="gateway")
BASIC_AUTH_USER: Final = text("BASIC_AUTH_USER", "the gateway's user", of="gateway", is_secret=True)
BASIC_AUTH_PASSWORD: Final = text("BASIC_AUTH_PASSWORD", "the gateway's password", of="gateway", is_secret=True)
# As often as OpenFaaS's own connectors ask.
REDISCOVER_SECONDS: Final = number(
    "REDISCOVER_SECONDS", "how often a connector asks the gateway for functions", 30.0, above=0, of="gateway"
)
KAFKA: Final = text(
    "KAFKA_<NAME>",
    "a setting of librdkafka in upper case with `_` for `.`. With `_FILE` behind it: the file that holds its value",
    of="kafka",
)
KAFKA_BROKERS: Final = text("KAFKA_BROKERS", "`HOST:PORT`, in place of KAFKA_BOOTSTRAP_SERVERS", of="kafka")
MQTT_URL: Final = text("MQTT_URL", "`mqtt://HOST:1883` or `mqtts://HOST:8883`", of="mqtt")
MQTT_USERNAME: Final = text("MQTT_USERNAME", "the broker's user", of="mqtt", is_secret=True)
MQTT_PASSWORD: Final = text("MQTT_PASSWORD", "the broker's password", of="mqtt", is_secret=True)
NATS_URL: Final = text("NATS_URL", "`nats://HOST:4222` or `tls://HOST:4222`; several separated by commas", of="nats")
NATS_USERNAME: Final = text("NATS_USERNAME", "the servers' user", of="nats", is_secret=True)
NATS_PASSWORD: Final = text("NATS_PASSWORD", "the servers' password", of="nats", is_secret=True)
NATS_TOKEN: Final = text("NATS_TOKEN", "the servers' token, in place of user and password", of="nats", is_secret=True)
REDIS_URL: Final = text(
    "REDIS_URL", "`redis://HOST:6379/0` or `rediss://HOST:6379/0`; the path is the number of the database", of="redis"
)
REDIS_USERNAME: Final = text("REDIS_USERNAME", "the server's user", of="redis", is_secret=True)
REDIS_PASSWORD: Final = text("REDIS_PASSWORD", "the server's password", of="redis", is_secret=True)
REDIS_LEASE_SECONDS: Final = number(
    "REDIS_LEASE_SECONDS",
    "without a sign of life for so long, what a connector took comes to another one",
    30.0,
    above=0,
    of="redis",
)
AMQP_URL: Final = text(
    "AMQP_URL",
    "`amqp://HOST:5672/VIRTUAL_HOST` or `amqps://HOST:5671/VIRTUAL_HOST`; without a path the virtual host is `/`",
    of="amqp",
)
AMQP_USERNAME: Final = text("AMQP_USERNAME", "the broker's user; `guest` where none is set", of="amqp", is_secret=True)
AMQP_PASSWORD: Final = text("AMQP_PASSWORD", "the broker's password", of="amqp", is_secret=True)
SQS_URL: Final = text(
    "SQS_URL", "`https://sqs.REGION.amazonaws.com`, or another server's `http://HOST:PORT`", of="sqs", shown="AWS's own"
)
AWS_REGION: Final = text("AWS_REGION", "AWS's region, where the URL does not tell it", of="sqs")
SQS_ACCESS_KEY: Final = text(
    "SQS_ACCESS_KEY", "without it AWS's own sources are asked for credentials", of="sqs", is_secret=True
)
SQS_SECRET_KEY: Final = text("SQS_SECRET_KEY", "the key that goes with it", of="sqs", is_secret=True)
SQS_VISIBILITY_SECONDS: Final = whole(
    "SQS_VISIBILITY_SECONDS",
    "without a sign of life for so long, what a connector took comes to another one",
    30,
    minimum=2,
    maximum=43200,
    of="sqs",
)
BRIDGE_TOKEN: Final = text(
    "BRIDGE_TOKEN", "what a webhook must present. Required without `--allow-anonymous`", of="bridge", is_secret=True
)
DEAD_LETTER_TOKEN: Final = text(
    "DEAD_LETTER_TOKEN",
    "where it is set, only `/dead-letters/TOKEN` takes dead letters",
    of="bridge",
    is_secret=True,
)
CONSOLE_TOKEN: Final = text(
    "CONSOLE_TOKEN",
    "what `penstock console` presents to the bridge. Where it is set, the bridge answers `/inbox`",
    of="bridge",
    is_secret=True,
)
CONSOLE_PASSWORD: Final = text(
    "CONSOLE_PASSWORD",
    "the password of the user `admin` for `penstock console`. Without it one is made and printed",
    of="console",
    is_secret=True,
)
OUTCOME_URLS: Final = text(
    "OUTCOME_URLS",
    "`[NAME=]URL`, separated by spaces, at most 8: they are told how each delivery ended. Without NAME="
    " the host is the name",
    of="bridge",
    is_secret=True,
)
OUTCOME_HMAC_KEY: Final = text(
    "OUTCOME_HMAC_KEY",
    "the key that signs what is sent to OUTCOME_URLS, as FUNCTION_HMAC_KEY is written",
    of="bridge",
    is_secret=True,
)
OUTCOME_ATTEMPTS: Final = whole(
    "OUTCOME_ATTEMPTS",
    "attempts per URL and outcome, before it is given up; their waits are those of deliveries",
    20,
    minimum=1,
    of="bridge",
)
BRIDGE_SINK: Final = text("K_SINK", "where events go without `--to`. A Knative SinkBinding sets it", of="bridge")
K_CE_OVERRIDES: Final = text(
    "K_CE_OVERRIDES",
    'CloudEvents attributes to add: `{"extensions": {"name": "value"}}`. A SinkBinding sets it',
    of="bridge",
)

# All that stand above, in this order.
CONNECTOR_SETTINGS: Final = tuple(found for found in list(globals().values()) if isinstance(found, Setting))
