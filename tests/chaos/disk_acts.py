"""Volumes that fill up under the processes that write there, and files that are removed while they are in use."""

from __future__ import annotations

import random
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.chaos.acts import Act, child_of, start_again
from tests.chaos.lake import Lake
from tests.chaos.volumes import full

# A little more than a function keeps of a request's body in memory, so that it goes to the volume for temporary files.
# Not much more: nothing of it may be unread when the answer comes, or the connection is reset.
_SPOOLED_BYTES = 8 * 1024 * 1024 + 16 * 1024


def _fill_store(lake: Lake, seconds: float, rng: random.Random) -> None:
    """The volume of the bridge's inbox is full for a while."""
    with full(lake.inbox.parent):
        time.sleep(seconds)


def _fill_index(lake: Lake, seconds: float, rng: random.Random) -> None:
    """The volume of the index is full for a while."""
    with full(lake.index.parent):
        time.sleep(seconds)


def _fill_temporary(lake: Lake, seconds: float, rng: random.Random) -> None:
    """The folder for temporary files of index is full: a direct call that needs it is told so in words."""
    function = "index"
    child = child_of(lake, function)
    with full(lake.temporary[function]):
        request = urllib.request.Request(f"http://{child.address}/large.csv", b"a,b\n" * (_SPOOLED_BYTES // 4))
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                raise AssertionError(f"{function} answered {answer.status} without space for temporary files")
        except urllib.error.HTTPError as error:
            said = error.read()
            # Without a SOURCE that is reached it is answered before: too many requests wait, say.
            if error.code != 503 or (b"no space is left" not in said and b"requests wait" not in said):
                raise AssertionError(f"{function}, no space for temporary files: {error.code} {said!r}") from error
        except (TimeoutError, urllib.error.URLError, ConnectionError) as error:
            if child.is_ready():
                raise AssertionError(f"{function}, no space for temporary files: {error}") from error
        time.sleep(seconds)


def _remove(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def _remove_inbox(lake: Lake, seconds: float, rng: random.Random) -> None:
    """The inbox is removed under the bridge: it must stop saying 202, and a new start begins with an empty one."""
    _remove(lake.inbox)
    child = child_of(lake, "bridge")
    event = b'{"Records": []}'
    request = urllib.request.Request(f"http://{child.address}/", event, {"Content-Type": "application/json"})
    with suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(request, timeout=60) as answer:
        if answer.status == 202 and child.returncode() is None and not lake.inbox.exists():
            raise AssertionError("the bridge answered 202 without its inbox")
    time.sleep(min(seconds, 2))
    child.kill_all()
    start_again(child)


def _remove_index(lake: Lake, seconds: float, rng: random.Random) -> None:
    """The index is removed under its function, which makes it anew; `penstock reconcile` fills it."""
    _remove(lake.index)


ACTS: Mapping[str, Act] = {"bridge: inbox removed": _remove_inbox, "index: file removed": _remove_index}
VOLUME_ACTS: Mapping[str, Act] = {
    "bridge: volume full": _fill_store,
    "index: volume full": _fill_index,
    "index: no space for temporary files": _fill_temporary,
}
