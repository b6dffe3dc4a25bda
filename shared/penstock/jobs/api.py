"""The only module that calls Kubernetes: a few REST requests over urllib3, which minio-py needs too.

https://kubernetes.io/docs/reference/using-api/api-concepts/. Why not the official client: docs/adr/.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from penstock.errors import TemporaryError
from penstock.jobs.access import ClusterAccess
from penstock.jobs.pod import Document
from penstock.json_text import read_json

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_PAGE = 500


class KubernetesError(TemporaryError):
    """The Kubernetes API refused a request or did not answer.

    `code` is the HTTP status, 0 for no answer; `reason` is the API's own.

    A forbidden request is temporary too: an operator may mend the Role, and the event must not be lost by then.

    To do: see its reason.
    """

    def __init__(self, message: str, code: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class Watch(Protocol):
    """Changes as they come, until the server ends the watch; raises `KubernetesError`, code 410: list again."""

    def __iter__(self) -> Iterator[tuple[str, Document]]:
        """ADDED, MODIFIED, DELETED or BOOKMARK, and the Job as it is then."""

    def close(self) -> None:
        """End it; any thread may call this."""


class JobsApi(Protocol):
    """The requests that are made to Kubernetes. Every method raises `KubernetesError`."""

    namespace: str

    def job_url(self, name: str) -> str:
        """The URL of a Job."""

    def create_job(self, manifest: Document) -> Document:
        """Create a Job; code 409 when one of this name exists."""

    def get_job(self, name: str) -> Document:
        """Read a Job; code 404 when there is none."""

    def list_jobs(self, selector: str) -> tuple[list[Document], str]:
        """All Jobs that a label selector takes, and the resource version to watch from."""

    def watch_jobs(self, selector: str, version: str, timeout_seconds: int) -> Watch:
        """Follow what changes after a resource version."""

    def patch_job(self, name: str, patch: Document) -> Document:
        """Apply a JSON merge patch; code 409 when its resourceVersion or uid is not the present one."""

    def delete_job(self, name: str, uid: str) -> None:
        """Delete a Job after its pods (Foreground); one that is gone is fine."""

    def pods_of(self, job: str) -> list[Document]:
        """The pods of a Job, oldest first."""

    def log_of(self, pod: str, tail_lines: int) -> str:
        """The end of a pod's log."""


