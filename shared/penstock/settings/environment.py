"""One function's settings, from environment variables and secret files; every problem is reported at once."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from penstock.errors import ConfigError
from penstock.settings.config import CLUSTER_SETTINGS, Config, JobSettings, SecretKey, SourceRule, StoreSettings

# Where OpenFaaS mounts secrets; Knative manifests mount theirs to the same place.
SECRETS_DIR = "/var/openfaas/secrets"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_MIB = 1024 * 1024
_ENDPOINT = re.compile(r"(https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?)/?")
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?")
_SECRET_SETTINGS = ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "SINK_USERNAME", "SINK_PASSWORD")


def load_config(env: Mapping[str, str], *, function: str = "") -> Config:
    """Read a function's settings; `function` is the name used where neither FUNCTION_NAME nor the platform gives one.

    Raises `ConfigError` with every problem found.
    """
    config, problems = read_config(env, function=function)
    if problems:
        raise ConfigError(*problems)
    return config


def read_config(env: Mapping[str, str], *, function: str = "") -> tuple[Config, list[str]]:
    """As `load_config`, but return what could be read and what is wrong with the rest."""
    reader = _Reader(env)
    sources = []
    for text in env.get("SOURCE", "").split():
        try:
            sources.append(SourceRule.parse(text))
        except ValueError as exc:
            reader.problems.append(f"SOURCE: {exc}")
    # What a platform calls the function is the same for the reconcile job and for a Job made from it.
    name = next((env[key] for key in ("FUNCTION_NAME", "OPENFAAS_NAME", "K_SERVICE") if env.get(key)), function)
    # The name becomes a part of object keys and metadata.
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name):
        reader.problems.append(f"FUNCTION_NAME={name!r}: expected lower-case letters, digits and -, as in a DNS label")
    removed = env.get("ON_SOURCE_REMOVED", "keep")
    if removed not in ("keep", "delete"):
        reader.problems.append(f"ON_SOURCE_REMOVED={removed!r}: expected keep or delete")
    level = env.get("LOG_LEVEL", "INFO").upper()
    if level not in LOG_LEVELS:
        reader.problems.append(f"LOG_LEVEL={level!r}: expected DEBUG, INFO, WARNING or ERROR")
    store_name = env.get("STORE_NAME", "")
    if not re.fullmatch(r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?", store_name):
        reader.problems.append(
            f"STORE_NAME={store_name!r}: expected lower-case letters, digits and -, as in a DNS label"
        )
    offload_above_bytes = reader.number("OFFLOAD_ABOVE_BYTES", 0, minimum=0) or None
    offload_above_seconds = reader.number("OFFLOAD_ABOVE_SECONDS", 0, minimum=0) or None
    config = Config(
        function=name,
        sources=tuple(sources),
        sink=env.get("SINK", ""),
        store=reader.store(),
        store_name=store_name,
        options={key.removeprefix("OPTION_").lower(): value for key, value in env.items() if key.startswith("OPTION_")},
        renditions=reader.renditions(),
        remove_with_source=removed == "delete",
        max_input_bytes=reader.number("MAX_INPUT_BYTES", 5 * 1024**4, minimum=1),
        max_body_bytes=reader.number("MAX_BODY_BYTES", 256 * _MIB, minimum=1),
        offload_above_bytes=offload_above_bytes,
        offload_above_seconds=offload_above_seconds,
        jobs=reader.jobs() if offload_above_bytes or offload_above_seconds else None,
        port=reader.number("PORT", 8080, minimum=1, maximum=65535),
        threads=reader.number("THREADS", 4, minimum=1, maximum=1024),
        workers=reader.number("WORKERS", 1, minimum=1, maximum=1024),
        drain_seconds=reader.number("DRAIN_SECONDS", 0, minimum=0, maximum=3600),
        grace_seconds=reader.number("GRACE_SECONDS", 30, minimum=1, maximum=3600),
        log_level=level,
        secrets={key: value for key in ("SINK_USERNAME", "SINK_PASSWORD") if (value := reader.secret(key))},
    )
    return config, reader.problems


def load_store_settings(env: Mapping[str, str]) -> StoreSettings:
    """Read only how to reach the object store; raises `ConfigError` when it is not set."""
    reader = _Reader(env)
    settings = reader.store()
    if settings is None and not reader.problems:
        reader.problems.append("MINIO_ENDPOINT: not set; give the server's URL, for example http://127.0.0.1:9000")
    if reader.problems or settings is None:
        raise ConfigError(*reader.problems)
    return settings


def read_secret_file(path: Path, name: str, *, is_pem: bool = False) -> str:
    """The text in a secret's file, one line unless it is PEM; raises `ConfigError` with the setting, never its value.

    Raises `FileNotFoundError` when there is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise ConfigError(f"{name}: cannot read {path}: {exc.strerror}") from exc
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: {path} is not text; it must hold the secret and nothing else") from None
    # A header cannot carry more, and clients panic over it.
    if not is_pem and not text.isprintable():
        raise ConfigError(f"{name}: {path} is not one line of text; it must hold the secret and nothing else")
    return text


