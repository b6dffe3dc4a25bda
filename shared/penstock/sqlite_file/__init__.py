"""One SQLite file that threads and processes share: its connections, its layout's version, group commit, its errors.

Write-ahead log. A commit that must be durable is on disk when `commit` returns. Calls of several threads that arrive
while a commit is under way share the next one, so that durability costs one fsync for each group.

`PRAGMA application_id` says whose database the file is, `PRAGMA user_version` which version of the layout it has.
Nothing here knows what is stored; `sinks/sqlite.py` and `delivery/inbox.py` do.
"""

from penstock.sqlite_file.file import Change, SqliteFile
from penstock.sqlite_file.layout import Layout, UnusableFile

__all__ = ["Change", "Layout", "SqliteFile", "UnusableFile"]
