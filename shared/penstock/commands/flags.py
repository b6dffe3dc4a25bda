"""The flags that several commands share, what turns their texts into values, and the parser that reads them.

argparse is imported by the modules of this folder alone. A part of the package that reads flags is given an object that
has them as attributes.
"""

import argparse
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NoReturn, TypeVar

from penstock.serving.wiring import function_folder
from penstock.settings.durations import parse_duration, parse_moment
from penstock.settings.names import nearest
from penstock.settings.numbers import decimal_number, whole_number
from penstock.settings.setting import Setting
from penstock.settings.table import PORT
from penstock.terminal import printable

T = TypeVar("T")

DEFAULT_DATA = ".penstock"


_INVALID_CHOICE = r"invalid choice: '([^']*)' \(choose from (.*)\)"


class _Parser(argparse.ArgumentParser):
    """Says which flag or word was meant, as near as that can be told."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ")
        typed, known = "", list[str]()
        if unknown != message:
            typed, known = unknown.partition(" ")[0].partition("=")[0], list(_options(self))
        elif found := re.search(_INVALID_CHOICE, message):
            typed, known = found[1], [choice.strip("'") for choice in found[2].split(", ")]
        # Without the dashes, which all flags have: with them `--qualty` would be near `--help`.
        flags = {flag.lstrip("-"): flag for flag in known}
        near = flags.get(nearest(typed.lstrip("-"), flags), "")
        if near:
            message += f"; did you mean: {near}"
        elif typed.startswith("--") and any(action.type is function_folder for action in self._actions):
            name = typed.removeprefix("--").replace("-", "_").upper()
            message += f"; an option of the function is set before the command: OPTION_{name}=... {self.prog}"
        super().error(printable(message))


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The flags of a parser, and of the words after its command: the outermost parser tells of unknown flags."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _options(inner)


def new_parser(words: str, text: str, end: str = "") -> argparse.ArgumentParser:
    """The parser of one command; `text` says what the command does, `end` is printed below the flags."""
    return _Parser(
        prog=f"penstock {words}",
        description=text[0].upper() + text[1:] + ".",
        epilog=end,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


# Texts into values


def duration(text: str) -> float:
    """Seconds of `30s`, `1h30m` or `7d`."""
    return _read(parse_duration, text)


def moment(text: str) -> datetime:
    """A moment: `24h` or `7d` ago, or a date and time in ISO 8601."""
    return _read(parse_moment, text)


def whole(text: str) -> int:
    """A whole number."""
    try:
        return whole_number(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number") from None


def port(text: str) -> int:
    """A port to listen on."""
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a port, at most 65535; 0 is any free one")
    return int(text)


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    try:
        number = decimal_number(text)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of seconds above 0")
    return number


def row_count(text: str) -> int:
    """How many rows a file gets."""
    try:
        rows = whole_number(text)
    except ValueError:
        rows = -1
    if rows < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number of rows, 0 or more, got {text!r}")
    return rows


def _read(parse: Callable[[str], T], text: str) -> T:
    """argparse shows the text of no other error."""
    try:
        return parse(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


# Flags of several commands


def add_function_flags(parser: argparse.ArgumentParser, name: str = "function") -> None:
    """Add the function's folder, under `name`, and `--stack`, which says its settings."""
    parser.add_argument(name, type=function_folder, help="the function's folder, or its name under ./functions")
    parser.add_argument("--stack", type=Path, metavar="FILE", help="take the function's settings from this stack.yml")


def add_store_flags(parser: argparse.ArgumentParser) -> None:
    """Add where the local stack keeps its address, which counts where MINIO_ENDPOINT is not set."""
    add_data_flag(parser, "without MINIO_ENDPOINT: the store of the local stack that runs on this folder")


def add_data_flag(parser: argparse.ArgumentParser, use: str) -> None:
    """Add the folder of a local stack; `use` says what is taken from there, and when."""
    parser.add_argument(
        "--data", type=Path, default=Path(DEFAULT_DATA), metavar="FOLDER", help=f"{use} (default: %(default)s)"
    )


def add_delivery_flags(parser: argparse.ArgumentParser) -> None:
    """Add what `policy_from`, `address_from`, `ca_file_from` and `drain_seconds_from` of connect/settings.py read."""
    from penstock.connect.settings import POLICY_SETTINGS
    from penstock.settings.connector_table import DELIVERY_DRAIN_SECONDS

    for setting in (*POLICY_SETTINGS.values(), DELIVERY_DRAIN_SECONDS):
        add_setting_flag(parser, setting)
    add_listen_flag(parser)
    add_ca_file_flag(parser, "for https targets")


def add_setting_flag(parser: argparse.ArgumentParser, setting: Setting[int] | Setting[float]) -> None:
    """Add the flag of one setting, with the words and the default of the table."""
    flag = "--" + setting.name.lower().replace("_", "-")
    text = f"{setting.doc} (default: {setting.name}, else {setting.default:g})"
    parser.add_argument(flag, metavar="N", help=text)


def add_listen_flag(parser: argparse.ArgumentParser) -> None:
    """Add `--listen`, the address of probes and metrics, and of the bridge."""
    text = f"address to listen on (default: 0.0.0.0:PORT, else {PORT.default})"
    parser.add_argument("--listen", metavar="HOST:PORT", help=text)


def add_ca_file_flag(parser: argparse.ArgumentParser, use: str = "") -> None:
    """Add `--ca-file`."""
    text = f"PEM file with a private CA{use and ' '}{use} (default: CA_FILE)"
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help=text)


def add_topic_flags(parser: argparse.ArgumentParser) -> None:
    """Add what `finder_from` of connect/sources.py reads: which function wants which topic."""
    from penstock.settings.connector_table import REDISCOVER_SECONDS

    parser.add_argument(
        "--to", metavar="TOPIC=URL", action="append", default=[], help="deliver a topic to a URL; repeatable"
    )
    parser.add_argument(
        "--gateway",
        metavar="URL",
        help="OpenFaaS gateway: deliver what its functions' topic annotations name (default: GATEWAY_URL)",
    )
    parser.add_argument("--namespace", default="", metavar="NAME", help="namespace of the functions behind the gateway")
    add_setting_flag(parser, REDISCOVER_SECONDS)
    parser.add_argument(
        "--stack", type=Path, metavar="FILE", help="stack.yml: deliver what its functions' topic annotations name"
    )


def add_identity_flag(parser: argparse.ArgumentParser) -> None:
    """Add whether dead letters keep who uploaded an object."""
    parser.add_argument(
        "--keep-identity",
        action="store_true",
        help="keep the uploader's access key and address in dead letters, which are left out otherwise",
    )


def add_kafka_flags(parser: argparse.ArgumentParser) -> None:
    """Add librdkafka's settings."""
    parser.add_argument("--properties", type=Path, metavar="FILE", help="file of librdkafka settings, name=value lines")
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a librdkafka setting, such as sasl.mechanism=PLAIN; also as KAFKA_SASL_MECHANISM; repeatable",
    )


def add_broker_flag(parser: argparse.ArgumentParser) -> None:
    """Add the address of an MQTT broker."""
    parser.add_argument(
        "--url", metavar="URL", help="the broker, mqtt://HOST:1883 or mqtts://HOST:8883 (default: MQTT_URL)"
    )
