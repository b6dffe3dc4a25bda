"""MinIO, Kafka, connector and a function that fails in every way: what is retried, what becomes a dead letter."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka import Producer
from minio.error import S3Error
from penstock import cli
from penstock.commands import reconcile as command
from penstock.delivery.dead_letters import DeadLetter

from tests.components import KafkaServer
from tests.integration.flow import dlq, kafka_connector, letters, measured, minio_to_kafka, penstock, quiet, serve
from tests.integration.processes import store_settings, wait_until
from tests.uploads import UploadsClient

# Enough for a function that is busy while a slow machine does something else.
ATTEMPTS = 12

# What it does with an object is what a file in OPTION_FOLDER says, so a test can mend it while it runs.
HANDLER = """
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from penstock import Context, Event, PermanentError, Result, TemporaryError, option


@dataclass(frozen=True)
class Options:
    folder: str = option("", "where the file is that says what to do")
    repeat: int = option(1, "how often the result is repeated", ge=1, le=9)


def handle(event: Event[Options], context: Context[Options]) -> Result:
    data = b"".join(event.body).upper()
    said = Path(event.options.folder, event.name)
    match said.read_text() if said.exists() else "work":
        case "busy":
            raise TemporaryError(f"{event.name}: the other system is busy", retry_after=1)
        case "refuse":
            raise PermanentError(f"{event.name}: not like this")
        case "crash":
            raise ZeroDivisionError("secret detail")
        case "hang":
            while said.exists():
                time.sleep(0.05)
        case "half":
            return Result(half(data, said), content_type="text/plain")
    return Result(data * event.options.repeat, content_type="text/plain")


