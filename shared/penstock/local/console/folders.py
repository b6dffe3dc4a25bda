"""One folder of a bucket as a page: a key's parts between slashes are folders for people, the store knows none."""

from itertools import islice
from typing import Any, Final

from penstock.settings.config import RESERVED_PREFIX
from penstock.store import Store
from penstock.types import ObjectState

PAGE: Final = 200
LOOKED_AT: Final = 20_000


def read_folder(store: Store, bucket: str, prefix: str, *, words: str = "", offset: int = 0) -> dict[str, Any]:
    """Folders below `prefix` in order of name, then `PAGE` objects from `offset` on, newest first; ready for JSON.

    With `words`, all objects below `prefix` whose key has them, and no folders. At most `LOOKED_AT` keys are looked at;
    `whole` says whether that was all.
    """
    listed = islice(store.list(bucket, prefix), LOOKED_AT + 1)
    seen = 0
    folders: dict[str, dict[str, Any]] = {}
    objects: list[ObjectState] = []
    wanted = words.casefold()
    for state in listed:
        seen += 1
        if seen > LOOKED_AT:
            break
        key = state.ref.key
        if key.startswith(RESERVED_PREFIX):
            continue
        name, slash, _ = key[len(prefix) :].partition("/")
        if wanted:
            if wanted in key.casefold():
                objects.append(state)
        elif slash:
            folder = folders.setdefault(name, {"prefix": f"{prefix}{name}/", "name": name, "count": 0, "size": 0})
            folder["count"] += 1
            folder["size"] += state.size
        else:
            objects.append(state)
    objects.sort(key=lambda state: state.last_modified.timestamp() if state.last_modified else 0.0, reverse=True)
    return {
        "bucket": bucket,
        "prefix": prefix,
        "folders": list(folders.values()),
        "objects": [_object(state) for state in objects[offset : offset + PAGE]],
        "total": len(objects),
        "size": sum(state.size for state in objects),
        "whole": seen <= LOOKED_AT,
    }


def _object(state: ObjectState) -> dict[str, Any]:
    modified = state.last_modified.timestamp() if state.last_modified else None
    return {"bucket": state.ref.bucket, "key": state.ref.key, "size": state.size, "modified": modified}
