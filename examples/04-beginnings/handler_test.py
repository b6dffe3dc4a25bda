from penstock.testing import Lake, run

from .handler import handle

TEXT = b"".join(b"line %d\n" % number for number in range(100))


def test_as_many_lines_as_asked_for_are_kept() -> None:
    assert run(handle, TEXT, lines=2).text == "line 0\nline 1\n"


def test_each_rendition_has_its_own_length() -> None:
    lake = Lake(
        handle, sink="s3://processed/{rendition}/{key}", renditions={"card": {"lines": 1}, "page": {"lines": 20}}
    )
    lake.put("notes.txt", TEXT)
    lengths = {key: data.count(b"\n") for key, data in lake.outputs().items()}
    assert lengths == {"card/notes.txt": 1, "page/notes.txt": 20}