class KubernetesApi:
    """`JobsApi` over HTTP, for one namespace. Safe to use from several threads."""

    def __init__(self, access: ClusterAccess) -> None:
        import urllib3

        self.namespace = access.namespace
        self._access = access
        self._root = f"{access.server}/apis/batch/v1/namespaces/{quote(access.namespace)}/jobs"
        self._pods = f"{access.server}/api/v1/namespaces/{quote(access.namespace)}/pods"
        self._pool = urllib3.PoolManager(
            # As many threads as a function may have: urllib3 warns about each connection that it cannot keep.
            maxsize=1024,
            ssl_context=access.ssl_context(),
            retries=False,
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
        )

    def job_url(self, name: str) -> str:
        return f"{self._root}/{quote(name)}"

    def create_job(self, manifest: Document) -> Document:
        # Strict: the server must refuse a field that it does not know, not drop it.
        return self._json("POST", f"{self._root}?fieldValidation=Strict", manifest)

    def get_job(self, name: str) -> Document:
        return self._json("GET", self.job_url(name))

    def list_jobs(self, selector: str) -> tuple[list[Document], str]:
        found: list[Document] = []
        version = ""
        for page in self._pages(self._root, selector):
            found += page.get("items") or []
            version = str(page["metadata"]["resourceVersion"])
        return found, version

    def watch_jobs(self, selector: str, version: str, timeout_seconds: int) -> Watch:
        import urllib3

        query = {
            "watch": "1",
            "labelSelector": selector,
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(timeout_seconds),
        }
        # A quiet watch sends nothing; the server ends it in time, and past that the connection is dead.
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=timeout_seconds + _READ_SECONDS)
        return _Watch(self._send("GET", f"{self._root}?{urlencode(query)}", stream=True, timeout=timeout))

    def patch_job(self, name: str, patch: Document) -> Document:
        return self._json("PATCH", self.job_url(name), patch, content_type="application/merge-patch+json")

    def delete_job(self, name: str, uid: str) -> None:
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground",
            "preconditions": {"uid": uid},
        }
        try:
            self._json("DELETE", self.job_url(name), options)
        except KubernetesError as exc:
            if exc.code != 404:
                raise

    def pods_of(self, job: str) -> list[Document]:
        query = urlencode({"labelSelector": f"batch.kubernetes.io/job-name={job}"})
        pods: list[Document] = self._json("GET", f"{self._pods}?{query}").get("items") or []
        return sorted(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))

    def log_of(self, pod: str, tail_lines: int) -> str:
        response = self._send("GET", f"{self._pods}/{quote(pod)}/log?tailLines={tail_lines}")
        return bytes(response.data).decode("utf-8", "replace")

    def list_of(self, group: str, kind: str, selector: str) -> list[Document]:
        """All objects of one kind: `group` is as in its apiVersion (`apps/v1`), `kind` its plural in lower case.

        Raises `KubernetesError`, code 404 where the cluster does not have this kind.
        """
        root = f"{self._access.server}/apis/{group}/namespaces/{quote(self.namespace)}/{kind}"
        return [each for page in self._pages(root, selector) for each in page.get("items") or []]

    def pods(self, selector: str) -> list[Document]:
        """The pods that a label selector takes."""
        return self._json("GET", f"{self._pods}?{urlencode({'labelSelector': selector})}").get("items") or []

    def _pages(self, root: str, selector: str) -> Iterator[Document]:
        """The pages of what a label selector takes at `root`."""
        query = {"labelSelector": selector, "limit": str(_PAGE)}
        while True:
            page = self._json("GET", f"{root}?{urlencode(query)}")
            yield page
            query["continue"] = page["metadata"].get("continue", "")
            if not query["continue"]:
                return

    def _json(
        self, method: str, url: str, body: Document | None = None, *, content_type: str = "application/json"
    ) -> Document:
        response = self._send(method, url, body, content_type=content_type)
        try:
            document = read_json(response.data)
        except ValueError:
            document = None
        # Every answer of the API has metadata: an object, a list, a Status.
        if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
            raise KubernetesError(f"{method} {url.partition('?')[0]}: not the answer of a Kubernetes API; is it one?")
        return document

    def _send(
        self,
        method: str,
        url: str,
        body: Document | None = None,
        *,
        content_type: str = "application/json",
        stream: bool = False,
        timeout: Any = None,
    ) -> Any:
        import urllib3

        headers: dict[str, str] = {"Accept": "application/json, */*", "User-Agent": "penstock"}
        if token := self._access.bearer():
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = content_type
        how: dict[str, Any] = {"timeout": timeout} if timeout is not None else {}
        try:
            response = self._pool.request(
                method,
                url,
                body=json.dumps(body).encode() if body is not None else None,
                headers=headers,
                preload_content=not stream,
                redirect=False,
                **how,
            )
            if response.status >= 300:
                raise _error(f"{method} {url.partition('?')[0]}", response.status, _status(response.data))
        except urllib3.exceptions.HTTPError as exc:
            raise KubernetesError(f"{method} {url.partition('?')[0]}: no answer: {exc}") from exc
        return response


class _Watch:
    """The lines of one open answer, each a change in JSON."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __iter__(self) -> Iterator[tuple[str, Document]]:
        import urllib3

        try:
            for line in self._response:
                event = read_json(line)
                if event["type"] == "ERROR":
                    raise _error("watch Jobs", int(event["object"].get("code", 0)), event["object"])
                yield event["type"], event["object"]
        except (urllib3.exceptions.HTTPError, ValueError, OSError) as exc:
            raise KubernetesError(f"watch Jobs: broke off: {exc}") from exc
        finally:
            self._response.close()

    def close(self) -> None:
        # A close alone would wait for the thread that reads. urllib3 2.2 has no shutdown: there the server's end does.
        with suppress(AttributeError, OSError, ValueError, RuntimeError):
            self._response.shutdown()


def _status(data: bytes) -> Mapping[str, Any]:
    """The API's Status object. When a proxy has answered something else, its text is the message."""
    try:
        found = read_json(data)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"message": data[:500].decode("utf-8", "replace")}


def _error(what: str, code: int, status: Mapping[str, Any]) -> KubernetesError:
    return KubernetesError(f"{what}: {code} {status.get('message', '')}".strip(), code, str(status.get("reason", "")))
