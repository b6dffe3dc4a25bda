"""Each image's bill of materials has what its lock has, in a document that follows CycloneDX's schema."""

import functools
import json
import re
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion

from tests.licences import images
from tests.paths import ROOT
from tests.sbom import bill, text

LOCKS = ROOT / "shared" / "locks"


@functools.cache
def validator() -> Any:
    """One for all images: it reads the schema when it is first asked."""
    from cyclonedx.validation.json import JsonStrictValidator  # takes seconds to import

    return JsonStrictValidator(SchemaVersion.V1_6)


@pytest.mark.long
@pytest.mark.parametrize("image", sorted(images()))
def test_bill_of_materials_follows_the_schema(image: str) -> None:
    made = text(bill(image))
    assert validator().validate_str(made) is None
    assert made == text(bill(image))  # the same for the same locks


@pytest.mark.parametrize(("image", "lock"), [("connectors", "connectors.txt"), ("compress", "function.txt")])
def test_bill_of_materials_has_every_package_of_the_lock_with_its_hashes(image: str, lock: str) -> None:
    found = {
        f"{each['name']}=={each['version']}": {
            item["content"] for entry in each["externalReferences"] for item in entry["hashes"]
        }
        for each in json.loads(text(bill(image)))["components"]
        if each["type"] == "library"
    }
    blocks = re.split(r"\n(?=\w)", (LOCKS / lock).read_text(encoding="utf-8"))
    wanted = {block.split()[0]: set(re.findall(r"sha256:([0-9a-f]{64})", block)) for block in blocks}
    # An image is Linux, with the base's Python: these are for another system or an older Python.
    others = ("colorama==", "async-timeout==", "deprecated==1.")
    wanted = {pin: hashes for pin, hashes in wanted.items() if not pin.startswith(others)}
    assert {pin: found.get(pin) for pin in wanted} == wanted
    if image == "connectors":
        assert found.keys() == wanted.keys()


def test_bill_of_materials_of_a_function_has_its_own_requirements() -> None:
    components = {each["name"]: each for each in json.loads(text(bill("resize")))["components"]}
    assert {"pyvips", "pyvips-binary", "cffi", "docker.io/library/python"} <= components.keys()
    assert components["pyvips-binary"]["licenses"] == [{"expression": "LGPL-3.0-or-later"}]
    assert not {"confluent-kafka", "schemathesis"} & components.keys()


def test_the_images_recipe_makes_the_bills() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^image: .*\bsbom\b", makefile, re.MULTILINE)
