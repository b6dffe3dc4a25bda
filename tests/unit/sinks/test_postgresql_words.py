"""Words as PostgreSQL finds them: what is written is found by each of its own words."""

from __future__ import annotations

import doctest
import re

from hypothesis import given
from hypothesis import strategies as st
from penstock.errors import EventError
from penstock.sinks import document, postgresql_words


def test_examples_of_the_words_hold() -> None:
    assert doctest.testmod(postgresql_words).failed == 0


@given(st.text(max_size=60))
def test_what_is_written_is_found_by_each_of_its_own_words(text: str) -> None:
    """The text form has no character that PostgreSQL would read as an operator or a quote."""
    written = postgresql_words.vector(text)
    assert re.fullmatch(r"('[^\W_]+':[\d,]+ ?)*", written)
    try:
        words = document.query_words(postgresql_words.fold(text)[:40], 20, 0)
    except EventError:
        return
    lexemes = set(re.findall(r"'([^']+)'", written))
    for word in words[:-1]:  # the last one may be cut
        assert word.rstrip("*") in lexemes
    assert re.fullmatch(r"'[^\W_]+'(:\*)?( & '[^\W_]+'(:\*)?)*", postgresql_words.query(words))


def test_word_of_a_long_text_has_as_many_positions_as_the_server_takes() -> None:
    written = postgresql_words.vector("a " * 300 + "b " * 17_000 + "c")
    found = dict(re.findall(r"'(\w)'(?::([\d,]+))?", written))
    assert len(found["a"].split(",")) == 255
    assert found["b"].startswith("301,")
    assert found["c"] == ""
