"""Pins the images in deploy/ to the digests that their tags have today: `make digests`.

A registry says a tag's digest in the header Docker-Content-Digest of the answer to a HEAD request for its manifest (OCI
Distribution Specification 1.1, "Checking if content exists in the registry"). Public registries want a token first,
which they give to anyone at the address in their 401 (Docker Registry v2 token authentication).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import urllib3

from tests.manifests import DEPLOY

# Images of this repository: their names are a setting (`penstock render`, a kustomization's `images:`).
OWN = ("registry.example.com/", "penstock")
_LINE = re.compile(
    r"(?m)^(?P<before>[ -]*(?:image|clusterImage): )(?P<name>[\w./:-]+?):(?P<tag>[\w.-]+)(?:@(?P<digest>\S+))?$"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# An index of several platforms, or one image.
_MEDIA_TYPES = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


class RegistryError(Exception):
    """A digest that could not be had; the message names the image and why."""


@dataclass(frozen=True, slots=True)
class Image:
    """`registry/repository:tag`, with the digest that it is pinned to or ""."""

    registry: str
    repository: str
    tag: str
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}:{self.tag}"


def images_in(text: str) -> Iterator[Image]:
    """The images of other projects that a manifest names with their registry.

    kind's node image is named without one: kind's release says its digest.
    """
    for found in _LINE.finditer(text):
        registry, _, repository = found["name"].partition("/")
        if not found["name"].startswith(OWN) and re.search("[.:]", registry):
            yield Image(registry, repository, found["tag"], found["digest"] or "")


def pinned(text: str, digests: Mapping[str, str]) -> str:
    """The manifest with each image pinned to `digests`, by its name and tag."""

    def pin(found: re.Match[str]) -> str:
        name = f"{found['name']}:{found['tag']}"
        return f"{found['before']}{name}@{digests[name]}" if name in digests else found[0]

    return _LINE.sub(pin, text)


def digest_of(image: Image) -> str:
    """What the registry says today; raises `RegistryError`."""
    scheme = "http" if image.registry.startswith(("127.0.0.1:", "localhost:")) else "https"
    host = "registry-1.docker.io" if image.registry == "docker.io" else image.registry
    url = f"{scheme}://{host}/v2/{image.repository}/manifests/{image.tag}"
    headers = {"Accept": _MEDIA_TYPES}
    try:
        with urllib3.PoolManager(timeout=20, retries=1) as pool:
            answer = pool.request("HEAD", url, headers=headers)
            if answer.status == 401:
                token = _token(pool, answer.headers.get("WWW-Authenticate", ""))
                answer = pool.request("HEAD", url, headers={**headers, "Authorization": f"Bearer {token}"})
    except urllib3.exceptions.HTTPError as exc:
        raise RegistryError(f"{image}: {host} cannot be reached: {exc}") from exc
    digest = answer.headers.get("Docker-Content-Digest", "")
    if answer.status != 200 or not _DIGEST.fullmatch(digest):
        raise RegistryError(f"{image}: {host} answered {answer.status} without a digest; check the name and the tag")
    return digest


def _token(pool: urllib3.PoolManager, challenge: str) -> str:
    wanted = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    fields = {name: wanted[name] for name in ("service", "scope") if name in wanted}
    answer = pool.request("GET", wanted.get("realm", ""), fields=fields).json()
    return str(answer.get("token") or answer.get("access_token") or "")


def main(folder: Path = DEPLOY) -> int:
    """Ask for every image, and write only when each has a digest; the exit code is 1 otherwise."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.yaml"))}
    wanted = {str(image): image for text in texts.values() for image in images_in(text)}
    digests: dict[str, str] = {}
    problems = []
    for name, image in sorted(wanted.items()):
        try:
            digests[name] = digest_of(image)
        except RegistryError as exc:
            problems.append(str(exc))
    if problems:
        print(*problems, "nothing was changed", sep="\n", file=sys.stderr)
        return 1
    for path, text in texts.items():
        if (made := pinned(text, digests)) != text:
            path.write_text(made, encoding="utf-8")
            print(f"{path}: renewed")
    print(f"{len(digests)} images have the digests of today")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
