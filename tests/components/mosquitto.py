"""A real Mosquitto MQTT broker with persistence."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.components.install import ensure_debian_package
from tests.components.process import LOOPBACK, Server, free_ports


@dataclass(frozen=True, slots=True)
class MosquittoEndpoint:
    """What a client needs; without credentials the broker takes anonymous clients."""

    host: str
    port: int
    username: str | None
    password: str | None

    @property
    def url(self) -> str:
        """As MinIO's MQTT target writes it."""
        return f"tcp://{self.host}:{self.port}"


class MosquittoServer(Server[MosquittoEndpoint]):
    """Mosquitto; `credentials` is a user name and password to demand, `config` are more lines of mosquitto.conf."""

    name = "mosquitto"

    def __init__(
        self,
        folder: Path | None = None,
        *,
        credentials: tuple[str, str] | None = None,
        config: Sequence[str] = (),
    ) -> None:
        super().__init__(folder)
        self._credentials = credentials
        self._extra_config = list(config)

    def install(self) -> None:
        self._program = ensure_debian_package("mosquitto")

    def prepare(self) -> MosquittoEndpoint:
        (self.port,) = free_ports(1)
        username, password = self._credentials or (None, None)
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        lines = [
            f"listener {self.port} {LOOPBACK}",
            f"user {getpass.getuser()}",  # as root it would become user mosquitto, who cannot write here
            "persistence true",
            f"persistence_location {data}/",
            "autosave_interval 1",
            # With the line above: saved after every change. PUBACK goes out first, so a kill -9 between the two loses
            # an acknowledged message (seen in the tests); `saved` tells a test when the moment is over.
            "autosave_on_changes true",
            "max_queued_messages 0",
            *self._extra_config,
        ]
        if username and password:
            passwords = self.folder / "passwords"
            tool = ensure_debian_package("mosquitto", "mosquitto_passwd")
            subprocess.run([tool, "-c", "-b", passwords, username, password], check=True, capture_output=True)
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        else:
            lines += ["allow_anonymous true"]
        self._config = self.folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return MosquittoEndpoint(LOOPBACK, self.port, username, password)

    def launch(self) -> None:
        self.run("mosquitto", [self._program, "-v", "-c", self._config])

    def saved(self, text: bytes) -> bool:
        """Tell whether the saved state holds these bytes, such as a payload (the file is replaced as a whole)."""
        file = self.folder / "data" / "mosquitto.db"
        return file.exists() and text in file.read_bytes()

    def is_ready(self) -> bool:
        return self.listens_on(self.port)
