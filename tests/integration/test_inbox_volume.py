"""An inbox on a volume that is really full: a file system of 48 MiB in memory, in a mount namespace of its own."""

import subprocess
import sys
from pathlib import Path

from tests.components.install import require

PROGRAM = """
import subprocess, sys
from pathlib import Path
from penstock.delivery.deliverer import Message
from penstock.delivery.inbox import Inbox
from penstock.delivery.verdict import DeliveryOutcome, Verdict
from penstock.errors import TemporaryError

folder = Path(sys.argv[1])
options = {"free_bytes": lambda _: 1 << 40} if sys.argv[2:] else {}  # blind to how full the volume is
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "none", folder], check=True)
refused = Verdict(DeliveryOutcome.DEAD, 422, "not an image", b"{}" * 500)
inbox = Inbox(folder / "inbox.db", **options)
for turn in range(3):  # a second and a third time, when the file is as large as it may become
    stored = 0
    while True:
        try:
            inbox.put([Message("k", b"x" * 4096, {}, f"test@{stored}", "compress")])
            stored += 1
        except TemporaryError as exc:
            print(f"turn {turn}: full: {exc}")
            break
    if turn == 1:  # a restart on the full volume
        inbox.close()
        inbox = Inbox(folder / "inbox.db", **options)
    inbox.release("compress")
    while claimed := [each.receipt for each in inbox.claim("compress", 100)]:
        inbox.finish(claimed[5:], [(number, refused) for number in claimed[:5]])
    counts = inbox.counts()
    assert counts.pending == 0, counts
    assert counts.dead > 5, counts
    assert inbox.drop([letter.id for letter in inbox.read()]) == counts.dead
    print(f"turn {turn}: {stored} stored")
"""


def on_full_volume(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [require("unshare", "util-linux"), "--user", "--map-root-user", "--mount"]
    arguments = [sys.executable, "-c", PROGRAM, str(folder), *flags]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300)


def test_volume_full_of_its_own_events_empties_itself(tmp_path: Path) -> None:
    done = on_full_volume(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    stored = [int(line.split()[2]) for line in done.stdout.splitlines() if line.endswith(" stored")]
    assert len(stored) == 3
    assert min(stored) > 100
    assert "drop dead letters, or enlarge the volume" in done.stdout


def test_without_the_reserve_it_would_stay_full(tmp_path: Path) -> None:
    """The reason for the reserve: to finish a message takes space that is not there."""
    done = on_full_volume(tmp_path, "blind")
    assert done.returncode != 0
    assert "the disk is full" in done.stderr
