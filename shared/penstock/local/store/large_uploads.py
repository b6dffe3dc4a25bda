"""Takes large objects in without holding them in memory five times over, as moto does.

moto joins the parts of an upload in a bytearray, copies that twice, keeps another copy for a checksum that was
not asked for, and one more on the way to its temporary file: 2.4 GB for an upload of 500 MB. Here the parts are joined
in a temporary file, moto reads that through a mapping, and what is large goes to disk without a stop in memory.
"""

import hashlib
import mmap
import shutil
import tempfile
from collections.abc import Iterable
from typing import Any, Final

_MIN_PART_BYTES: Final = 5 * 1024 * 1024  # S3's limit for every part but the last


def install(models: Any) -> None:
    """Replace the two methods in `moto.s3.models`."""

    def complete(multipart: Any, wanted: Iterable[tuple[int, str]]) -> tuple[Any, str, None]:
        """The object's bytes, its ETag, and no checksum; raises moto's own errors."""
        digests, last_size = [], None
        with tempfile.TemporaryFile() as joined:
            for number, etag in wanted:
                part = multipart.parts.get(number)
                if part is None or part.etag.strip('"') != etag.strip('"'):
                    raise models.InvalidPart
                if last_size is not None and last_size < _MIN_PART_BYTES:
                    raise models.EntityTooSmall
                part._value_buffer.seek(0)
                shutil.copyfileobj(part._value_buffer, joined, 1024 * 1024)
                digests.append(bytes.fromhex(part.etag.strip('"')))
                last_size = part.contentsize
            if not digests:
                raise models.MalformedXML
            joined.flush()
            size = joined.tell()
            body = mmap.mmap(joined.fileno(), size, access=mmap.ACCESS_READ) if size else b""
        etag = hashlib.md5(b"".join(digests)).hexdigest()  # noqa: S324 - S3's ETag is defined with it
        return body, f"{etag}-{len(digests)}", None

    def store(key: Any, value: Any) -> None:
        buffer = key._value_buffer
        buffer.seek(0)
        buffer.truncate()
        if len(value) > key._max_buffer_size:
            buffer.rollover()
        buffer.write(value)
        key.contentsize = len(value)

    models.FakeMultipart.complete = complete
    models.FakeKey.value = property(models.FakeKey.value.fget, store)
