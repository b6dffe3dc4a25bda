"""Enforce the cluster's NetworkPolicies with iptables: `python -m tests.components.cluster.policies URL CA TOKEN`.

It runs in the node. It watches pods, namespaces and policies, and renews the rules when one changes. A network plug-in
(attach.py) tells it of each new pod's address and waits until the rules for it are there. The kernel here has no queue
for packets in user space, which the enforcers of other projects need, and the bridge plug-in enforces nothing itself.
"""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3

from tests.components.cluster.attach import SOCKET
from tests.components.cluster.policy_rules import CHAIN, Pod, table

_PATHS = {
    "pods": "/api/v1/pods",
    "namespaces": "/api/v1/namespaces",
    "policies": "/apis/networking.k8s.io/v1/networkpolicies",
}
_WATCH_SECONDS = 300
_ATTACH_SECONDS = 50


class Enforcer:
    """The watched state and the rules made of it."""

    def __init__(self, url: str, ca_file: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._pool = urllib3.PoolManager(ca_certs=ca_file, retries=False, maxsize=8)
        self._state: dict[str, dict[tuple[str, str], dict[str, Any]]] = {name: {} for name in _PATHS}
        self._attached: dict[tuple[str, str], str] = {}
        self._condition = threading.Condition()
        self._asked = 0  # rounds asked for
        self._done = 0  # the round whose rules are in the kernel

    def watch(self, name: str) -> None:
        """Keep one collection up to date, for ever."""
        while True:
            try:
                listed = self._get(_PATHS[name], {})
                with self._condition:
                    self._state[name] = {_key(each): each for each in listed["items"]}
                    self._ask()
                self._follow(name, listed["metadata"]["resourceVersion"])
            except (OSError, ValueError, KeyError, urllib3.exceptions.HTTPError) as error:
                print(f"{name}: {error!r}; listing again", flush=True)
                time.sleep(0.5)

    def attach(self, namespace: str, name: str, address: str) -> bool:
        """Note a pod's address, or that it went; tells whether the rules hold for it."""
        key = (namespace, name)
        with self._condition:
            if not address:
                self._attached.pop(key, None)
                self._ask()
                return True
            self._attached[key] = address
            known = self._condition.wait_for(lambda: key in self._state["pods"], _ATTACH_SECONDS)
            wanted = self._ask()
            return known and self._condition.wait_for(lambda: self._done >= wanted, _ATTACH_SECONDS)

    def enforce(self) -> None:
        """Write the rules whenever something changed, for ever."""
        written = ""
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._asked > self._done)
                asked = self._asked
                text = table(
                    list(self._state["policies"].values()),
                    self._pods(),
                    {name: _labels(each) for (_, name), each in self._state["namespaces"].items()},
                )
            if text != written:
                subprocess.run(["iptables-restore", "--wait", "--noflush"], input=text, text=True, check=True)
                if not written:
                    for hook in ("FORWARD", "INPUT"):
                        subprocess.run(["iptables", "--wait", "-I", hook, "1", "-j", CHAIN], check=True)
                written = text
            with self._condition:
                self._done = asked
                self._condition.notify_all()

    def _ask(self) -> int:
        self._asked += 1
        self._condition.notify_all()
        return self._asked

    def _pods(self) -> list[Pod]:
        found = []
        for key, pod in self._state["pods"].items():
            spec, status = pod["spec"], pod.get("status", {})
            address = self._attached.get(key) or status.get("podIP", "")
            if spec.get("hostNetwork") or not address or status.get("phase") in ("Succeeded", "Failed"):
                continue
            ports = {
                port["name"]: port["containerPort"]
                for container in spec["containers"]
                for port in container.get("ports", [])
                if "name" in port
            }
            found.append(Pod(*key, address, _labels(pod), ports))
        return found

    def _follow(self, name: str, version: str) -> None:
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(_WATCH_SECONDS)}
        timeout = urllib3.Timeout(connect=5, read=_WATCH_SECONDS + 30)
        response = self._pool.request(
            "GET", self._url + _PATHS[name], fields=query, headers=self._headers, preload_content=False, timeout=timeout
        )
        try:
            rest = b""
            for chunk in response.read_chunked():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._take(name, json.loads(line))
        finally:
            response.close()

    def _take(self, name: str, change: Mapping[str, Any]) -> None:
        if change["type"] == "ERROR":
            raise ValueError(change["object"].get("message", "the watch ended"))
        with self._condition:
            if change["type"] == "DELETED":
                self._state[name].pop(_key(change["object"]), None)
            else:
                self._state[name][_key(change["object"])] = change["object"]
            self._ask()

    def _get(self, path: str, query: Mapping[str, str]) -> Any:
        answer = self._pool.request("GET", self._url + path, fields=dict(query), headers=self._headers, timeout=30)
        if answer.status != 200:
            raise ValueError(f"{path}: {answer.status}")
        return json.loads(answer.data)


def _key(document: Mapping[str, Any]) -> tuple[str, str]:
    return document["metadata"].get("namespace", ""), document["metadata"]["name"]


def _labels(document: Mapping[str, Any]) -> Mapping[str, str]:
    labels: Mapping[str, str] = document["metadata"].get("labels") or {}
    return labels


def main(url: str, ca_file: str, token: str) -> None:
    enforcer = Enforcer(url, ca_file, token)

    class Attach(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            pod = json.loads(self.rfile.readline())
            held = enforcer.attach(pod["namespace"], pod["name"], pod["address"])
            self.wfile.write(b"ok\n" if held else b"late\n")

    Path(SOCKET).unlink(missing_ok=True)
    for name in _PATHS:
        threading.Thread(target=enforcer.watch, args=[name], daemon=True).start()
    server = socketserver.ThreadingUnixStreamServer(SOCKET, Attach)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    enforcer.enforce()


if __name__ == "__main__":
    main(*sys.argv[1:])
