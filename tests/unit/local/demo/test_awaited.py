"""What the demo waits for ends: done, given up with one reason, or needless since what it needs was given up."""

from pathlib import Path

from penstock.delivery.inbox import Inbox
from penstock.local.demo.awaited import Expectation
from penstock.local.gateway.invocations import Invocation
from penstock.local.gateway.router import Router
from penstock.settings.stackfile import FunctionSpec
from penstock.types import ObjectRef

CSV = ObjectRef("upload", "a.csv")


def expectation(folder: Path) -> Expectation:
    """The chain compress, index: what compress makes of `a.csv` is indexed."""
    inbox = Inbox(folder / "inbox.sqlite")
    router = Router(inbox)
    router.configure(
        [
            FunctionSpec(
                "compress", folder, environment={"SOURCE": "s3://upload/*.csv", "SINK": "s3://processed/{key}.gz"}
            ),
            FunctionSpec(
                "index", folder, environment={"SOURCE": "s3://processed/*", "SINK": f"sqlite://{folder}/i.sqlite"}
            ),
        ]
    )
    inbox.close()
    expected = Expectation(router.routes)
    expected.expect(CSV)
    return expected


def answered(status: int, **answer: object) -> Invocation:
    source = {"bucket": CSV.bucket, "key": CSV.key}
    return Invocation("compress", "POST", "/event", status, False, 0.1, 9, 9, "id", {"source": source, **answer})


def test_a_dead_letter_ends_the_wait_for_all_that_comes_after_it(tmp_path: Path) -> None:
    expected = expectation(tmp_path)
    assert expected.count() == (0, 2)

    assert expected.died("compress", CSV, "answered 500: boom")

    assert expected.count() == (2, 2)
    assert [each.refused for each in expected.awaited.values()] == ["answered 500: boom", ""]
    assert [each.needless for each in expected.awaited.values()] == [False, True]


def test_a_refusal_and_its_dead_letter_are_one_failure(tmp_path: Path) -> None:
    expected = expectation(tmp_path)
    expected.saw(answered(415, outcome="refused", reason="no CSV"))
    assert expected.died("compress", CSV, "answered 415: no CSV")
    assert [each.refused for each in expected.awaited.values()] == ["no CSV", ""]


def test_a_failure_that_is_tried_again_is_kept_as_the_last_answer(tmp_path: Path) -> None:
    expected = expectation(tmp_path)
    expected.saw(answered(500, outcome="failed", reason="unexpected error"))
    assert expected.count() == (0, 2)
    assert expected.awaited["compress", CSV].last == "unexpected error (answered 500)"


def test_a_dead_letter_of_something_else_is_not_taken(tmp_path: Path) -> None:
    assert not expectation(tmp_path).died("compress", ObjectRef("upload", "other.csv"), "answered 500")
