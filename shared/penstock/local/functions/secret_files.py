"""The secrets of the local stack, one file each, and the folder in which a function finds those that it lists.

On OpenFaaS a function finds them in /var/openfaas/secrets. Here the setting SECRETS_DIR names a folder of its own, with
a link for each secret in its list, so that it never finds another's, and a secret that was changed is new at once.
"""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final

from penstock.errors import EventError, PermanentError
from penstock.settings.stackfile import FunctionSpec

# A Kubernetes Secret's name: a DNS subdomain (RFC 1123). It has no slash and does not begin with a dot.
_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
MAX_BYTES: Final = 1024 * 1024  # Kubernetes' limit


class NoSuchSecret(PermanentError):
    """The local gateway keeps no secret of that name.

    To do: `faas-cli secret list` says which there are.
    """

    status = HTTPStatus.NOT_FOUND


class SecretExists(PermanentError):
    """A secret of that name is kept, or is the local stack's own.

    To do: `faas-cli secret update` changes it.
    """

    status = HTTPStatus.CONFLICT


class SecretFiles:
    """Secrets in `folder`, readable by their owner only. `own` are the stack's, by name, which no caller changes."""

    def __init__(self, folder: Path, own: Mapping[str, str]) -> None:
        self._kept = folder / "kept"
        self._mounts = folder / "functions"
        for each in (folder, self._kept, self._mounts):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._own = frozenset(own)
        for name, text in own.items():
            self._write(name, text.encode())

    def names(self) -> list[str]:
        """All of them, in order."""
        return sorted(path.name for path in self._kept.iterdir() if not path.name.startswith("."))

    def create(self, name: str, value: bytes) -> None:
        """Raises `EventError` for what Kubernetes would refuse, and `SecretExists`."""
        self._check(name, value)
        if name in self.names():
            raise SecretExists(f"secret {name}: exists already; faas-cli secret update changes it")
        self._write(name, value)

    def replace(self, name: str, value: bytes) -> None:
        """Raises `EventError`, `NoSuchSecret`, and `SecretExists` for the stack's own."""
        self._check(name, value)
        self._path(name)
        self._write(name, value)

    def remove(self, name: str) -> None:
        """Raises `NoSuchSecret`, and `SecretExists` for the stack's own."""
        self._path(name).unlink(missing_ok=True)

    def missing(self, names: tuple[str, ...]) -> list[str]:
        """Those of `names` that are not kept."""
        kept = self.names()
        return [name for name in names if name not in kept]

    def mount(self, spec: FunctionSpec) -> Path:
        """The folder with what the function lists, made anew."""
        folder = self._mounts / spec.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        for name in spec.secrets:
            if _NAME.fullmatch(name):
                with contextlib.suppress(FileExistsError):  # listed twice
                    (folder / name).symlink_to(self._kept / name)
        return folder

    def _check(self, name: str, value: bytes) -> None:
        if not _NAME.fullmatch(name):
            raise EventError(f"secret {name[:60]!r}: a name has lower-case letters, digits, - and ., as in a DNS name")
        if len(value) > MAX_BYTES:
            raise EventError(f"secret {name}: has {len(value)} bytes; Kubernetes takes at most {MAX_BYTES}")

    def _path(self, name: str) -> Path:
        """The file of one that callers may change."""
        if name not in self.names():
            raise NoSuchSecret(f"secret {name[:60]!r}: is not kept; faas-cli secret list shows those that are")
        if name in self._own:
            raise SecretExists(f"secret {name}: is that of the stack's own store; set it where the store is set")
        return self._kept / name

    def _write(self, name: str, value: bytes) -> None:
        """Whole or not at all."""
        made = self._kept / f".{secrets.token_hex(8)}"
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(value)
        made.replace(self._kept / name)
