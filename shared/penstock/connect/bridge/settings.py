"""The bridge's settings: flags and environment, read into one frozen value."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from penstock.connect import settings
from penstock.connect.bridge.callbacks import CallbackConfig, read_callbacks
from penstock.connect.bridge.filters import Filters, read_filters
from penstock.connect.settings import Flags
from penstock.delivery.deliverer import Policy
from penstock.delivery.http import HttpTarget
from penstock.errors import ConfigError
from penstock.process.log import parse_level
from penstock.settings.connector_table import DELIVERY_TRACES_ENDPOINT, OUTCOME_ATTEMPTS, OUTCOME_HMAC_KEY, OUTCOME_URLS
from penstock.settings.hmac_keys import read_hmac_keys
from penstock.settings.secrets import read_secret

# The target of what could not be read: when it is replayed it goes to the bridge itself, perhaps a newer version.
SELF = "bridge"
# The target that K_SINK names.
BROKER = "sink"
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,20}")

T = TypeVar("T")


# Where a SinkBinding mounts the identity of its subject, with Knative's authentication of senders switched on
# (knative/eventing, pkg/apis/sources/v1/sinkbinding_lifecycle.go).
IDENTITY_TOKEN = Path("/oidc/token")


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """Where to listen, what to demand, where to deliver. With an empty `token` no caller needs one.

    `filters` names, by target, the objects whose events it gets; a target that it does not name gets every event.
    `keep_identity` keeps the uploader and the client's address in events and dead letters. With a `dead_letter_token`
    only `/dead-letters/TOKEN` takes dead letters. With a `console_token` a console may ask for the inbox.
    `callbacks` are told how deliveries ended.
    """

    address: tuple[str, int]
    token: str = field(repr=False)
    inbox: Path
    targets: tuple[HttpTarget, ...]
    policy: Policy
    drain_seconds: float
    extensions: Mapping[str, str]
    log_level: str = "INFO"
    traces_endpoint: str = ""
    filters: Filters = field(default_factory=dict)
    keep_identity: bool = False
    dead_letter_token: str = field(default="", repr=False)
    console_token: str = field(default="", repr=False)
    callbacks: CallbackConfig = field(default_factory=CallbackConfig, repr=False)  # a URL may hold a token


def load_bridge_config(flags: Flags, env: Mapping[str, str]) -> BridgeConfig:
    """Read flags and environment; raises `ConfigError` with every problem found."""
    problems: list[str] = []

    def collect(make: Callable[[], T], otherwise: T) -> T:
        try:
            return make()
        except ConfigError as exc:
            problems.extend(exc.problems)
            return otherwise

    ca_file = collect(lambda: settings.ca_file_from(flags, env), None)
    targets = _targets(flags, env, ca_file, problems)
    names = [target.name for target in targets]
    nothing: Filters = {}
    filters = collect(lambda: read_filters(flags.only, names), nothing)
    token = collect(lambda: read_secret(env, "BRIDGE_TOKEN"), "unread")
    if token == "" and not flags.allow_anonymous:
        problems.append(
            "BRIDGE_TOKEN: not set; set it, or BRIDGE_TOKEN_FILE, or mount the secret bridge-token,"
            " or accept events from any caller with --allow-anonymous"
        )
    policy = collect(lambda: settings.policy_from(flags, env), Policy())
    config = BridgeConfig(
        address=collect(lambda: settings.address_from(flags, env), ("", 0)),
        token=token,
        inbox=flags.inbox,
        targets=targets,
        policy=policy,
        drain_seconds=collect(lambda: settings.drain_seconds_from(flags, env), 0.0),
        extensions=collect(lambda: _extensions(env.get("K_CE_OVERRIDES", "")), {}),
        log_level=collect(lambda: parse_level(env.get("LOG_LEVEL", "INFO")), "INFO"),
        traces_endpoint=DELIVERY_TRACES_ENDPOINT.value(env),
        filters=filters,
        keep_identity=flags.keep_identity,
        dead_letter_token=collect(lambda: read_secret(env, "DEAD_LETTER_TOKEN"), ""),
        console_token=collect(lambda: read_secret(env, "CONSOLE_TOKEN"), ""),
        callbacks=collect(lambda: _callbacks(env, ca_file, policy), CallbackConfig()),
    )
    if problems:
        raise ConfigError(*problems)
    return config


def _targets(flags: Flags, env: Mapping[str, str], ca_file: str | None, problems: list[str]) -> tuple[HttpTarget, ...]:
    """The targets of `--to`, else the one of K_SINK; what is wrong is added to `problems`.

    Those of `--to` are functions, which get FUNCTION_TOKEN and what FUNCTION_HMAC_KEY signs, where these are set.
    """
    made: list[HttpTarget] = []
    headers: dict[str, str] = {}
    keys: tuple[bytes, ...] = ()
    try:
        headers = settings.caller_headers(env)
        keys = settings.caller_keys(env)
    except ConfigError as exc:
        problems.extend(exc.problems)
    for text in flags.to:
        try:
            made.append(replace(settings.named_target(text, ca_file, headers), keys=keys))
        except ConfigError as exc:
            problems.extend(exc.problems)
    if not flags.to and env.get("K_SINK"):
        try:
            token = IDENTITY_TOKEN if IDENTITY_TOKEN.exists() else None
            made = [HttpTarget(BROKER, env["K_SINK"], ca_file=ca_file, token_file=token)]
        except ConfigError as exc:
            problems.extend(exc.problems)
    elif not flags.to:
        problems.append("K_SINK: not set, and no --to URL: say where the events go")
    names = [target.name for target in made]
    if len(set(names)) < len(names) or SELF in names:
        problems.append(f"--to: the names {', '.join(names)} must differ, and none may be {SELF}; write NAME=URL")
    return tuple(made)


def _callbacks(env: Mapping[str, str], ca_file: str | None, policy: Policy) -> CallbackConfig:
    """Where outcomes are told; they wait between attempts as deliveries do."""
    try:
        keys = read_hmac_keys(read_secret(env, OUTCOME_HMAC_KEY.name))
    except ValueError as exc:
        raise ConfigError(f"{OUTCOME_HMAC_KEY.name}: {exc}") from None
    tried = replace(policy, attempts=OUTCOME_ATTEMPTS.value(env))
    return read_callbacks(read_secret(env, OUTCOME_URLS.name), keys, ca_file, tried)


def _extensions(text: str) -> dict[str, str]:
    """Knative's K_CE_OVERRIDES: `{"extensions": {"name": "value"}}`, set by a SinkBinding."""
    if not text:
        return {}
    try:
        found: Any = json.loads(text).get("extensions") or {}
        bad = [name for name in found if not _ATTRIBUTE.fullmatch(name)]
        values = {name: str(value) for name, value in found.items()}
    except (ValueError, AttributeError, TypeError):
        raise ConfigError(f'K_CE_OVERRIDES={text!r}: expected {{"extensions": {{"name": "value"}}}}') from None
    if bad:
        raise ConfigError(f"K_CE_OVERRIDES: {', '.join(bad)}: names are 1 to 20 lower-case letters and digits")
    return values
