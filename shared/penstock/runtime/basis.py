"""What a refusal rests on besides the source and the options: a limit, or the target of another owner.

A recorded refusal of the present state counts as agreement. It does so only as long as its basis is the same. After a
limit was raised, or the other target was removed or changed, the object is tried once more.
"""

from penstock.errors import InputTooLarge
from penstock.types import Entry, Mark

_LIMIT = "MAX_INPUT_BYTES="
_TARGET = "target="


def basis_of(error: Exception, previous: Entry | None, mark: Mark, max_input_bytes: int) -> str:
    """The basis of a refusal for `error`, where `previous` is what its address held.

    It names the limit that was in force, or the ETag of the target that stands in the way. "" is for a refusal that
    source and options alone decide.
    """
    if isinstance(error, InputTooLarge):
        return f"{_LIMIT}{max_input_bytes}"
    if previous is not None and previous.refusal is None and not previous.is_target_of(mark):
        return f"{_TARGET}{previous.etag or ''}"
    return ""


def holds(basis: str, *, max_input_bytes: int, target_etag: str | None) -> bool:
    """Whether a basis still holds. `target_etag` is that of another owner's target at the address, None for none.

    >>> holds("MAX_INPUT_BYTES=5", max_input_bytes=5, target_etag=None)
    True
    >>> holds("target=abc", max_input_bytes=5, target_etag=None)
    False
    """
    if basis.startswith(_LIMIT):
        return basis == f"{_LIMIT}{max_input_bytes}"
    if basis.startswith(_TARGET):
        return target_etag is not None and basis == f"{_TARGET}{target_etag}"
    return True
