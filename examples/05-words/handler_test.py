from pathlib import Path

from penstock.testing import Lake, run

from .handler import handle

ROSES = b"Roses are red, roses are sweet.\n"


def test_document_says_what_the_text_is_about() -> None:
    made = run(handle, ROSES)
    assert made.document == {"kind": "text", "words": 3, "text": {"beginning": "roses sweet"}}


def test_object_is_found_by_its_words(tmp_path: Path) -> None:
    with Lake(handle, sink=f"sqlite://{tmp_path}/index.db") as lake:
        lake.put("poems/rose.txt", ROSES)
        lake.put("poems/violet.txt", b"Violets are blue.\n")
        assert lake.query(q="sweet") == {"keys": ["poems/rose.txt"]}
        lake.remove("poems/rose.txt")
        assert lake.query(q="sweet") == {"keys": []}
