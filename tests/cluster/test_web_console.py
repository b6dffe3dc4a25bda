"""The console's Deployment, as docs/console.md makes it: a login, functions at 0 and at 1, objects, dead letters.

The last file of the folder: it starts the bridge anew, and tests/cluster/test_scale_to_zero.py looks at its first pod.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.lake import FUNCTIONS, NAMESPACE, ClusterLake
from tests.cluster.pages import block_with
from tests.cluster.test_networks_and_rights import kept_awake
from tests.components.process import free_ports
from tests.remote_console import ask

_PAGE = "console.md"


class Console:
    """The page's answers, through `kubectl port-forward`."""

    def __init__(self, port: int, password: str) -> None:
        self._port = port
        self.login = "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()

    def status(self, path: str, login: str = "") -> int:
        """The status of an answer, 0 when the port does not lead anywhere yet."""
        try:
            return ask(self._port, "GET", path, **({"Authorization": login} if login else {})).status
        except OSError:
            return 0

    def told(self, path: str) -> Any:
        answer = ask(self._port, "GET", path, Authorization=self.login)
        assert answer.status == 200, answer.text
        return answer.json

    def replicas(self) -> dict[str, int]:
        return {each["name"]: each["replicas"] for each in self.told("/ui/state")["functions"]}


@pytest.fixture(scope="module")
def console(lake: ClusterLake) -> Iterator[Console]:
    lake.run(block_with(_PAGE, 'echo "user admin, password'))
    forward = block_with(_PAGE, "port-forward service/penstock-console").split()
    assert forward[0] == "kubectl"
    (port,) = free_ports(1)
    words = [f"{port}:80" if each == "8090:80" else each for each in forward[1:]]
    program = [str(lake.server.programs.kubernetes / "kubectl"), f"--kubeconfig={lake.server.endpoint.kubeconfig}"]
    password = base64.b64decode(
        lake.kubectl("-n", NAMESPACE, "get", "secret", "console-password", "-o", "jsonpath={.data.console-password}")
    ).decode()
    with subprocess.Popen([*program, *words], stdout=subprocess.DEVNULL) as forwarding:
        try:
            made = Console(port, password)
            lake.wait_until(lambda: made.status("/ui/state", made.login) == 200, "the console answers")
            yield made
        finally:
            forwarding.terminate()


def test_console_asks_for_a_password(console: Console) -> None:
    assert console.status("/ui/state") == 401
    other = Console(0, "other").login
    assert console.status("/ui/state", other) == 401
    assert console.told("/ui/state")["writes"] is False


def test_functions_are_seen_at_zero_and_at_one_and_looking_wakes_none(lake: ClusterLake, console: Console) -> None:
    lake.wait_until(lambda: console.replicas() == dict.fromkeys(FUNCTIONS, 0), "the console shows all at zero", 300)
    with kept_awake(lake, "index"):
        lake.wait_until(lambda: console.replicas()["index"] == 1, "the console shows index at one")
        assert console.replicas()["compress"] == 0
    lake.wait_until(lambda: console.replicas()["index"] == 0, "the console shows index at zero again", 300)


def test_object_and_what_became_of_it_are_seen(lake: ClusterLake, console: Console) -> None:
    lake.put("upload", "console/seen.csv", b"a,b\n" * 100)

    def keys(bucket: str) -> list[str]:
        return [each["key"] for each in console.told(f"/ui/folder?bucket={bucket}&prefix=console/")["objects"]]

    lake.wait_until(lambda: keys("processed") == ["console/seen.csv.gz"], "the console shows the result")
    assert keys("upload") == ["console/seen.csv"]
    # The bridge tells of the attempt that handed the event to the Broker.
    about = "/ui/about?bucket=upload&key=console/seen.csv"
    lake.wait_until(lambda: bool(console.told(about)["attempts"]), "the console shows the attempt")


def test_dead_letter_is_seen_with_its_reason(lake: ClusterLake, console: Console) -> None:
    key = "console/not a picture.jpg"
    lake.put("images", key, b"this is text")

    def letters() -> list[dict[str, Any]]:
        return [each for each in console.told("/ui/dead")["letters"] if each["object"] == f"images/{key}"]

    lake.wait_until(lambda: bool(letters()), "the console shows the dead letter")
    assert f"resize.{NAMESPACE}" in letters()[0]["reason"]