def half(data: bytes, said: Path) -> Iterator[bytes]:
    yield data * (12 * 1024 * 1024 // len(data))
    while said.exists():
        time.sleep(0.05)
"""


class World:
    """Everything but the function, which a test may end and start again."""

    def __init__(self, folder: Path, held: ExitStack, kafka: KafkaServer, name: str) -> None:
        self.folder, self.kafka, self.topic, self.dead = folder, kafka, name, f"{name}-dead"
        self.minio = held.enter_context(minio_to_kafka(folder, kafka, name, "upload", "processed"))
        self.upper = folder / "upper"
        self.upper.mkdir()
        (self.upper / "handler.py").write_text(HANDLER)
        self._said = folder / "said"
        self._said.mkdir()
        self.settings = {
            "FUNCTION_NAME": "upper",
            "SOURCE": "s3://upload/*",
            "SINK": "s3://processed/{key}",
            "OPTION_FOLDER": str(self._said),
            "ON_SOURCE_REMOVED": "delete",
            **store_settings(self.minio),
        }
        self.function = serve(self.upper, folder, self.settings)
        self._changed = False
        held.callback(self.end_function)
        to = {self.topic: f"upper=http://{self.function.address}/"}
        options = ("--dead-letter-topic", self.dead, "--attempts", str(ATTEMPTS), "--timeout-seconds", "1.5")
        self.connector = held.enter_context(kafka_connector(kafka, folder, name, to, *options))

    @property
    def client(self) -> UploadsClient:
        return self.minio.endpoint.client()

    def say(self, key: str, what: str) -> None:
        """What the function does with this key from now on; `work` is what it should do."""
        said = self._said / key
        if what == "work":
            said.unlink()
        else:
            said.write_text(what)

    def put(self, key: str, data: bytes = b"text") -> None:
        self.client.put_object("upload", key, io.BytesIO(data), len(data), content_type="text/plain")

    def target(self, key: str) -> bytes | None:
        try:
            with self.client.get_object("processed", key) as answer:
                return answer.read()
        except S3Error as error:
            if error.code == "NoSuchKey":
                return None
            raise

    def end_function(self) -> None:
        """SIGTERM, as a platform ends one."""
        assert self.function.end() == 0, self.function.text()

    def restart_function(self, settings: dict[str, str] | None = None) -> None:
        """Start the function anew on its port, as a platform does with one that has died or is deployed again."""
        port = int(self.function.address.rpartition(":")[2])
        self.function = serve(self.upper, self.folder, self.settings | (settings or {}), port)
        self._changed = bool(settings)

    def tries(self, outcome: str) -> float:
        return measured(self.connector.address, "penstock_delivery_attempts_total", outcome=outcome)

    def dead_letter(self) -> DeadLetter:
        """The one dead letter, once it is there."""
        wait_until(lambda: len(letters(self.kafka, self.dead)) == 1, "a dead letter")
        [letter] = letters(self.kafka, self.dead)
        return letter

    def finish(self, letter: DeadLetter, what: str = "replay") -> None:
        """Replay or drop the letter, after which none is left."""
        done = {"replay": "replayed", "drop": "dropped"}[what]
        assert dlq(self.kafka, self.dead, what, letter.id) == f"1 {done}\n"
        assert letters(self.kafka, self.dead) == []

    def wait_with_replays(self, check: Callable[[], bool], what: str) -> None:
        """Wait after the function was away; the few quick attempts here may have ended as dead letters meanwhile."""

        def done() -> bool:
            if check():
                return True
            for letter in letters(self.kafka, self.dead):
                dlq(self.kafka, self.dead, "replay", letter.id)
            return check()

        wait_until(done, what)
        wait_until(lambda: measured(self.connector.address, "penstock_delivery_held") == 0, "nothing under way")
        for letter in letters(self.kafka, self.dead):
            dlq(self.kafka, self.dead, "drop", letter.id)

    def recover(self) -> None:
        """What a test that failed leaves behind is put right."""
        if self._changed or self.function.returncode() is not None:
            if self.function.returncode() is None:
                self.end_function()
            self.restart_function()
        for letter in letters(self.kafka, self.dead):
            dlq(self.kafka, self.dead, "drop", letter.id)

    def reconcile(self, *options: str, repeat: int = 1, code: int = 0) -> str:
        env = {**self.settings, "OPTION_REPEAT": str(repeat)}
        return penstock("reconcile", str(self.upper), *options, env=env, code=code)


@pytest.fixture(autouse=True)
def as_it_began(world: World) -> Iterator[None]:
    """After a test that failed the function runs again as at first, and no dead letter waits for the next test."""
    yield
    world.recover()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, kafka: KafkaServer) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("failing")
    with ExitStack() as held:
        yield World(folder, held, kafka, folder.name)


def test_function_that_is_busy_for_a_while_is_tried_again_until_it_works(world: World) -> None:
    world.say("busy.txt", "busy")
    retried = world.tries("retry")
    world.put("busy.txt")
    world.put("other.txt")
    wait_until(lambda: world.tries("retry") > retried, "a retry")
    wait_until(lambda: world.target("other.txt") == b"TEXT", "others are not held up")
    world.say("busy.txt", "work")
    wait_until(lambda: world.target("busy.txt") == b"TEXT", "the target, after Retry-After")
    assert letters(world.kafka, world.dead) == []


def test_object_that_is_refused_is_recorded_once_and_delivered_when_replayed(world: World) -> None:
    world.say("refused.txt", "refuse")
    retried = world.tries("retry")
    world.put("refused.txt")
    letter = world.dead_letter()
    assert (letter.message.target, letter.code) == ("upper", 422)
    assert b"refused.txt: not like this" in letter.data
    assert world.tries("retry") == retried, "the same input would fail again"
    assert "1 agreeing" in world.reconcile("--check", "--prefix", "refused.txt")
    world.say("refused.txt", "work")
    world.finish(letter)
    wait_until(lambda: world.target("refused.txt") == b"TEXT", "the target, once the handler is mended")


def test_function_that_takes_too_long_is_a_dead_letter_and_writes_nothing(
    world: World,
) -> None:
    world.say("slow.txt", "hang")
    world.put("slow.txt")
    letter = world.dead_letter()
    assert letter.code == 504
    assert f"given up after {ATTEMPTS} attempts" in letter.reason
    world.say("slow.txt", "work")
    left = "its caller closed the connection before the answer; nothing was written"
    wait_until(lambda: left in world.function.text(), "what was under way ends")
    assert world.target("slow.txt") is None
    world.finish(letter)
    wait_until(lambda: world.target("slow.txt") == b"TEXT", "the target of the replay")
    assert "1 agreeing" in world.reconcile("--check", "--prefix", "slow.txt")


def test_crash_of_a_handler_is_retried_and_shows_its_trace_in_the_log_only(world: World) -> None:
    world.say("crash.txt", "crash")
    world.put("crash.txt")
    letter = world.dead_letter()
    assert letter.code == 500
    incident = json.loads(letter.data)["incident"]
    assert "secret detail" not in str(letter)
    [line, *_] = [line for line in world.function.text().splitlines() if incident in line]
    assert "secret detail" in json.loads(line)["trace"]
    world.say("crash.txt", "work")
    world.finish(letter)
    wait_until(lambda: world.target("crash.txt") == b"TEXT", "the target, once the handler is mended")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"\x00\xff not JSON", 400),
        (b'{"bucket": "of-somebody-else", "key": "a.txt"}', 403),
    ],
)
def test_poison_message_is_put_aside_and_the_next_one_goes_on(world: World, value: bytes, code: int) -> None:
    producer = Producer({"bootstrap.servers": world.kafka.endpoint.bootstrap_servers, "log_level": 0})
    producer.produce(world.topic, value=value)
    assert producer.flush(30) == 0
    key = f"after-{code}.txt"
    world.put(key)
    wait_until(lambda: world.target(key) == b"TEXT", "the next one")
    letter = world.dead_letter()
    assert letter.code == code
    world.finish(letter, "drop")


def test_function_killed_in_the_middle_leaves_no_half_target_and_reconcile_no_upload(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def uploads() -> list[str]:
        return world.client.unfinished("processed")

    world.say("half.txt", "half")
    world.put("half.txt", b"half")
    world.function.until(lambda: "half.txt" in uploads(), "the upload under way")
    world.function.kill_all()
    assert world.target("half.txt") is None
    world.say("half.txt", "work")
    world.restart_function()
    world.wait_with_replays(lambda: world.target("half.txt") == b"HALF", "the target from a second delivery")
    left = uploads()  # one, or more where the connector had tried again before the kill
    assert set(left) == {"half.txt"}, "the first one's parts are still there, and no listing shows them"
    for name, value in world.settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(command, "UPLOAD_AGE_SECONDS", -5)  # an hour, in which a live one may still grow
    assert cli.main(["reconcile", str(world.upper), "--check"]) == 1
    assert f"{len(left)} abandoned uploads found" in capfd.readouterr().out
    assert cli.main(["reconcile", str(world.upper)]) == 0
    assert uploads() == []
    assert world.target("half.txt") == b"HALF"


def test_new_options_make_every_target_stale_until_reconcile(world: World) -> None:
    for number in range(3):
        world.put(f"upgrade/{number}.txt")
    wait_until(lambda: world.target("upgrade/2.txt") == b"TEXT", "targets")
    wait_until(quiet(lambda: "3 agreeing" in world.reconcile("--check", "--prefix", "upgrade/")), "all targets")
    world.end_function()
    world.restart_function({"OPTION_REPEAT": "2"})
    assert "3 stale" in world.reconcile("--check", "--prefix", "upgrade/", repeat=2, code=1)
    assert world.target("upgrade/0.txt") == b"TEXT", "an old target stays until its turn comes"
    assert "3 processed" in world.reconcile("--prefix", "upgrade/", repeat=2)
    assert [world.target(f"upgrade/{number}.txt") for number in range(3)] == [b"TEXTTEXT"] * 3
    assert "3 agreeing" in world.reconcile("--check", "--prefix", "upgrade/", repeat=2)
    world.end_function()
    world.restart_function()


def test_credentials_are_rotated_without_losing_an_event(world: World) -> None:
    def user(name: str) -> dict[str, str]:
        world.minio.mc("admin", "user", "add", "lake", name, f"{name}-secret")
        world.minio.mc("admin", "policy", "attach", "lake", "readwrite", "--user", name)
        return {"MINIO_ACCESS_KEY": name, "MINIO_SECRET_KEY": f"{name}-secret"}

    world.end_function()
    world.restart_function(user("before"))
    world.put("rotated.txt")
    wait_until(lambda: world.target("rotated.txt") == b"TEXT", "a target with the first credentials")
    second = user("after")
    world.minio.mc("admin", "user", "disable", "lake", "before")
    retried = world.tries("retry")
    world.put("waiting.txt")
    world.client.remove_object("upload", "rotated.txt")
    wait_until(lambda: world.tries("retry") >= retried + 2, "retries, for refused credentials are temporary")
    assert world.target("rotated.txt") == b"TEXT", "and nothing is taken for removed"
    world.end_function()
    world.restart_function(second)
    world.wait_with_replays(lambda: world.target("waiting.txt") == b"TEXT", "the target with the second credentials")
    world.wait_with_replays(lambda: world.target("rotated.txt") is None, "the removal made up for")
    world.end_function()
    world.restart_function()
