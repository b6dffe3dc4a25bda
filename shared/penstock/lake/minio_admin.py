"""MinIO's admin API through minio-py: notification targets, one server setting, and the restart. Nothing else uses it.

MinIO runs with the configuration that it read when it started: `config_get` tells that one, while `config_set` and
`config_reset` write the one that the next start will read. So a change that was left half done shows as a difference
until the server has restarted. Only the `api` subsystem takes effect at once.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit

import urllib3
from minio import MinioAdmin

from penstock.errors import ConfigError
from penstock.json_text import read_json
from penstock.lake import keys
from penstock.lake.minio_errors import RefusedByMinio, clear_errors
from penstock.lake.model import TargetRef
from penstock.lake.plan import PresentTarget
from penstock.settings.config import StoreSettings
from penstock.store.credentials import provider_of

_SYNC_VARIABLE: Final = "MINIO_API_SYNC_EVENTS"


@dataclass(frozen=True, slots=True)
class Info:
    """What the server says about itself. `uptimes` are seconds, None for a server that is not back yet."""

    arns: frozenset[str]
    statuses: Mapping[TargetRef, str]
    uptimes: tuple[int | None, ...]


class Admin:
    """One connection to a server's admin API; every method raises `ConfigError` or `TemporaryError`."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        url = urlsplit(settings.endpoint)
        self._admin = MinioAdmin(
            endpoint=url.netloc,
            credentials=provider_of(settings),
            region=settings.region,
            secure=url.scheme == "https",
            http_client=pool_for(settings),
        )

    def info(self) -> Info:
        found: Info = self._call("admin:ServerInfo", lambda: read_info(self._admin.info()))
        return found

    def targets(self, kind: keys.TargetKind) -> tuple[dict[TargetRef, PresentTarget], frozenset[str]]:
        """The targets of one kind, without ARN and status, and the keys that this server knows for the kind."""
        text = self._config(keys.subsystem(kind))
        return parse_targets(kind, text)

    def set_target(self, ref: TargetRef, values: Mapping[str, str]) -> None:
        """Write a target for the next start; the server tries it first, and refuses one that does not answer."""
        quoted = {name: _quoted(value) for name, value in values.items()}
        try:
            self._call("admin:ConfigUpdate", lambda: self._admin.config_set(ref.subsystem, quoted))
        except RefusedByMinio as exc:
            where = f"target {ref}: {self._settings.endpoint}"
            raise ConfigError(f"{where} refuses it: {exc.message}; {_remedy(exc)}") from exc

    def remove_target(self, ref: TargetRef) -> None:
        """Remove a target from what the next start reads; one that does not exist is fine."""
        try:
            self._call("admin:ConfigUpdate", lambda: self._admin.config_reset(keys.subsystem(ref.kind), ref.id))
        except RefusedByMinio as exc:
            if "already deleted" not in exc.message:
                raise ConfigError(f"target {ref}: {self._settings.endpoint} keeps it: {exc.message}") from exc

    def sync_events(self) -> tuple[bool, str]:
        """Whether it is on, and the variable of the server's environment that decides it, "" for none."""
        text = self._config("api")
        if found := re.search(rf"^# ({_SYNC_VARIABLE})=(.*)$", text, re.MULTILINE):
            return found[2].strip() == "on", found[1]
        return re.search(r" sync_events=on(\s|$)", text) is not None, ""

    def set_sync_events(self) -> None:
        """Have the server store events before it answers the upload; takes effect at once."""
        self._call("admin:ConfigUpdate", lambda: self._admin.config_set("api", {"sync_events": "on"}))

    def restart(self) -> None:
        """Ask all servers to restart; they answer before they do."""
        self._call("admin:ServiceRestart", self._admin.service_restart)

    def _config(self, subsystem: str) -> str:
        text: str = self._call("admin:ConfigUpdate", lambda: self._admin.config_get(subsystem))
        return text

    def _call(self, permission: str, act: Any) -> Any:
        with clear_errors(self._settings, permission):
            try:
                return act()
            except UnboundLocalError as exc:
                # minio-py 7.2's config_get closes a response that it never had, which hides the error itself.
                raise cast(Exception, exc.__context__) from None


