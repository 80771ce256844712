"""Places: what is one, and what is not and why."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic_mirror.spec.place import PlaceError, parse_json_path, parse_place

PIECES = st.sampled_from(
    [
        ".",
        "..",
        "a",
        "*",
        "[",
        "]",
        "[*]",
        "[3]",
        "['a b']",
        '["x"]',
        "'",
        '"',
        " ",
        "/",
        "//",
        "@",
        "text()",
        "\\",
        "é",
    ]
)
PATHS = st.lists(PIECES, max_size=6).map("".join)


@pytest.mark.parametrize(
    "place",
    [
        "status",
        "header:Name",
        "header:X-*",
        "body",
        "body:bytes",
        "body:line 3",
        "body:line *",
        "body:$.a",
        "body:$",
        "body:$..a[*]['b c'][0]",
        "body://item[2]/@id",
        "body:/a/text()",
    ],
)
def test_a_place_is_understood(place: str) -> None:
    assert parse_place(place).part == place.partition(":")[0]


@pytest.mark.parametrize(
    "place",
    ["", "stat", "header:", "body:", "body:a", "body:$a", "body:$.", "body:$[", "body:/", "body:line x"],
)
def test_what_is_no_place_is_told(place: str) -> None:
    with pytest.raises(PlaceError):
        parse_place(place)


@given(PATHS)
def test_whatever_is_written_is_a_place_or_an_error(path: str) -> None:
    for place in (f"body:${path}", f"body:/{path}", f"body:{path}", f"header:{path}", path):
        with contextlib.suppress(PlaceError):
            assert parse_place(place).part == place.partition(":")[0]


def test_a_quoted_star_is_a_key_and_not_all_of_them() -> None:
    assert [step.leads_to("a") for step in parse_json_path("$['*'][*].*")] == [False, True, True]


def test_the_words_for_a_bad_place() -> None:
    with pytest.raises(PlaceError) as caught:
        parse_place("body:$.a[")
    assert str(caught.value) == "no .name, ..name, [*], [3] or ['name'] at character 4 of $.a["