def read_secret(env: Mapping[str, str], name: str) -> str:
    """A secret from NAME, from the file that NAME_FILE names, or from the mounted secret `name`; "" when unset.

    Raises `ConfigError` for one that cannot be read.
    """
    if value := env.get(name):
        return value
    named = env.get(f"{name}_FILE")
    path = Path(named) if named else Path(env.get("SECRETS_DIR", SECRETS_DIR), name.lower().replace("_", "-"))
    try:
        return read_secret_file(path, name)
    except FileNotFoundError:
        if named:
            raise ConfigError(f"{name}_FILE={named}: no such file") from None
        return ""


class _Reader:
    """Reads values and collects problems instead of stopping at the first."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.problems: list[str] = []

    def number(self, name: str, default: int, *, minimum: int, maximum: int | None = None) -> int:
        text = self.env.get(name, "")
        if not text:
            return default
        upto = f" and at most {maximum}" if maximum is not None else ""
        try:
            value = int(text)
        except ValueError:
            value = minimum - 1
        if value < minimum or (maximum is not None and value > maximum):
            self.problems.append(f"{name}={text!r}: expected a whole number of at least {minimum}{upto}")
            return default
        return value

    def secret(self, name: str) -> str | None:
        """As `read_secret`; None when it could not be read, which is then among the problems, once."""
        try:
            return read_secret(self.env, name)
        except ConfigError as exc:
            problem = str(exc)
        if problem not in self.problems:
            self.problems.append(problem)
        return None

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
        found = _ENDPOINT.fullmatch(endpoint)
        if found is None:
            self.problems.append(f"MINIO_ENDPOINT={endpoint!r}: expected http://HOST:PORT or https://HOST:PORT")
        access_key, secret_key = self.secret("MINIO_ACCESS_KEY"), self.secret("MINIO_SECRET_KEY")
        for name, value in (("MINIO_ACCESS_KEY", access_key), ("MINIO_SECRET_KEY", secret_key)):
            if value == "":
                self.problems.append(
                    f"{name}: not set; set it, or {name}_FILE, or mount the secret {name.lower().replace('_', '-')}"
                )
        ca_file = Path(ca) if (ca := self.env.get("MINIO_CA_FILE", "")) else None
        if ca_file is not None and not ca_file.is_file():
            self.problems.append(f"MINIO_CA_FILE={ca_file}: no such file")
        region = self.env.get("MINIO_REGION", "us-east-1")
        return StoreSettings(found[1] if found else endpoint, access_key or "", secret_key or "", region, ca_file)

    def jobs(self) -> JobSettings:
        """What Jobs need, read only where large objects are handed to them."""
        env = self.env
        image = env.get("JOB_IMAGE", "")
        if not image:
            self.problems.append("JOB_IMAGE: not set; OFFLOAD_ABOVE_... needs the image that Jobs run: this function's")
        made = JobSettings(
            image=image,
            namespace=env.get("JOB_NAMESPACE", ""),
            service_account=env.get("JOB_SERVICE_ACCOUNT", "") or "penstock-job",
            memory=self.quantity("JOB_MEMORY", "512Mi"),
            cpu=self.quantity("JOB_CPU", "1"),
            disk=self.quantity("JOB_DISK", "1Gi"),
            secrets=self.job_secrets(),
            answer_to=env.get("JOB_ANSWER_TO", "") or env.get("K_SINK", ""),
            retries=self.number("JOB_RETRIES", 2, minimum=0, maximum=100),
            deadline_seconds=self.number("JOB_DEADLINE_SECONDS", 6 * 3600, minimum=1),
            ttl_seconds=self.number("JOB_TTL_SECONDS", 24 * 3600, minimum=0),
            cluster={name: env[name] for name in CLUSTER_SETTINGS if env.get(name)},
        )
        if env.get("MINIO_CA_FILE") and "MINIO_CA_FILE" not in made.secrets:
            self.problems.append(
                "JOB_SECRETS: MINIO_CA_FILE is set, so say which Secret has it: MINIO_CA_FILE=minio-ca/ca.crt"
            )
        return made

    def quantity(self, name: str, default: str) -> str:
        text = self.env.get(name, "") or default
        if not _QUANTITY.fullmatch(text):
            self.problems.append(f"{name}={text!r}: expected a Kubernetes quantity such as {default}")
        return text

    def job_secrets(self) -> dict[str, SecretKey]:
        """`MINIO_ACCESS_KEY=secret/key MINIO_CA_FILE=secret/key`; unset: as `faas-cli secret create` names them."""
        text = self.env.get("JOB_SECRETS", "")
        if not text:
            names = [name for name in _SECRET_SETTINGS if name.startswith("MINIO_") or self.secret(name) != ""]
            return {name: SecretKey(file := name.lower().replace("_", "-"), file) for name in names}
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
