"""What an error of SQLite or of the file system means for a database: which remedy, and whether to try again soon."""

import errno
import sqlite3

from penstock.errors import TemporaryError
from penstock.sqlite_file.layout import UnusableFile

_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
_UNUSABLE = ("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN", "SQLITE_CORRUPT", "SQLITE_NOTADB")
_UNUSABLE_ERRNO = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
_REMEDIES = {
    "SQLITE_BUSY": "another process keeps it locked; find out which, or give each one its own file",
    "SQLITE_LOCKED": "another process keeps it locked; find out which, or give each one its own file",
    "SQLITE_FULL": "the disk is full; free space or enlarge the volume",
    "SQLITE_READONLY": "it cannot be written; mount a writable volume there and check the owner",
    "SQLITE_PERM": "it cannot be written; mount a writable volume there and check the owner",
    "SQLITE_CANTOPEN": "it cannot be opened; check that its folder exists, is writable and on a local disk",
    "SQLITE_IOERR": "reading or writing failed; check the disk, and that it is not a network file system",
    "SQLITE_CORRUPT": "it is damaged; restore a copy, or {elsewhere}",
    "SQLITE_NOTADB": "it is not a SQLite database; {elsewhere}",
}


def error_for(error: sqlite3.Error | OSError, subject: str, elsewhere: str) -> TemporaryError:
    """The error that `subject` opens; `elsewhere` says how to use another file. A file that is locked is free soon."""
    name = getattr(error, "sqlite_errorname", None) or ""
    kind = "_".join(name.split("_")[:2])  # SQLITE_READONLY_DBMOVED is a kind of SQLITE_READONLY
    remedy = _REMEDIES.get(kind, "check the file and its folder").format(elsewhere=elsewhere)
    text = f"{subject}: {error}: {remedy}"
    if kind in _UNUSABLE or (isinstance(error, OSError) and error.errno in _UNUSABLE_ERRNO):
        return UnusableFile(text)
    return TemporaryError(text, retry_after=1.0 if kind in _LOCKED else None)
