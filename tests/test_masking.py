"""Secrets are hidden wherever they are, and nothing else is."""

from __future__ import annotations

import pytest

from traffic_mirror.masking import Masker


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bearer s3cret/x!", "Bearer ***"),
        ("/a?token=s3cret%2Fx%21&b=1", "/a?token=***&b=1"),
        ("/a/s3cret/x%21", "/a/***"),
        ("http://user:pw@host/", "http://***@host/"),
        ("mail me@there.test", "mail me@there.test"),
        ("https://host/a@b", "https://host/a@b"),
        ("short ab stays", "short ab stays"),
        ("", ""),
    ],
)
def test_text(text: str, shown: str) -> None:
    assert Masker(["s3cret/x!", "ab"]).text(text) == shown


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    assert Masker(["token", "token-long"]).text("token-long token") == "*** ***"


def test_values_are_hidden_at_any_depth() -> None:
    value = {"a": ["x s3cret", 1, None], "s3cret": True}
    assert Masker(["s3cret"]).value(value) == {"a": ["x ***", 1, None], "***": True}


@pytest.mark.parametrize(
    ("place", "value", "shown"),
    [
        ("header:Set-Cookie", "sid=1", "***"),
        ("header:authorization", ["a"], "***"),
        ("header:Set-Cookie", None, None),
        ("header:Server", "nginx", "nginx"),
        ("body:$.cookie", "sid=1", "sid=1"),
        ("status", 200, 200),
    ],
)
def test_what_a_difference_shows(place: str, value: object, shown: object) -> None:
    assert Masker().at(place, value) == shown
