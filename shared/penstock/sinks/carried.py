"""What a target takes over of its source beside bytes and user metadata: one rule for each header (ADR 51).

What tells readers how to handle the content is kept or translated. What guards the content, its encryption and its
tags, is kept. How and how long bytes are stored is not taken over: the target's own bucket decides that.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from penstock.store import Store
from penstock.store.headers import ENCRYPTION, KMS_KEY, TAG_COUNT, TAGGING, fits_a_header
from penstock.types import ObjectState, Result

ORIGINAL_ENCODING = "original-content-encoding"
_KMS = ("aws:kms", "aws:kms:dsse")
# The same content for the same readers.
_KEPT = ("cache-control", "content-language")
# A policy that does not allow it, a key that is not there, a store without keys.
_REFUSED = r"(?a)access denied|\((?:\w*KMS|\w*Kms|NotImplemented|InvalidTag|\w*Encryption)"
_DISPOSITION_TYPE = r"\s*([A-Za-z-]+)\s*(;?)"
_PLAIN_NAME = r"[ !#$&-\[\]-~]+"  # ASCII without quotes, per cent and backslash


class Carried(NamedTuple):
    """Headers and metadata for the target, and notes about what could not be kept."""

    headers: dict[str, str]
    metadata: dict[str, str]
    notes: list[str]


def carried(store: Store, source: ObjectState, result: Result, key: str, *, follow_encryption: bool) -> Carried:
    """What the target at `key` takes over. One request, and only for a source that has tags."""
    given, made = source.headers, Carried({}, {}, [])
    if not given:
        return made
    for name in _KEPT:
        if value := given.get(name):
            _add(made, name, value)
    if (encoding := given.get("content-encoding")) and fits_a_header(encoding):
        made.metadata[ORIGINAL_ENCODING] = encoding
    if disposition := given.get("content-disposition"):
        _add(made, "content-disposition", _renamed(disposition, result.name or key.rpartition("/")[2]))
    if "expires" in given:
        made.notes.append("Expires of the source is not kept; Cache-Control would be")
    if encryption := given.get(ENCRYPTION):
        _encrypt(made, encryption, given, follow=follow_encryption)
    if given.get(TAG_COUNT, "0") != "0":
        _tag(made, store.tags(source))
    return made


def remedy(headers: Mapping[str, str], failure: str) -> str:
    """What to do when a store does not take a target with these headers, "" when they are not a likely cause."""
    remedies: list[str] = []
    if not re.search(_REFUSED, failure):
        return ""
    if headers.get(ENCRYPTION) in _KMS:
        key = headers.get(KMS_KEY, "the store's default key")
        remedies.append(
            f"the target is encrypted as its source is, with {key}: allow that, or set TARGET_ENCRYPTION=bucket"
        )
    if TAGGING in headers:
        remedies.append("the target takes its source's tags: its policy needs s3:PutObjectTagging")
    return "; ".join(remedies)


def _add(made: Carried, name: str, value: str) -> None:
    if fits_a_header(value):
        made.headers[name] = value
    else:
        made.notes.append(f"{name} of the source is not kept: it has more than ASCII")


def _encrypt(made: Carried, encryption: str, given: Mapping[str, str], *, follow: bool) -> None:
    if not follow:
        made.notes.append(f"the source is encrypted ({encryption}), and its target as the target's bucket says")
    elif encryption == "AES256" or encryption in _KMS:
        made.headers[ENCRYPTION] = encryption
        if (key := given.get(KMS_KEY)) and encryption in _KMS:
            made.headers[KMS_KEY] = key
    else:
        made.notes.append(f"the source is encrypted in a way that is not known here ({encryption}), its target is not")


def _tag(made: Carried, tags: Mapping[str, str] | None) -> None:
    if tags is None:
        made.notes.append("tags of the source are not kept: the policy needs s3:GetObjectTagging")
    elif tags:
        made.headers[TAGGING] = "&".join(f"{quote(name, safe='')}={quote(tags[name], safe='')}" for name in tags)


def _renamed(disposition: str, name: str) -> str:
    """The same way to show an object, with the target's name where the source's was (RFC 6266)."""
    found = re.match(_DISPOSITION_TYPE, disposition)
    way = found[1].lower() if found else "attachment"
    if "filename" not in disposition.lower():
        return way
    if re.fullmatch(_PLAIN_NAME, name):
        return f'{way}; filename="{name}"'
    return f"{way}; filename*=UTF-8''{quote(name, safe='')}"
