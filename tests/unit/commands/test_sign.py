"""`penstock sign`: a URL for one object, and what is wrong with a request for one."""

from __future__ import annotations

import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from penstock.commands.flags import new_parser
from penstock.errors import ConfigError
from penstock.serving.signed_urls import check_signed
from penstock.types import ObjectRef

KEY = "the-key-of-the-page"


def sign(*words: str) -> int:
    from penstock.commands import sign

    parser = new_parser("sign", "make a URL")
    sign.add_arguments(parser)
    return sign.run(parser.parse_args(words))


def test_it_makes_a_url_that_the_key_opens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SIGNED_URL_KEY", f"{KEY} an-older-key-that-is-kept")
    words = ("--option", "times=2", "--for", "10m", "--url", "https://thumbs.example/")
    assert sign("s3://upload/a b.txt", *words) == 0
    url = urlsplit(capsys.readouterr().out.strip())
    assert (url.scheme, url.netloc, url.path) == ("https", "thumbs.example", "/read/upload/a%20b.txt")
    options, expires = check_signed([KEY], ObjectRef("upload", "a b.txt"), dict(parse_qsl(url.query)), time.time())
    assert options == {"times": "2"}
    assert time.time() + 500 < expires <= time.time() + 600


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["s3://upload/"], "the key is empty"),
        (["upload"], "the key is empty"),
        (["upload/a/../b"], "has a segment"),
        (["s3://upload/a", "--option", "times"], "expected NAME=VALUE"),
        (["s3://upload/a", "--option", "a=1", "--option", "a=2"], "given twice"),
        (["s3://upload/a", "--option", "expires=1"], "has a parameter of its own"),
        (["s3://upload/a", "--for", "soon"], "expected a duration"),
        (["s3://upload/two\nlines"], "end of a line"),
    ],
)
def test_it_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch, words: list[str], problem: str) -> None:
    monkeypatch.setenv("SIGNED_URL_KEY", KEY)
    with pytest.raises(ConfigError, match=problem):
        sign(*words)


def test_an_object_is_named_as_for_put_and_get(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGNED_URL_KEY", KEY)
    for name in ("upload/a b.txt", "s3://upload/a b.txt"):
        assert sign(name) == 0
        assert capsys.readouterr().out.startswith("/read/upload/a%20b.txt?")
    for name in ("http://upload/a", "UP/a", "s3:/upload/a", "/a"):
        with pytest.raises(SystemExit):
            sign(name)
        assert "write BUCKET/KEY" in capsys.readouterr().err


def test_it_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGNED_URL_KEY", raising=False)
    with pytest.raises(ConfigError, match="SIGNED_URL_KEY: not set"):
        sign("s3://upload/a.txt")
