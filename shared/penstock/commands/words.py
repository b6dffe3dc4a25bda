"""The words that are typed: which commands there are, in which groups, and what each needs and does."""

from typing import NamedTuple


class Command(NamedTuple):
    """One command: its words, the extras of the package with all that it may need, and what it does."""

    words: str
    extras: str
    text: str

    @property
    def module(self) -> str:
        return "penstock.commands." + self.words.replace(" ", "_")


GROUPS: dict[str, tuple[Command, ...]] = {
    "On this machine": (
        Command("up", "demo", "run the whole lake on this machine: object store, gateway, functions from zero"),
        Command("demo", "demo", "a million donors and some photographs through all three functions, checked"),
        Command("serve", "stack", "serve one function over HTTP, exactly as its image does"),
        Command("run", "stack", "run one function on one object, once"),
        Command("test", "stack", "run one function on samples, files or objects, show results, write a test"),
        Command("init", "", "write a project into a folder that has none: stack.yml, three functions, the template"),
        Command("new", "bridge,stack", "start a function of your own from the template"),
        Command("donors", "", "write a CSV file of made-up donors"),
        Command("completion", "cli", "print what bash, zsh or fish needs to complete these words on Tab"),
    ),
    "Events in": (
        Command("bridge", "bridge", "receive MinIO's webhook, keep each event on disk, send CloudEvents"),
        Command("connect amqp", "amqp,stack", "deliver messages of RabbitMQ queues to functions, at least once"),
        Command("connect kafka", "kafka,stack", "deliver Kafka records to functions, at least once"),
        Command("connect mqtt", "mqtt,stack", "deliver MQTT messages to functions, at least once"),
        Command("connect nats", "nats,stack", "deliver messages of NATS JetStream to functions, at least once"),
        Command("connect redis", "redis,stack", "deliver the items of a Redis list to functions, at least once"),
        Command("connect sqs", "sqs,stack", "deliver messages of Amazon SQS queues to functions, at least once"),
        Command("watch", "bridge", "list the objects of a store at intervals, and send hints of what changed"),
        Command("dlq", "kafka", "list, show, replay or drop dead letters"),
        Command("repro", "kafka,stack", "turn a dead letter into a failing test, with its object"),
        Command("listen", "kafka,mqtt", "print notifications as they come"),
    ),
    "Objects": (
        Command("put", "", "store files, or standard input, as objects"),
        Command("get", "", "write an object to a file or to standard output"),
        Command("ls", "", "list objects by what their keys begin with"),
        Command("rm", "", "remove objects; --recursive asks first"),
        Command("reconcile", "stack", "compare sources with targets and mend what differs"),
        Command("status", "bridge,stack", "say whether one object's targets are ready, and if not, why"),
        Command("sign", "", "make a URL that opens one object through a function, for a limited time"),
        Command("jobs", "stack", "list the Jobs of large objects, watch over them, read logs, clean up"),
    ),
    "Servers and clusters": (
        Command("lake", "stack", "plan, apply, show or remove buckets, notification targets and rules"),
        Command("render", "stack", "write manifests for Knative, Kubernetes or OpenFaaS, or check them"),
        Command("graph", "stack", "draw what flows where, from stack.yml and lake.yml: SVG or Mermaid"),
        Command(
            "console", "bridge,stack", "show a lake on OpenFaaS, Knative or Kubernetes on a page, as `up` shows its own"
        ),
        Command("doctor", "bridge,stack", "say what does not work here or on a platform, why, and what to do"),
    ),
}
COMMANDS: tuple[Command, ...] = tuple(command for group in GROUPS.values() for command in group)
