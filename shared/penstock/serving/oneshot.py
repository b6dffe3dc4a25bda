"""The settings of one function on one object, once.

They understand the variables of the compressor that `penstock run` replaces: ENDPOINT, ENDPOINT_SSL,
ACCESS_KEY_ID and ACCESS_KEY_SECRET.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from penstock.errors import ConfigError
from penstock.handler.loading import load_module, make_function
from penstock.serving.wiring import function_config, problems_of_handler
from penstock.settings.config import Config, SourceRule, bucket_problem
from penstock.sinks.address import parse_sink
from penstock.sinks.wiring import contradictions
from penstock.types import ObjectRef

_ALIASES = {"ACCESS_KEY_ID": "MINIO_ACCESS_KEY", "ACCESS_KEY_SECRET": "MINIO_SECRET_KEY"}


def oneshot_config(
    folder: Path, ref: ObjectRef, env: Mapping[str, str], *, stack: Path | None = None, target: str | None = None
) -> Config:
    """The function's settings for one object; `target` is a bucket for the result, instead of SINK's.

    Raises `ConfigError` with the problems found.
    """
    config = function_config(folder, _settings(env), stack)
    # The pattern of SOURCE stays where it takes the object: SINK may name the same bucket with another suffix.
    given = {"--from": ref.bucket, "--to": target}
    problems = [f"{flag}: {problem}" for flag, name in given.items() if name and (problem := bucket_problem(name))]
    if problems:
        raise ConfigError(*problems)
    if not config.takes(ref):
        config = replace(config, sources=(SourceRule(ref.bucket),))
    if target is not None:
        config = replace(config, sink=_sink_in(target, folder, config))
    if not config.sink:
        raise ConfigError("say where the result goes: -t BUCKET, SINK, or --stack stack.yml")
    if config.store is None:
        raise ConfigError(
            "MINIO_ENDPOINT: not set; say where the object store is: ENDPOINT=HOST:PORT, or its URL; "
            "or start `penstock up` in this folder",
            *contradictions(config, has_store=True),
            *problems_of_handler(folder, config),
        )
    return config


def _settings(env: Mapping[str, str]) -> dict[str, str]:
    settings = {**{_ALIASES[name]: value for name, value in env.items() if name in _ALIASES}, **env}
    if endpoint := env.get("ENDPOINT", ""):
        settings.setdefault("MINIO_ENDPOINT", endpoint if "://" in endpoint else f"{_scheme(env)}://{endpoint}")
    # A Job that hands its object to a Job would never end.
    return settings | {"OFFLOAD_ABOVE_BYTES": "", "OFFLOAD_ABOVE_SECONDS": ""}


def _scheme(env: Mapping[str, str]) -> str:
    """What ENDPOINT_SSL says; a word that it does not know must not end in an unencrypted connection."""
    text = env.get("ENDPOINT_SSL", "")
    if text.lower() in ("1", "true", "yes"):
        return "https"
    if text.lower() not in ("", "0", "false", "no"):
        raise ConfigError(f"ENDPOINT_SSL={text!r}: expected true or false")
    return "http"


def _sink_in(bucket: str, folder: Path, config: Config) -> str:
    """The SINK for another bucket: with the keys of SINK, else with the source's key and the function's suffix."""
    if config.sink and (sink := parse_sink(config.sink).in_bucket(bucket)):
        return sink
    function = make_function(load_module(folder), config)
    suffix = function.target_suffix(function.renditions[None]) if function.target_suffix else ""
    return f"s3://{bucket}/{{key}}{suffix}"
