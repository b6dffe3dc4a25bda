"""The licences of what the images ship, from the packages' own metadata: `make licences` writes docs/licences.md."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.paths import ROOT

PAGE: Final = ROOT / "docs" / "licences.md"
START: Final = "<!-- made by `make licences` -->\n"
END: Final = "<!-- end -->\n"
# What an image may ship. Weak copyleft (LGPL, MPL) is allowed for a package that is used as it is published.
PERMITTED: Final = frozenset(
    {
        *("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "MIT-0", "PSF-2.0", "Unlicense"),
        *("MPL-2.0", "LGPL-3.0-or-later"),
    }
)
# SPDX names for those classifiers that leave no doubt.
CLASSIFIERS: Final = {
    "Apache Software License": "Apache-2.0",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
# Read in the licence file of the package, whose metadata does not say it in full.
READ_BY_HAND: Final = {
    "botocore": "Apache-2.0",
    "chardetng-py": "MIT",
    "charset-normalizer": "MIT",
    "itsdangerous": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "pg8000": "BSD-3-Clause",
    "pika": "BSD-3-Clause",
    "protobuf": "BSD-3-Clause",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "tqdm": "MPL-2.0 AND MIT",
}


@dataclass(frozen=True, slots=True)
class Shipped:
    """A package, its SPDX licence expression, and the images that have it."""

    name: str
    licence: str
    images: tuple[str, ...]


def locked(lock: Path) -> set[str]:
    """The names in a lock of shared/locks, without those of other systems and older Pythons."""
    lines = re.findall(r"^([\w.-]+==[^\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    found = [Requirement(line.strip()) for line in lines]
    return {
        str(canonicalize_name(each.name))
        for each in found
        if each.marker is None or each.marker.evaluate({"extra": ""})
    }


def needed(name: str) -> Iterator[str]:
    """A package and all that it needs on this system."""
    yield name
    for text in distribution(name).requires or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield from needed(str(canonicalize_name(requirement.name)))


def images() -> dict[str, set[str]]:
    """Each image and its packages: what its lock has, and what the function's own requirements need."""
    locks = ROOT / "shared" / "locks"
    found = {"connectors": locked(locks / "connectors.txt")}
    for path in sorted((ROOT / "functions").glob("*/requirements.txt")):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
        own = {each for line in lines for each in needed(str(canonicalize_name(Requirement(line).name)))}
        found[path.parent.name] = locked(locks / "function.txt") | own
    return found


def licence(name: str) -> str:
    """The SPDX expression of a package, "" where neither its metadata nor this file knows it."""
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    metadata = distribution(name).metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = [each.rpartition(" :: ")[2] for each in metadata.get_all("Classifier") or [] if "License ::" in each]
    return CLASSIFIERS.get(classifiers[0], "") if len(classifiers) == 1 else ""


def is_permitted(expression: str) -> bool:
    """True if every licence that must be followed is permitted; of alternatives one is enough."""
    while group := re.search(r"\(([^()]*)\)", expression):
        expression = expression.replace(group[0], "MIT" if is_permitted(group[1]) else "refused")
    return any(all(name in PERMITTED for name in part.split(" AND ")) for part in expression.split(" OR "))


def shipped() -> list[Shipped]:
    found = images()
    names = sorted(set().union(*found.values()))
    return [Shipped(name, licence(name), tuple(each for each in found if name in found[each])) for name in names]


def table() -> str:
    every = set(images())
    rows = [
        f"| {each.name} | {each.licence} | {'all' if set(each.images) == every else ', '.join(each.images)} |"
        for each in shipped()
    ]
    return "\n".join(["| package | licence | image |", "|---|---|---|", *rows]) + "\n"


def page_with(made: str) -> str:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    return f"{before}{START}{made}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page_with(table()), encoding="utf-8")
