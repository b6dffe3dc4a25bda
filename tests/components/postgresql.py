"""A real PostgreSQL, Debian's own, with a password for its one role and, if wanted, TLS."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from tests.components.certificates import make_certificates
from tests.components.errors import ComponentError
from tests.components.install import ensure_debian_package, require
from tests.components.process import LOOPBACK, Server, free_ports

_ROLE = "penstock"
_PASSWORD = "a password of the tests"


@dataclass(frozen=True, slots=True)
class PostgresEndpoint:
    """What a client needs; `ca_file` is None for a server without TLS."""

    host: str
    port: int
    username: str
    password: str
    database: str
    ca_file: Path | None

    @property
    def url(self) -> str:
        """The beginning of a SINK: a table's name follows."""
        return f"postgresql://{self.host}:{self.port}/{self.database}"

    def run(self, statement: str, database: str | None = None, **values: object) -> list[list[Any]]:
        """Run one statement over a connection of its own."""
        context = ssl.create_default_context(cafile=str(self.ca_file)) if self.ca_file else None
        connection = Connection(
            self.username,
            host=self.host,
            port=self.port,
            database=database or self.database,
            password=self.password,
            ssl_context=context,
            timeout=60,
        )
        with contextlib.closing(connection):
            rows: list[list[Any]] | None = connection.run(statement, **values)
            return rows or []


class PostgresServer(Server[PostgresEndpoint]):
    """PostgreSQL; `tls` serves TLS with a certificate of a new authority."""

    name = "postgresql"

    def __init__(self, folder: Path | None = None, *, tls: bool = False) -> None:
        super().__init__(folder)
        self._tls = tls
        # PostgreSQL does not run as root, and its own user cannot come through the folders of root's tests.
        self._user = "postgres" if os.geteuid() == 0 else getpass.getuser()
        self._home = Path(tempfile.mkdtemp(prefix="penstock-postgresql-"))
        self._data = self._home / "data"
        shutil.chown(self._home, self._user)

    def install(self) -> None:
        ensure_debian_package("postgresql", "pg_lsclusters")
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
        if not found:
            raise ComponentError("postgresql: no /usr/lib/postgresql/*/bin/postgres; install Debian's postgresql")
        self._programs = found[-1].parent

    def prepare(self) -> PostgresEndpoint:
        (self.port,) = free_ports(1)
        self._certificates = make_certificates(self._home / "tls") if self._tls else None
        if self._certificates:
            shutil.chown(self._certificates.key_file, self._user)
        if not self._data.exists():
            password = self._home / "password"
            password.write_text(_PASSWORD + "\n", encoding="ascii")
            self.run_to_end(
                "initdb",
                [
                    *self._as_user(),
                    self._programs / "initdb",
                    *("--pgdata", self._data, "--username", _ROLE, "--pwfile", password, "--auth", "scram-sha-256"),
                    *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
                ],
            )
        ca_file = self._certificates.ca_file if self._certificates else None
        return PostgresEndpoint(LOOPBACK, self.port, _ROLE, _PASSWORD, "postgres", ca_file)

    def launch(self) -> None:
        settings = {
            "port": self.port,
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "fsync": "off",  # the machine stays up; a killed server loses nothing by it
            "shared_buffers": "16MB",
        }
        if self._certificates:
            files = {"ssl_cert_file": self._certificates.cert_file, "ssl_key_file": self._certificates.key_file}
            settings |= {"ssl": "on", **{name: str(file) for name, file in files.items()}}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.run("postgres", [*self._as_user(), self._programs / "postgres", "-D", self._data, *words])

    def is_ready(self) -> bool:
        if not self.listens_on(self.port):
            return False
        try:
            return self.endpoint.run("SELECT 1") == [[1]]
        except (DatabaseError, InterfaceError, OSError):
            return False

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _stop_children(self) -> None:
        for child in reversed(self.children):
            child.signal(signal.SIGINT)  # a fast shutdown; SIGTERM would wait for the clients
            child.wait(30)

    def _as_user(self) -> list[str | Path]:
        """The start of a command line that runs as the server's user, in a folder which that user can enter."""
        enter: list[str | Path] = ["env", f"--chdir={self._home}"]
        if os.geteuid() != 0:
            return enter
        # Changing the user takes the parent's death signal away (prctl(2)), so it is asked for again.
        change = ["--reuid", self._user, "--regid", self._user, "--clear-groups", "--pdeathsig", "KILL"]
        return [*enter, require("setpriv", "util-linux"), *change, "--"]
