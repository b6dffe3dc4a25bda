"""One function's settings, from environment variables and secret files; every problem is reported at once."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

from penstock.errors import ConfigError
from penstock.settings import table
from penstock.settings.config import Config, JobSettings, SecretKey, SourceRule, StoreSettings, WebIdentity
from penstock.settings.hmac_keys import read_hmac_keys
from penstock.settings.names import is_dns_label
from penstock.settings.plaintext import without_login
from penstock.settings.secrets import read_secret
from penstock.settings.setting import Setting, secret_file

T = TypeVar("T")

_MIN_URL_KEY = 16
_OPEN_OPTION = r"(?a)([a-z][a-z0-9_]*)(?:<=([0-9]+(?:\.[0-9]+)?))?"
_ENDPOINT = r"(https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?)/?"


def load_config(env: Mapping[str, str], *, function: str = "") -> Config:
    """Read a function's settings; `function` is the name used where neither FUNCTION_NAME nor the platform gives one.

    Raises `ConfigError` with every problem found.
    """
    config, problems = read_config(env, function=function)
    if problems:
        raise ConfigError(*problems)
    return config


def read_config(env: Mapping[str, str], *, function: str = "") -> tuple[Config, list[str]]:
    """As `load_config`, but return the settings that could be read, and the problems of the others."""
    reader = _SettingsReader(env)
    sources: list[SourceRule] = []
    for text in reader.value(table.SOURCE).split():
        try:
            sources += SourceRule.parse_all(text)
        except ValueError as exc:
            reader.problems.append(f"{table.SOURCE.name}: {exc}")
    # The reconcile job and a Job made from it get the same name as the function on its platform.
    name = next((env[key] for key in ("FUNCTION_NAME", "OPENFAAS_NAME", "K_SERVICE") if env.get(key)), function)
    # The name becomes a part of object keys and metadata.
    if not is_dns_label(name):
        reader.problems.append(f"FUNCTION_NAME={name!r}: expected lower-case letters, digits and -, as in a DNS label")
    store_name = reader.value(table.STORE_NAME)
    if store_name and not is_dns_label(store_name):
        reader.problems.append(
            f"STORE_NAME={store_name!r}: expected lower-case letters, digits and -, as in a DNS label"
        )
    offload_above_bytes = reader.value(table.OFFLOAD_ABOVE_BYTES) or None
    offload_above_seconds = reader.value(table.OFFLOAD_ABOVE_SECONDS) or None
    config = Config(
        function=name,
        sources=tuple(dict.fromkeys(sources)),
        sink=reader.value(table.SINK),
        store=reader.store(),
        store_name=store_name,
        store_profile=reader.value(table.STORE_PROFILE),
        options={key.removeprefix("OPTION_").lower(): value for key, value in env.items() if key.startswith("OPTION_")},
        renditions=reader.renditions(),
        remove_with_source=reader.value(table.ON_SOURCE_REMOVED),
        follow_encryption=reader.value(table.TARGET_ENCRYPTION),
        max_input_bytes=reader.value(table.MAX_INPUT_BYTES),
        max_body_bytes=reader.value(table.MAX_BODY_BYTES),
        offload_above_bytes=offload_above_bytes,
        offload_above_seconds=offload_above_seconds,
        jobs=reader.jobs() if offload_above_bytes or offload_above_seconds else None,
        port=reader.value(table.PORT),
        threads=reader.value(table.THREADS),
        workers=reader.value(table.WORKERS),
        drain_seconds=reader.value(table.DRAIN_SECONDS),
        grace_seconds=reader.value(table.GRACE_SECONDS),
        max_waiting=reader.value(table.MAX_WAITING),
        read_timeout_seconds=reader.value(table.READ_TIMEOUT_SECONDS),
        min_bytes_per_second=reader.value(table.MIN_BYTES_PER_SECOND),
        deadline_seconds=reader.value(table.DEADLINE_SECONDS),
        search=reader.value(table.SEARCH),
        body_mode=reader.value(table.BODY_MODE),
        object_lambda=reader.value(table.LAMBDA),
        store_urls=reader.store_urls(),
        open_options=reader.open_options(),
        store_on_read=reader.value(table.STORE_ON_READ),
        cache_seconds=reader.value(table.CACHE_SECONDS),
        log_level=reader.value(table.LOG_LEVEL),
        traces_endpoint=reader.value(table.TRACES_ENDPOINT),
        secrets={
            name: value
            for name in (table.FUNCTION_TOKEN.name, table.SIGNED_URL_KEY.name, *reader.sink_secrets())
            if (value := reader.secret(name))
        },
        hmac_keys=reader.hmac_keys(),
    )
    short = [key for key in config.secrets.get(table.SIGNED_URL_KEY.name, "").split() if len(key) < _MIN_URL_KEY]
    if short:
        reader.problems.append(f"SIGNED_URL_KEY: has a key of fewer than {_MIN_URL_KEY} characters; make a longer one")
    return config, reader.problems


def load_store_settings(env: Mapping[str, str]) -> StoreSettings:
    """Read only how to reach the object store; raises `ConfigError` when it is not set."""
    reader = _SettingsReader(env)
    settings = reader.store()
    if settings is None and not reader.problems:
        reader.problems.append("MINIO_ENDPOINT: not set; give the server's URL, for example http://127.0.0.1:9000")
    if reader.problems or settings is None:
        raise ConfigError(*reader.problems)
    return settings


class _SettingsReader:
    """Reads values and collects problems instead of stopping at the first."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.problems: list[str] = []

    def value(self, setting: Setting[T]) -> T:
        """The setting's value; its default when it cannot be read. The problem is kept."""
        try:
            return setting.value(self.env)
        except ConfigError as exc:
            self.problems += exc.problems
            return setting.default

    def secret(self, name: str) -> str | None:
        """As `read_secret`; None when it could not be read. The problem is kept, once."""
        try:
            return read_secret(self.env, name)
        except ConfigError as exc:
            problem = str(exc)
        if problem not in self.problems:
            self.problems.append(problem)
        return None

    def hmac_keys(self) -> tuple[bytes, ...]:
        """The keys of signed requests; what is wrong with them is among the problems."""
        try:
            return read_hmac_keys(self.secret(table.FUNCTION_HMAC_KEY.name) or "")
        except ValueError as exc:
            self.problems.append(f"{table.FUNCTION_HMAC_KEY.name}: {exc}")
            return ()

    def sink_secrets(self) -> list[str]:
        """The names of the sink's credentials: those of a search server, and any other that begins with SINK_."""
        given = (name.removesuffix("_FILE") for name in self.env if name.startswith("SINK_"))
        return list(dict.fromkeys([*(setting.name for setting in table.SINK_SECRETS), *given]))

    def store(self) -> StoreSettings | None:
        endpoint = self.env.get("MINIO_ENDPOINT", "")
        if not endpoint:
            return None
        if "://" not in endpoint:
            endpoint = f"http://{endpoint}"
        if "@" in endpoint:
            self.problems.append(
                "MINIO_ENDPOINT: leave the credentials out of the URL; use MINIO_ACCESS_KEY and the like"
            )
            return None
        found = re.fullmatch(_ENDPOINT, endpoint)
        if found is None:
            self.problems.append(f"MINIO_ENDPOINT={endpoint!r}: expected http://HOST:PORT or https://HOST:PORT")
        access_key, secret_key = self.secret("MINIO_ACCESS_KEY"), self.secret("MINIO_SECRET_KEY")
        region = self.value(table.MINIO_REGION)
        url = found[1] if found else endpoint
        identity = self.web_identity(url, region) if (access_key, secret_key) == ("", "") else None
        for name, value in (("MINIO_ACCESS_KEY", access_key), ("MINIO_SECRET_KEY", secret_key)):
            if value == "" and identity is None:
                self.problems.append(
                    f"{name}: not set; set it, or {name}_FILE, or mount the secret {secret_file(name)}"
                )
        ca_file = Path(ca) if (ca := self.env.get("MINIO_CA_FILE", "")) else None
        if ca_file is not None and not ca_file.is_file():
            self.problems.append(f"MINIO_CA_FILE={ca_file}: no such file")
        session_token = self.secret("MINIO_SESSION_TOKEN") or "" if identity is None else ""
        return StoreSettings(url, access_key or "", secret_key or "", region, ca_file, session_token, identity)

    def web_identity(self, endpoint: str, region: str) -> WebIdentity | None:
        """The token that stands in for keys, where no keys are given."""
        named = self.value(table.AWS_WEB_IDENTITY_TOKEN_FILE)
        if not named:
            return None
        path = Path(named)
        if not path.is_file():
            self.problems.append(f"AWS_WEB_IDENTITY_TOKEN_FILE={named}: no such file")
        is_aws = (urlsplit(endpoint).hostname or "").endswith(".amazonaws.com")
        role = self.value(table.AWS_ROLE_ARN)
        if is_aws and not role:
            self.problems.append("AWS_ROLE_ARN: not set; AWS needs the role that the token stands for")
        given = self.value(table.AWS_ENDPOINT_URL_STS)
        if given and not re.fullmatch(_ENDPOINT, given):
            self.problems.append(
                f"AWS_ENDPOINT_URL_STS={without_login(given)!r}: expected http://HOST:PORT or https://HOST:PORT"
            )
        sts = given.rstrip("/") or (f"https://sts.{region}.amazonaws.com" if is_aws else endpoint)
        return WebIdentity(path, sts, role)

    def store_urls(self) -> tuple[str, ...]:
        """The addresses in STORE_URLS, without a slash at their end."""
        found = []
        for word in self.value(table.STORE_URLS).split():
            given = re.fullmatch(_ENDPOINT, word)
            if given is None:
                self.problems.append(f"STORE_URLS: {word!r}: expected http://HOST:PORT or https://HOST:PORT")
            else:
                found.append(given[1])
        return tuple(found)

    def open_options(self) -> dict[str, float | None]:
        """`OPEN_OPTIONS="width<=2000 fit"`: names, each with its highest value or None."""
        found: dict[str, float | None] = {}
        for word in self.value(table.OPEN_OPTIONS).split():
            given = re.fullmatch(_OPEN_OPTION, word)
            if given is None or given[1] in found:
                self.problems.append(f"OPEN_OPTIONS: {word!r}: expected NAME or NAME<=NUMBER, each name once")
            else:
                found[given[1]] = float(given[2]) if given[2] else None
        return found

    def jobs(self) -> JobSettings:
        """The settings of Jobs, read only where large objects are handed to them."""
        image = self.value(table.JOB_IMAGE)
        if not image:
            self.problems.append("JOB_IMAGE: not set; OFFLOAD_ABOVE_... needs the image that Jobs run: this function's")
        made = JobSettings(
            image=image,
            namespace=self.value(table.JOB_NAMESPACE),
            service_account=self.value(table.JOB_SERVICE_ACCOUNT),
            memory=self.value(table.JOB_MEMORY),
            cpu=self.value(table.JOB_CPU),
            disk=self.value(table.JOB_DISK),
            secrets=self.job_secrets(),
            answer_to=self.value(table.JOB_ANSWER_TO) or self.value(table.K_SINK),
            retries=self.value(table.JOB_RETRIES),
            deadline_seconds=self.value(table.JOB_DEADLINE_SECONDS),
            ttl_seconds=self.value(table.JOB_TTL_SECONDS),
            cluster={setting.name: value for setting in table.CLUSTER if (value := self.env.get(setting.name))},
        )
        if self.env.get("MINIO_CA_FILE") and "MINIO_CA_FILE" not in made.secrets:
            self.problems.append(
                "JOB_SECRETS: MINIO_CA_FILE is set, so say which Secret has it: MINIO_CA_FILE=minio-ca/ca.crt"
            )
        return made

    def job_secrets(self) -> dict[str, SecretKey]:
        """`MINIO_ACCESS_KEY=secret/key MINIO_CA_FILE=secret/key`; unset: as `faas-cli secret create` names them."""
        text = self.env.get("JOB_SECRETS", "")
        if not text:
            names = [table.MINIO_ACCESS_KEY.name, table.MINIO_SECRET_KEY.name]
            if self.value(table.AWS_WEB_IDENTITY_TOKEN_FILE) and not any(map(self.secret, names)):
                names = []  # a Job gets a token of its own, with its service account
            elif self.secret(table.MINIO_SESSION_TOKEN.name):
                names.append(table.MINIO_SESSION_TOKEN.name)
            names += [name for name in self.sink_secrets() if self.secret(name) != ""]
            return {name: SecretKey(file := secret_file(name), file) for name in names}
        found: dict[str, SecretKey] = {}
        for word in text.split():
            given = re.fullmatch(r"([A-Z][A-Z0-9_]*)=([-.a-z0-9]+)/([-._a-zA-Z0-9]+)", word)
            if given is None:
                self.problems.append(f"JOB_SECRETS: {word!r}: expected SETTING=SECRET/KEY")
            else:
                found[given[1]] = SecretKey(given[2], given[3])
        return found

    def renditions(self) -> dict[str, dict[str, str]]:
        """`RENDITIONS="thumb?width=200&fit=cover card?width=800"`: names, each with options as a query string."""
        found: dict[str, dict[str, str]] = {}
        for text in self.env.get("RENDITIONS", "").split():
            name, _, query = text.partition("?")
            if not re.fullmatch(r"[a-z0-9][-a-z0-9]*", name) or name in found:
                self.problems.append(f"RENDITIONS: {name!r}: expected unique names of lower-case letters, digits and -")
                continue
            try:
                pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
            except ValueError:
                self.problems.append(f"RENDITIONS: {name}: {query!r}: expected OPTION=VALUE, several joined by &")
                continue
            found[name] = dict(pairs)
            given = [option for option, _ in pairs]
            self.problems += [
                f"RENDITIONS: {name}: option {option!r} is given twice; give it once"
                for option in found[name]
                if given.count(option) > 1
            ]
        return found
