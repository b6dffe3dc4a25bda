"""What each image ships, in CycloneDX: `make sbom` writes build/sbom/IMAGE.cdx.json, and `make image` calls it.

It is made from the locks, so it names the packages with the hashes that pip asks for. The packages of the base image
(Debian and Python) are not in it; the base itself is named, with its digest where one is pinned.
Format: https://cyclonedx.org/docs/1.6/json/.
"""

import json
import re
from pathlib import Path
from typing import Final

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from penstock import __version__

from tests.licences import images, licence
from tests.paths import ROOT

FOLDER: Final = ROOT / "build" / "sbom"
_LOCKS: Final = ROOT / "shared" / "locks"
_DOCKERFILE: Final = ROOT / "deploy" / "image" / "Dockerfile"


def pins(lock: Path) -> dict[str, tuple[str, list[str]]]:
    """Name to version and SHA-256 of each file that pip may install, of the packages that the image's Python needs."""
    lines = re.sub(r"\\\n", " ", lock.read_text(encoding="utf-8")).splitlines()
    found = {}
    for line in lines:
        if "==" not in line:
            continue
        pin, *hashes = line.split("--hash=sha256:")
        requirement = Requirement(pin.strip())
        if requirement.marker is None or requirement.marker.evaluate(_image()):
            [version] = requirement.specifier
            found[str(canonicalize_name(requirement.name))] = (version.version, [each.strip() for each in hashes])
    return found


def _image() -> dict[str, str]:
    """What the markers of a lock ask for: Linux, and the Python of the base image."""
    found = re.search(r"^ARG PYTHON_IMAGE=\S+/python:(\d+\.\d+)", _DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise LookupError(f"{_DOCKERFILE}: expected ARG PYTHON_IMAGE=.../python:VERSION")
    return {
        "python_version": found[1],
        "python_full_version": f"{found[1]}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
    }


def bill(image: str) -> Bom:
    """The bill of materials of one image; the same for the same locks.

    Raises `KeyError` for a package that is not in the lock.
    """
    lock = pins(_LOCKS / ("connectors.txt" if image == "connectors" else "constraints.txt"))
    made = Bom(components=[_package(name, *lock[name]) for name in sorted(images()[image])])
    made.components.add(_base())
    name = "penstock" if image == "connectors" else f"penstock-{image}"
    root = _component(name, __version__, ComponentType.CONTAINER, "Apache-2.0")
    made.metadata = BomMetaData(component=root)
    made.register_dependency(root, made.components)
    return made


def text(made: Bom) -> str:
    """The document, with one line for each value."""
    document = json.loads(JsonV1Dot6(made).output_as_string())
    # The moment and the random number of each run: with them no two documents would be the same.
    del document["serialNumber"], document["metadata"]["timestamp"]
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _component(name: str, version: str, kind: ComponentType, terms: str = "") -> Component:
    licences = [LicenseExpression(terms)] if terms else []
    return Component(name=name, version=version, type=kind, bom_ref=f"{name}@{version}", licenses=licences)


def _package(name: str, version: str, hashes: list[str]) -> Component:
    made = _component(name, version, ComponentType.LIBRARY, licence(name))
    made.purl = PackageURL("pypi", None, name, version)
    files = [HashType(alg=HashAlgorithm.SHA_256, content=each) for each in hashes]
    kind = ExternalReferenceType.DISTRIBUTION
    made.external_references.add(ExternalReference(type=kind, url=XsUri(str(made.purl)), hashes=files))
    return made


def _base() -> Component:
    found = re.search(r"^ARG PYTHON_IMAGE=([^:@\s]+):(\S+)$", _DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise LookupError(f"{_DOCKERFILE}: expected ARG PYTHON_IMAGE=NAME:TAG")
    return _component(found[1], found[2], ComponentType.CONTAINER)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for each in images():
        (FOLDER / f"{each}.cdx.json").write_text(text(bill(each)), encoding="utf-8")
