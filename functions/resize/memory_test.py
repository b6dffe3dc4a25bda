"""The budget: what fits, what waits, what never fits, and where the limit comes from."""

import gc
import threading
from pathlib import Path

import pytest
from penstock import Body, InputTooLarge, TemporaryError
from penstock.testing import Lake

from . import memory
from .handler import handle
from .memory import FREE_INPUT_BYTES, MIB, Budget, Share, budget_bytes, container_limit
from .samples import flat, photo, resize, saved


def groups(root: Path, files: dict[str, str], own: str) -> int | None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "own").write_text(own)
    return container_limit(root, root / "own")


@pytest.mark.parametrize(
    ("files", "own", "limit"),
    [
        ({"memory.max": "536870912\n"}, "0::/\n", 512 * MIB),
        ({"memory.max": "max\n"}, "0::/\n", None),
        ({"memory/memory.limit_in_bytes": "134217728\n"}, "4:memory:/\n0::/\n", 128 * MIB),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, "4:memory:/\n", None),
        ({"a/memory.max": "1000000\n", "a/b/memory.max": "max\n"}, "0::/a/b\n", 1_000_000),
        (
            {"memory/a/b/memory.limit_in_bytes": "5000\n", "memory/a/memory.limit_in_bytes": "4000\n"},
            "4:memory:/a/b\n",
            4000,
        ),
        ({"memory.max": "junk"}, "junk", None),
        ({}, "", None),
    ],
)
def test_the_limit_is_that_of_the_control_groups(
    tmp_path: Path, files: dict[str, str], own: str, limit: int | None
) -> None:
    assert groups(tmp_path, files, own) == limit


def test_the_budget_is_what_the_interpreter_and_waiting_inputs_leave() -> None:
    assert budget_bytes(512 * MIB, threads=4, workers=1) == 440 * MIB
    assert budget_bytes(128 * MIB, threads=1, workers=1) == 80 * MIB
    assert budget_bytes(512 * MIB, threads=4, workers=2) == 184 * MIB
    assert budget_bytes(1, threads=4, workers=1) == 16 * MIB


def test_what_does_not_fit_waits_until_it_does() -> None:
    budget, order = Budget(100), list[str]()
    first = Share("a", budget)
    first.set(70)

    def second() -> None:
        share = Share("b", budget)
        share.set(50)
        order.append("second has it")
        share.release()

    thread = threading.Thread(target=second)
    thread.start()
    while not budget.is_waited_for:  # the second one waits
        pass
    order.append("first gives it back")
    first.release()
    thread.join()
    assert order == ["first gives it back", "second has it"]
    assert budget.used == 0


def test_waiting_ends() -> None:
    budget = Budget(100, patience_seconds=0.01)
    held = threading.Thread(target=lambda: budget.take("a", 70))
    held.start()
    held.join()
    with pytest.raises(TemporaryError, match="b: other pictures take the memory"):
        Share("b", budget).set(31)
    Share("b", budget).set(30)


def test_a_thread_does_not_wait_for_itself() -> None:
    budget = Budget(100, patience_seconds=0.01)
    first, second = Share("a", budget), Share("b", budget)
    first.set(90)
    second.set(90)
    assert budget.used == 180
    second.set(10)
    assert budget.used == 100


def test_a_share_ends_with_its_last_reference() -> None:
    budget = Budget(100)
    share = Share("a", budget)
    share.set(90)
    del share
    gc.collect()
    assert budget.used == 0


def with_budget(monkeypatch: pytest.MonkeyPatch, total: int) -> Budget:
    budget = Budget(total, patience_seconds=5)
    monkeypatch.setattr(memory, "shared", lambda: budget)
    return budget


def test_a_picture_that_never_fits_is_refused_with_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = with_budget(monkeypatch, 220 * MIB)
    data = saved(flat(3600, 3600, (1, 2, 3)), "avif")
    assert len(data) < 10_000
    with pytest.raises(
        InputTooLarge, match=r"3600x3600 as AVIF takes about \d+ MiB .* has 220 MiB for pictures; raise"
    ):
        resize(data, width=100)
    assert budget.used == 0
    assert resize(saved(flat(3600, 3600, (1, 2, 3)), "jpeg"), width=100).data


def test_a_result_that_never_fits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with_budget(monkeypatch, 100 * MIB)
    data = saved(flat(64, 64, (1, 2, 3)), "png")
    with pytest.raises(InputTooLarge, match="64x64 as PNG takes about"):
        resize(data, width=3000, enlarge=True, format="avif")
    assert resize(data, width=3000, enlarge=True, format="jpeg").data


def test_a_rendition_that_never_fits_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = with_budget(monkeypatch, 100 * MIB)
    renditions: dict[str, dict[str, object]] = {
        "huge": {"width": 3000, "enlarge": True, "format": "avif"},
        "thumb": {"width": 20},
    }
    lake = Lake(handle, sink="s3://processed/{rendition}/{key}", renditions=renditions)
    lake.put("a.png", saved(flat(64, 64, (1, 2, 3)), "png"))
    assert set(lake.outputs()) == {"thumb/a.png"}
    assert budget.used == 0


def test_nothing_stays_taken_whatever_becomes_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = with_budget(monkeypatch, 200 * MIB)
    data = saved(photo(300, 200), "jpeg")
    resize(data, width=100)
    resize(data, width=100, trim=10)
    for broken in (data[:2000], data[:100], b"text"):
        with pytest.raises(Exception, match=r"rose\.jpg"):
            resize(broken, width=100)
    assert budget.used == 0


def test_trim_has_memory_for_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with_budget(monkeypatch, 100 * MIB)
    line = flat(1000, 1000, (255, 255, 255)).draw_rect([0, 0, 0], 10, 500, 900, 30, fill=True)
    with pytest.raises(InputTooLarge, match="takes about"):
        resize(saved(line, "png"), trim=10, height=1000, enlarge=True, format="avif")


def test_the_pictures_of_all_threads_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = with_budget(monkeypatch, 40 * MIB)
    most, data = [0], saved(photo(800, 700), "avif")
    taken = budget.take

    def take(name: str, size: int) -> None:
        taken(name, size)
        most[0] = max(most[0], budget.used)

    monkeypatch.setattr(budget, "take", take)
    threads = [threading.Thread(target=lambda: resize(data, width=100)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 20 * MIB < most[0] <= 40 * MIB
    assert budget.used == 0


def test_a_large_input_is_read_while_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = with_budget(monkeypatch, 100 * MIB)
    small, large = bytes(FREE_INPUT_BYTES), [bytes(FREE_INPUT_BYTES)] * 2
    share = Share("a", budget)
    assert share.read(Body.of(small), len(small)) == small
    assert budget.used == 0
    assert share.read(Body(lambda: large), -1) == b"".join(large)
    assert budget.used == budget.total


@pytest.mark.parametrize("size", [60 * MIB, -1])
def test_an_input_larger_than_the_budget_is_refused(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    budget = with_budget(monkeypatch, 100 * MIB)
    share = Share("a", budget)
    with pytest.raises(InputTooLarge, match="the file alone takes about 120 MiB"):
        share.read(Body(lambda: [bytes(MIB)] * 60), size)
    share.release()
    assert budget.used == 0
