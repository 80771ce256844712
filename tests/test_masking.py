"""Secrets are hidden wherever they are, and nothing else is."""

from __future__ import annotations

import pytest

from traffic_mirror.masking import Masker, credentials_in


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


WRITTEN = [
    ("as it is", 'a/"b" c+d&<é>'),
    ("URL", "a%2F%22b%22%20c%2Bd%26%3C%C3%A9%3E"),
    ("URL, small letters", "a%2f%22b%22%20c%2bd%26%3c%c3%a9%3e"),
    ("path", "a/%22b%22%20c%2Bd%26%3C%C3%A9%3E"),
    ("form", "a%2F%22b%22+c%2Bd%26%3C%C3%A9%3E"),
    ("JSON", r"a/\"b\" c+d&<é>"),
    ("JSON in ASCII", r"a/\"b\" c+d&<\u00e9>"),
    ("JSON, slashes escaped", r"a\/\"b\" c+d&<\u00e9>"),
    ("HTML", "a/&quot;b&quot; c+d&amp;&lt;é&gt;"),
    ("HTML's text", 'a/"b" c+d&amp;&lt;é&gt;'),
]


@pytest.mark.parametrize(("written"), [text for _, text in WRITTEN], ids=[name for name, _ in WRITTEN])
def test_a_secret_is_hidden_however_it_is_written(written: str) -> None:
    secret = WRITTEN[0][1]
    assert Masker([secret]).text(f"({written})") == "(***)"


def test_a_credential_s_token_is_hidden_however_it_is_written() -> None:
    found = tuple(credentials_in([(b"Authorization", b"Basic 0123/4567+89ab=")]))
    for written in ("0123/4567+89ab", "0123%2F4567%2B89ab", "0123%2f4567%2b89ab", r"0123\/4567+89ab"):
        assert Masker().also(found).text(f"<{written}>") == "<***>"


def test_a_cookie_s_value_is_hidden_decoded_too() -> None:
    found = credentials_in([(b"Cookie", b"sid=s%3A0123456789abcdef")])
    assert Masker().also(found).text("session s:0123456789abcdef ended") == "session *** ended"


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
