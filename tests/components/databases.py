"""Real databases: PostgreSQL and MariaDB, each with one user and one database."""

from __future__ import annotations

import os
import pwd
import shutil
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


class PostgresServer(Server[DatabaseEndpoint]):
    """PostgreSQL. It refuses to run as root, so as root it runs as the package's own user, in a folder of its own."""

    name = "postgresql"

    def install(self) -> None:
        self._psql = ensure_debian_package("postgresql", "psql")
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not found:
            raise ComponentError("postgresql: only the client is there; install it with: apt-get install postgresql")
        self._bin = found[-1].parent

    def prepare(self) -> DatabaseEndpoint:
        (self.port,) = free_ports(1)
        endpoint = DatabaseEndpoint(LOOPBACK, self.port, "lake", "it's secret", "events")
        self._data = Path(tempfile.mkdtemp(prefix="penstock-postgresql-"))  # the tests' folders are for root alone
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self._data, user.pw_uid, user.pw_gid)
            # A change of user takes the death signal away, so it is set again.
            ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            self._as_user = ["setpriv", *ids, "--pdeathsig", "KILL", "--"]
        secret = self._data / "password"
        secret.write_text(endpoint.password, encoding="utf-8")
        secret.chmod(0o644)
        options = ["-U", endpoint.username, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--no-sync"]
        self.run_to_end("initdb", [*self._as_user, str(self._bin / "initdb"), "-D", str(self._data / "db"), *options])
        return endpoint

    def launch(self) -> None:
        settings = [f"listen_addresses={LOOPBACK}", f"port={self.port}", f"unix_socket_directories={self._data}"]
        words = [word for setting in settings for word in ("-c", setting)]
        self.run("postgresql", [*self._as_user, str(self._bin / "postgres"), "-D", str(self._data / "db"), *words])

    def is_ready(self) -> bool:
        if not self.listens_on(self.port):
            return False
        made = self._run("postgres", f"CREATE DATABASE {self.endpoint.database}")
        return made.returncode == 0 or "already exists" in made.stderr

    def query(self, statement: str) -> str:
        """What `psql` prints, without headings."""
        done = self._run(self.endpoint.database, statement)
        if done.returncode != 0:
            raise ComponentError(f"postgresql: {statement}: {done.stderr}")
        return done.stdout

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self._data, ignore_errors=True)

    def _run(self, database: str, statement: str) -> subprocess.CompletedProcess[str]:
        where = ["-h", LOOPBACK, "-p", str(self.port), "-U", self.endpoint.username, "-d", database]
        env = {**os.environ, "PGPASSWORD": self.endpoint.password}
        command = [str(self._psql), *where, "-XAtc", statement]
        return subprocess.run(command, env=env, check=False, capture_output=True, text=True)


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
