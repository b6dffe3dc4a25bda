"""The mark in a target's comment tells its lake."""

from __future__ import annotations

from penstock.lake.ownership import Comment, mark


def test_a_mark_tells_its_lake_and_the_secrets_it_was_made_with() -> None:
    comment = Comment.parse(mark("for the night run", "night", {"auth_token": "one"}))

    assert (comment.text, comment.lake) == ("for the night run", "night")
    assert comment.holds({"auth_token": "one"})
    assert not comment.holds({"auth_token": "two"})
    assert not comment.holds({})
    assert Comment.parse(mark("", "night", {})).holds({})


def test_a_comment_of_another_owner_is_not_a_mark() -> None:
    assert Comment.parse("about penstock:night and more").lake == ""
    assert Comment.parse("").lake == ""
