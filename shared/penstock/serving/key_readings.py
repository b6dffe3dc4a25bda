"""Which objects an event names, where its store may mean either of two keys (events/keys.py).

Both are looked at: an event is a hint, and to make the targets of one object more agree is never wrong. What is found
is remembered for each kind of store, so that later events cost no more requests than others. A kind
of store may change: where the key that it meant so far names no object, the other one is looked at too.
"""

from collections.abc import Callable, Mapping, Sequence

from penstock.errors import PermanentError
from penstock.events import OTHER_CLOUDS, Notification
from penstock.runtime.answers import Failure
from penstock.runtime.outcome import Outcome
from penstock.types import ObjectRef

Ended = Outcome | Failure
Agree = Callable[[Sequence[ObjectRef]], Sequence[Ended]]

# What a profile says of the first and the second reading of events/keys.py.
_FIRST_IS_MEANT: Mapping[str, Mapping[str, bool]] = {"ceph": {"ceph:s3": True}}


class KeyReadings:
    """Remembers which reading of a key a kind of store means; threads may share it.

    `profile` is STORE_PROFILE, which may say it beforehand.
    """

    def __init__(self, profile: str) -> None:
        self._profile = profile
        # By origin, whether the first reading is meant. One entry of a dict is set at once, so no lock.
        self._meant: dict[str, bool] = dict(_FIRST_IS_MEANT.get(profile, {}))

    def refused(self, notification: Notification) -> Failure | None:
        """The failure of an event of another cloud's store, if no S3 endpoint is named for it; else None."""
        origin = notification.origin
        if origin not in OTHER_CLOUDS or origin == self._profile:
            return None
        name = {"gcs": "Google Cloud Storage", "azure": "Azure Blob Storage"}[origin]
        return Failure(
            notification.ref,
            PermanentError(
                f"{notification.ref}: an event of {name}, and objects are read by S3 alone: let MINIO_ENDPOINT name"
                f" an S3 endpoint of the same bucket, and set STORE_PROFILE={origin} (docs/stores.md)"
            ),
        )

    def agree(self, notifications: Sequence[Notification], agree: Agree) -> list[Ended]:
        """What came of every object that these events name, each asked for once, in their order."""
        pairs = list(dict.fromkeys((*self._ordered(each), each.origin) for each in notifications))
        wanted: dict[ObjectRef, None] = {}
        for first, second, origin in pairs:
            wanted[first] = None
            if second is not None and origin not in self._meant:
                wanted[second] = None
        ended = dict(zip(wanted, agree(list(wanted)), strict=True))
        left = [second for first, second, _ in pairs if second and second not in ended and not _is_there(ended[first])]
        if left:
            left = list(dict.fromkeys(left))
            ended |= dict(zip(left, agree(left), strict=True))
        needless = set()
        for first, second, _ in pairs:
            if second is not None and second in ended:
                needless.add(_needless(first, second, ended))
        alone = {first for first, second, _ in pairs if second is None}
        self._learn(notifications, ended)
        return [each for ref, each in ended.items() if ref not in needless or ref in alone]

    def _ordered(self, notification: Notification) -> tuple[ObjectRef, ObjectRef | None]:
        """The object that is meant as far as we know, and the other one."""
        ref, other = notification.ref, notification.other
        if other is None or self._meant.get(notification.origin, True):
            return ref, other
        return other, ref

    def _learn(self, notifications: Sequence[Notification], ended: Mapping[ObjectRef, Ended]) -> None:
        for each in notifications:
            if each.other is not None and each.ref in ended and each.other in ended:
                first, second = _is_there(ended[each.ref]), _is_there(ended[each.other])
                if first != second:
                    self._meant[each.origin] = first


def _is_there(ended: Ended) -> bool:
    return isinstance(ended, Outcome) and ended.source is not None


def _needless(first: ObjectRef, second: ObjectRef, ended: Mapping[ObjectRef, Ended]) -> ObjectRef | None:
    """The reading that the answer can leave out: it names no object, changed nothing, and is not to be tried again."""
    for one, other in ((second, first), (first, second)):
        found = ended[one]
        if isinstance(found, Outcome):
            says_nothing = found.source is None and not found.changed
        else:
            says_nothing = isinstance(found.error, PermanentError) and _is_there(ended[other])
        if says_nothing:
            return one
    return None
