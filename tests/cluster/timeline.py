"""What happens between an upload and its result when the function is at zero, step by step."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import urllib3

from tests.cluster.lake import ClusterLake

_TICKS = os.sysconf("SC_CLK_TCK")


class PodWatch:
    """Notes when pods of the namespace change, by this machine's clock, from the API server's own stream."""

    def __init__(self, lake: ClusterLake) -> None:
        self._endpoint, self._namespace = lake.server.endpoint, lake.namespace
        self.changes: list[tuple[float, str, dict[str, Any]]] = []
        self._begun = threading.Event()
        self._ended = False
        threading.Thread(target=self._follow, daemon=True).start()
        assert self._begun.wait(30), "the watch of the pods did not begin"

    def stop(self) -> None:
        self._ended = True

    def first(self, function: str, what: str) -> float:
        """When a new pod of a function was first `made`, `scheduled`, or `ready`; seconds since 1970."""
        for at, kind, pod in self.changes:
            if pod["metadata"]["labels"].get("app.kubernetes.io/name") != function:
                continue
            conditions = {each["type"]: each["status"] for each in pod.get("status", {}).get("conditions", [])}
            seen = {
                "made": kind == "ADDED",
                "scheduled": bool(pod["spec"].get("nodeName")),
                "ready": conditions.get("Ready") == "True",
            }
            if seen[what]:
                return at
        raise AssertionError(f"no pod of {function} was {what}")

    def most_at_once(self, function: str, component: str = "function") -> int:
        """The largest number of pods of a function that existed at the same time and were not being deleted."""
        alive: set[str] = set()
        most = 0
        for _, kind, pod in self.changes:
            labels = pod["metadata"]["labels"]
            if labels.get("app.kubernetes.io/name") != function:
                continue
            if labels.get("app.kubernetes.io/component") != component:
                continue
            if kind == "DELETED" or pod["metadata"].get("deletionTimestamp"):
                alive.discard(pod["metadata"]["name"])
            else:
                alive.add(pod["metadata"]["name"])
            most = max(most, len(alive))
        return most

    def restarts(self, function: str) -> list[int]:
        """How often containers of a function's pods were started again, as each change says."""
        return [
            status["restartCount"]
            for _, _, pod in list(self.changes)
            if pod["metadata"]["labels"].get("app.kubernetes.io/name") == function
            for status in pod.get("status", {}).get("containerStatuses", [])
        ]

    def _follow(self) -> None:
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        headers = {"Authorization": f"Bearer {self._endpoint.token}"}
        with urllib3.PoolManager(ca_certs=str(self._endpoint.ca_file), retries=False) as pool:
            version = self._endpoint.request("GET", path)["metadata"]["resourceVersion"]
            url = f"{self._endpoint.url}{path}?watch=1&resourceVersion={version}"
            response = pool.request("GET", url, headers=headers, preload_content=False)
            self._begun.set()
            rest = b""
            for chunk in response.read_chunked():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    change = json.loads(line)
                    self.changes.append((time.time(), change["type"], change["object"]))
                if self._ended:
                    response.close()
                    return


class BridgeWatch(threading.Thread):
    """Notes when the bridge takes its next event, by its own count, which is asked for again and again."""

    def __init__(self, lake: ClusterLake) -> None:
        super().__init__(daemon=True)
        self._lake = lake
        self._before = self._received()
        self.took_at = 0.0
        self.start()

    def run(self) -> None:
        while self._received() == self._before:
            time.sleep(0.02)
        self.took_at = time.time()

    def _received(self) -> float:
        return value_of(metrics(self._lake, "penstock-bridge-0"), "penstock_bridge_received_total")


def process_started(lake: ClusterLake, command: str, since: float) -> float:
    """When the first process with this command line began that is younger than `since`; seconds since 1970.

    proc(5): field 22 of `stat` counts ticks since the machine started, and `btime` of /proc/stat is in seconds,
    so the clock that counts from the start is read instead.
    """
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            group = (folder / "cgroup").read_text(encoding="ascii")
        except OSError:  # it ended meanwhile
            continue
        began = booted + int(fields[19]) / _TICKS
        if words == command and lake.server.group in group and began > since:
            found.append(began)
    return min(found)


def metrics(lake: ClusterLake, pod: str) -> Mapping[str, float]:
    """The function's own metrics in a pod: names with their labels, and values."""
    path = f"/api/v1/namespaces/{lake.namespace}/pods/{pod}:8080/proxy/metrics"
    text = lake.server.endpoint.request("GET", path)
    pairs = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def value_of(found: Mapping[str, float], name: str) -> float:
    """The sum of one metric over its labels."""
    return sum(value for key, value in found.items() if re.fullmatch(rf"{name}(\{{.*\}})?", key))


def is_processed(log: str, key: str) -> bool:
    """Whether the function has said that it had processed an object."""
    try:
        return processed_at(log, key) > 0
    except AssertionError:
        return False


def processed_at(log: str, key: str) -> float:
    """When the function said that it had processed an object, by its own log."""
    for line in log.splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if entry.get("outcome") == "processed" and f"/{key}:" in entry.get("message", ""):
            return datetime.fromisoformat(entry["time"]).timestamp()
    raise AssertionError(f"{key}: not processed in\n{log}")
