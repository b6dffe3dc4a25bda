"""Checks the files that settings name: they exist, only their owner reads credentials, a CA file has a certificate."""

import os
import re
import ssl
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from penstock.doctor.finding import Finding, Grade
from penstock.settings.every_setting import SETTINGS
from penstock.settings.table import KUBECONFIG

_OF_THE_STACK: Final = ("password", "events-token", "store-secret", "store.json")
# librdkafka's own names of files: ssl.ca.location, ssl.key.location and others; `probe` is a word and not a file.
_OF_KAFKA: Final = re.compile("KAFKA_SSL_[A-Z_]+_LOCATION")


def named_files(env: Mapping[str, str]) -> list[tuple[str, Path]]:
    """The variables of `env` that name a file, each with its file, in the order of their names."""
    found = {name: env[name] for name in env if env[name] and _names_a_file(name)}
    if kubeconfig := found.get(KUBECONFIG.name):
        found[KUBECONFIG.name] = kubeconfig.split(os.pathsep)[0]
    return [(name, Path(path)) for name, path in sorted(found.items()) if path != "probe"]


def _names_a_file(name: str) -> bool:
    if name == KUBECONFIG.name or _OF_KAFKA.fullmatch(name):
        return True
    if not name.endswith("_FILE"):
        return False
    held = name.removesuffix("_FILE")
    for setting in SETTINGS:
        before, placeholder, _ = setting.name.partition("<NAME>")
        if name == setting.name or (placeholder and before != "OPTION_" and held.startswith(before)):
            return True
        if setting.is_secret and held == setting.name:
            return True
    return False


def examine_files(env: Mapping[str, str], data: Path, ca_file: Path | None = None) -> Iterator[Finding]:
    """A finding for each file that is wrong or that others may read; one for all credentials that are right.

    `ca_file` is what `--ca-file` names. The files of the local stack in `data` need no variable.
    """
    stack = [(name, data / name) for name in _OF_THE_STACK if (data / name).exists()]
    given = [("--ca-file", ca_file)] if ca_file else []
    right = 0
    for name, path in (*given, *named_files(env), *stack):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError as exc:
            yield Finding(Grade.PROBLEM, name, f"{path}: {exc.strerror}", "name a file that is there")
            continue
        if name.lower().replace("_", "-").endswith("ca-file"):
            yield _authority(name, path)
        elif _OF_KAFKA.fullmatch(name):  # certificates may be read by all, and keys may have a password
            yield Finding(Grade.GOOD, name, f"{path} is there")
        elif mode & 0o007:
            text = f"{path}: every user of this machine may read or write it (mode {mode:o})"
            yield Finding(Grade.PROBLEM, name, text, f"chmod 600 {path}")
        elif mode & 0o070:
            yield Finding(Grade.NOTE, name, f"{path}: its group may read or write it (mode {mode:o})")
        else:
            right += 1
    if right:
        yield Finding(Grade.GOOD, "credentials", f"{right} {'file' if right == 1 else 'files'}, for their owner only")


def _authority(name: str, path: Path) -> Finding:
    """Whether the file has the certificate of an authority, as a TLS client reads it."""
    try:
        ssl.create_default_context(cafile=path)
    except OSError as exc:
        why = "holds no certificate" if isinstance(exc, ssl.SSLError) else exc.strerror
        return Finding(Grade.PROBLEM, name, f"{path}: {why}", "name a PEM file with the certificate of a CA")
    return Finding(Grade.GOOD, name, f"{path} holds a certificate")