def read_info(text: str) -> Info:
    """What the server tells of itself; raises `ValueError` for what is no answer of MinIO."""
    found = read_json(text)
    statuses: dict[TargetRef, str] = {}
    try:
        for group in (found.get("services") or {}).get("notifications") or []:
            for kind, entries in group.items():
                for entry in entries if kind in keys.KINDS else ():
                    statuses.update({TargetRef(kind, name): told.get("status", "") for name, told in entry.items()})
        return Info(
            frozenset(found.get("sqsARN") or ()),
            statuses,
            tuple(
                server.get("uptime") if server.get("state") == "online" else None
                for server in found.get("servers") or ()
            ),
        )
    except (AttributeError, TypeError) as exc:
        raise ValueError(f"its description has another shape: {exc}") from exc


def pool_for(settings: StoreSettings) -> urllib3.PoolManager:
    """Connections without retries, with the private CA, if one is set. Raises `ConfigError` for a bad CA file."""
    if settings.ca_file is not None:
        # urllib3 would report it at the first request only, among other connection errors.
        try:
            ssl.create_default_context(cafile=settings.ca_file)
        except OSError as exc:
            raise ConfigError(f"MINIO_CA_FILE={settings.ca_file}: holds no PEM certificate ({exc})") from exc
    return urllib3.PoolManager(
        # MinIO tries a new target before it answers, and gives up after some ten seconds.
        timeout=urllib3.Timeout(connect=5, read=60),
        retries=False,
        ca_certs=str(settings.ca_file) if settings.ca_file else None,
    )


def _remedy(exc: RefusedByMinio) -> str:
    if "queue store" in exc.message or "mkdir" in exc.message:
        return "queue_dir must be a folder that MinIO may make and write on its own machine"
    return "MinIO tries a target before it takes it: start the receiver first, at an address that MinIO reaches"


def _quoted(value: str) -> str:
    """A value that MinIO reads back as it is: it strips one pair of each quote, and splits nothing between them."""
    return f"\"'{value}'\""


def parse_targets(kind: keys.TargetKind, text: str) -> tuple[dict[TargetRef, PresentTarget], frozenset[str]]:
    """Read what `config_get` returns for one subsystem.

    Each target is a line, `notify_kafka:ID enable=off brokers=... comment="two words"`, after comment lines with the
    environment variables that win over it; `enable=on` and secrets are left out, and a target that the environment
    alone makes has nothing in its line. The first line, without an id, is the unnamed target, whose keys are those that
    this server knows.
    """
    found: dict[TargetRef, PresentTarget] = {}
    names, secret = {key.name for key in keys.KEYS[kind]}, frozenset(keys.secret_names(kind))
    overrides: list[str] = []
    for line in text.splitlines():
        if line.startswith("# "):
            overrides.append(line[2:].partition("=")[0])
            continue
        subsystem, _, rest = line.partition(" ")
        _, _, target_id = subsystem.partition(":")
        if target_id:
            ref = TargetRef(kind, target_id)
            # MinIO tells what it does not call a secret, such as the password in an AMQP URL.
            values = {name: value for name, value in _values(rest, names).items() if name not in secret}
            found[ref] = PresentTarget(ref, values, tuple(overrides))
        elif subsystem:
            names = {*re.findall(r"(?:^| )([a-z0-9_]+)=", rest), *keys.secret_names(kind), "comment"}
            names |= {key.name for key in keys.KEYS[kind] if key.shown_with in names}
        overrides = []
    return found, frozenset(names | {"enable"})


def _values(text: str, names: set[str]) -> dict[str, str]:
    """Cut `key=value key="two words"` at the known keys: values are not escaped."""
    cuts = list(re.finditer(rf"(?:^| )({'|'.join(sorted(names, key=len, reverse=True))})=", text))
    ends = [cut.start() for cut in cuts[1:]] + [len(text)] * bool(cuts)
    values = {"enable": "on"}
    for cut, end in zip(cuts, ends, strict=True):
        value = text[cut.end() : end].removesuffix(" ") if end == len(text) else text[cut.end() : end]
        if len(value) > 1 and value[0] == value[-1] == '"' and re.search(r"\s", value):
            value = value[1:-1]
        values[cut[1]] = value
    return values
