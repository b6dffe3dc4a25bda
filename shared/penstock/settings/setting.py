"""One setting: an environment variable that a program reads. `table` lists all of them."""

import re
from collections.abc import Callable, Mapping
from typing import Final, Generic, Literal, NamedTuple, TypeVar

from penstock.errors import ConfigError
from penstock.settings.numbers import decimal_number, whole_number

ValueT = TypeVar("ValueT", covariant=True)
# The program that reads it. `function`: serve, run and reconcile. `job`: a function that hands large objects to Jobs.
# `watcher`: jobs watch. `delivery`: the connectors and the bridge. `gateway`: the connectors and doctor.
Component = Literal[
    "function",
    "job",
    "run",
    "watcher",
    "delivery",
    "gateway",
    "kafka",
    "mqtt",
    "nats",
    "redis",
    "amqp",
    "sqs",
    "bridge",
    "console",
]

_QUANTITY: Final = r"[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?"


class Setting(NamedTuple, Generic[ValueT]):
    """One setting. `read` turns its text into a value and raises `ValueError` that says what is expected.

    `takes` says what it may hold, "" for any text. `shown` is the default as the pages show it, where the value alone
    says too little. `is_secret`: it may also be in the file that NAME_FILE names, or in a mounted secret. `in_job`: the
    Jobs of a function get it.
    """

    name: str
    doc: str
    default: ValueT
    read: Callable[[str], ValueT]
    component: Component
    takes: str = ""
    shown: str = ""
    is_secret: bool = False
    in_job: bool = False

    def value(self, env: Mapping[str, str]) -> ValueT:
        """The setting's value, and its default where it is not set or set to nothing; raises `ConfigError`."""
        text = env.get(self.name, "")
        if not text:
            return self.default
        try:
            return self.read(text)
        except ValueError as exc:
            raise ConfigError(f"{self.name}={text!r}: {exc}") from exc


def text(
    name: str,
    doc: str,
    default: str = "",
    *,
    of: Component = "function",
    shown: str = "",
    is_secret: bool = False,
    in_job: bool = False,
) -> Setting[str]:
    """A setting that is read as it is written."""
    return Setting(
        name=name, doc=doc, default=default, read=str, component=of, shown=shown, is_secret=is_secret, in_job=in_job
    )


def whole(
    name: str,
    doc: str,
    default: int,
    *,
    minimum: int = 0,
    maximum: int | None = None,
    of: Component = "function",
    shown: str = "",
    in_job: bool = False,
) -> Setting[int]:
    """A whole number in a range.

    >>> whole("PORT", "the port", 8080, minimum=1, maximum=65535).value({"PORT": "9090"})
    9090
    """
    upto = f" and at most {maximum}" if maximum is not None else ""

    def read(given: str) -> int:
        try:
            value = whole_number(given)
        except ValueError:
            value = minimum - 1
        if value < minimum or (maximum is not None and value > maximum):
            raise ValueError(f"expected a whole number of at least {minimum}{upto}")
        return value

    takes = f"{minimum} to {maximum}" if maximum is not None else f"from {minimum}"
    return Setting(
        name=name, doc=doc, default=default, read=read, component=of, takes=takes, shown=shown, in_job=in_job
    )


def switch(name: str, doc: str, *, default: bool, of: Component = "function") -> Setting[bool]:
    """Something that is on or off."""

    def read(given: str) -> bool:
        if given not in ("on", "off"):
            raise ValueError("expected on or off")
        return given == "on"

    shown = f"`{'on' if default else 'off'}`"
    return Setting(name=name, doc=doc, default=default, read=read, component=of, takes="`on`, `off`", shown=shown)


def number(name: str, doc: str, default: float, *, of: Component, above: float | None = None) -> Setting[float]:
    """A number that may have a fraction; it must be more than `above`, where that is given."""
    expected = "expected a number" if above is None else f"expected a number above {above:g}"

    def read(given: str) -> float:
        try:
            value = decimal_number(given)
        except ValueError:
            raise ValueError(expected) from None
        if above is not None and value <= above:
            raise ValueError(expected)
        return value

    return Setting(
        name=name, doc=doc, default=default, read=read, component=of, takes=expected.removeprefix("expected ")
    )


def quantity(name: str, doc: str, default: str, *, of: Component) -> Setting[str]:
    """An amount as Kubernetes writes it, such as 512Mi."""

    def read(given: str) -> str:
        if not re.fullmatch(_QUANTITY, given):
            raise ValueError(f"expected a Kubernetes quantity such as {default}")
        return given

    return Setting(name=name, doc=doc, default=default, read=read, component=of, takes="a quantity")


def secret_file(name: str) -> str:
    """The name of the mounted file, and of the Secret, that holds a setting.

    >>> secret_file("MINIO_ACCESS_KEY"), secret_file("MINIO_CA_FILE")
    ('minio-access-key', 'minio-ca')
    """
    return name.removesuffix("_FILE").lower().replace("_", "-")
