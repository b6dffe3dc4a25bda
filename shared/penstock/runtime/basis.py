"""What a refusal rests on beside the source and the options, so that it is known when its cause may have gone.

A recorded refusal of the present state counts as agreement. It does so only while what it rests on is the same: a
raised limit, or a target of another owner that was removed or changed, is worth one more try.
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
    """Whether a basis is still so. `target_etag` is that of another owner's target at the address, None for none.

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
