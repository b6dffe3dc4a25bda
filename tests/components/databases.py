"""A real MariaDB, with one user and one database."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.components.errors import ComponentError
from tests.components.install import ensure_debian_package
from tests.components.process import LOOPBACK, Server, free_ports


@dataclass(frozen=True, slots=True)
class DatabaseEndpoint:
    """What a client needs."""

    host: str
    port: int
    username: str
    password: str
    database: str


class MariadbServer(Server[DatabaseEndpoint]):
    """MariaDB, which speaks MySQL's protocol."""

    name = "mariadb"

    def install(self) -> None:
        self._program = ensure_debian_package("mariadb-server", "mariadbd")
        self._client = ensure_debian_package("mariadb-client", "mariadb")
        self._setup = ensure_debian_package("mariadb-server", "mariadb-install-db")

    def prepare(self) -> DatabaseEndpoint:
        (self.port,) = free_ports(1)
        endpoint = DatabaseEndpoint(LOOPBACK, self.port, "lake", "maria-secret", "events")
        self._user = pwd.getpwuid(os.geteuid()).pw_name
        options = [f"--datadir={self.folder / 'data'}", f"--user={self._user}", "--skip-test-db"]
        # A Unix socket's path has at most 107 bytes.
        self._socket = Path(tempfile.gettempdir()) / f"penstock-mariadb-{self.port}.sock"
        self.run_to_end("mariadb-install-db", [self._setup, "--no-defaults", *options])
        account = f"'{endpoint.username}'@'{LOOPBACK}'"
        (self.folder / "start.sql").write_text(
            f"CREATE DATABASE IF NOT EXISTS {endpoint.database};\n"
            f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{endpoint.password}';\n"
            f"GRANT ALL ON {endpoint.database}.* TO {account};\n",
            encoding="utf-8",
        )
        return endpoint

    def launch(self) -> None:
        options = [
            f"--datadir={self.folder / 'data'}",
            f"--user={self._user}",
            f"--bind-address={LOOPBACK}",
            f"--port={self.port}",
            f"--socket={self._socket}",
            f"--init-file={self.folder / 'start.sql'}",
            "--skip-name-resolve",
        ]
        self.run("mariadb", [self._program, "--no-defaults", *options])

    def is_ready(self) -> bool:
        return self.listens_on(self.port) and self._run("SELECT 1").returncode == 0

    def query(self, statement: str) -> str:
        """What `mariadb` prints, without headings."""
        done = self._run(statement)
        if done.returncode != 0:
            raise ComponentError(f"mariadb: {statement}: {done.stderr}")
        return done.stdout

    def _run(self, statement: str) -> subprocess.CompletedProcess[str]:
        told = self.endpoint
        where = ["-h", told.host, "-P", str(told.port), "-u", told.username, "-D", told.database]
        env = {**os.environ, "MYSQL_PWD": told.password}
        command = [str(self._client), "--no-defaults", *where, "-N", "-B", "-r", "-e", statement]
        return subprocess.run(command, env=env, check=False, capture_output=True, text=True)
