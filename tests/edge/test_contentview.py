"""The content view "Mirror diff": what a person reads of two answers, bounded, and never chosen by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from mitmproxy import contentviews, http
from mitmproxy.contentviews import Metadata
from mitmproxy.flow import Flow
from mitmproxy.test import taddons, tflow

from tests.edge.shown_copies import failed, primary, shown
from traffic_mirror.edge import diff
from traffic_mirror.edge.contentview import NAME, MirrorDiff, diff_text
from traffic_mirror.edge.shown import COPIES, make_copy_flow
from traffic_mirror.wire.frames import Shown

DIFF = "\n".join(
    (
        "→ shadow: delivered 2xx; differ",
        " ",
        "body $.price  differs",
        "  primary: 10",
        "  copy:    12",
        " ",
        "header X-New  only in the copy",
        '  copy:    "1"',
        " ",
        "--- primary",
        "+++ copy",
        "@@ -1,4 +1,4 @@",
        " {",
        '-    "price": 10,',
        '+    "price": 12,',
        '     "name": "a"',
        " }",
        " ",
        "Set aside as noise: 2 places (2 timestamp)",
        "",
    )
)


class Pair:
    """An original and its copies, and a view that knows them."""

    def __init__(self, *answers: tuple[Shown, bytes], body: bytes = b'{"price": 10, "name": "a"}') -> None:
        self.original = primary(body)
        self.copies = []
        for frame, answer in answers:
            copy = make_copy_flow(_of(frame, self.original), answer, self.original)
            self.copies.append(copy)
            self.original.metadata.setdefault(COPIES, []).append(copy.id)

    def find(self, flow_id: str) -> Flow | None:
        return {flow.id: flow for flow in (self.original, *self.copies)}.get(flow_id)


def _of(frame: Shown, original: http.HTTPFlow) -> Shown:
    import msgspec

    return msgspec.structs.replace(frame, id=original.id)


@pytest.fixture(autouse=True)
def tool() -> Iterator[None]:
    """A tool with mitmproxy's options, which its content views ask for."""
    with taddons.context():
        yield


@pytest.fixture
def pair() -> Pair:
    return Pair((shown(""), b'{"price": 12, "name": "a"}'))


def test_the_diff_reads_the_same_from_either_flow(pair: Pair) -> None:
    assert diff_text(pair.copies[0], pair.find) == DIFF
    assert diff_text(pair.original, pair.find) == DIFF


def test_it_is_a_content_view_that_is_never_chosen_by_itself(pair: Pair) -> None:
    contentviews.add(MirrorDiff(pair.find))
    response = pair.original.response
    assert response is not None
    pretty = contentviews.prettify_message(response, pair.original, "mirror diff")
    assert (pretty.view_name, pretty.text, pretty.syntax_highlight) == (NAME, DIFF, "none")
    assert contentviews.prettify_message(response, pair.original).view_name == "JSON"


def test_on_a_request_it_shows_what_was_changed_for_the_copy(pair: Pair) -> None:
    text = MirrorDiff(pair.find).prettify(
        b"", Metadata(flow=pair.copies[0], http_message=pair.copies[0].request)
    )
    lines = text.splitlines()
    assert "+GET /base/items/7?x=1" in lines
    assert "+X-Traffic-Mirror: true" in lines
    assert "-GET /path" in lines


def test_every_copy_of_a_flow_is_shown_and_a_failed_one_says_why() -> None:
    pair = Pair((shown(""), b'{"price": 12, "name": "a"}'), (failed("", destination="dead"), b""))
    text = diff_text(pair.original, pair.find)
    assert text.startswith(DIFF)
    assert "→ dead: failed connect; not compared\n  connect: Connection refused" in text
    assert "The copy's answer is not there" in text


def test_answers_alike_are_said_to_be() -> None:
    pair = Pair((shown("", verdict="match", differences=(), set_aside=()), b'{"price": 10, "name": "a"}'))
    assert diff_text(pair.copies[0], pair.find).endswith("primary and copy are the same, 4 lines.\n")


UNLIKE = {
    "at the end of a long line": (b"a" * 700 + b"x", b"a" * 700 + b"y", "-" + "a" * 100 + "x"),
    "in bytes that are no text": (
        b"\0" * 40 + b"\xff",
        b"\0" * 40 + b"\xfe",
        "-0020:",
    ),
    "in bytes that are half text": (bytes(range(256)) * 4 + b"\0", bytes(range(256)) * 4 + b"\1", "-0400:"),
    "beyond what is shown": (b"a\n" * 50_000 + b"x", b"a\n" * 50_000 + b"y", "they differ further on"),
    "in bytes that look alike": (b"a\xff", b"a\xfe", "-0000:   61 ff"),
}


@pytest.mark.parametrize(("left", "right", "line"), UNLIKE.values(), ids=UNLIKE)
def test_bodies_that_differ_are_never_said_to_be_the_same(left: bytes, right: bytes, line: str) -> None:
    pair = Pair((shown("", response_headers=()), right), body=left)
    assert pair.original.response is not None
    pair.original.response.headers.clear()
    text = diff_text(pair.copies[0], pair.find)
    assert "are the same" not in text
    assert line in text


def test_empty_bodies_are_said_to_be_empty() -> None:
    pair = Pair((shown("", set_aside=()), b""), body=b"")
    assert diff_text(pair.copies[0], pair.find).endswith("primary and copy are both empty.\n")


@pytest.mark.parametrize("flow", [tflow.tflow(), primary()], ids=["no answer", "answered"])
def test_a_flow_without_copies_says_so(flow: http.HTTPFlow) -> None:
    assert diff_text(flow, lambda _: None).startswith("No copy of this flow is shown")


def test_other_protocols_are_no_business_of_the_mirror() -> None:
    assert "HTTP only" in MirrorDiff(lambda _: None).prettify(b"", Metadata(flow=tflow.ttcpflow()))


HOSTILE = {
    "many equal lines": (b"a\n" * 40_000, b"b\na\n" * 20_000),
    "few long lines": (b"a" * 120_000, b"b" * 120_000),
    "too large": (b"x" * 10_000_000, b"y" * 10_000_000),
    "deep": (b"[" * 900 + b"]" * 900, b"[" * 899 + b"]" * 899),
    "not text": (bytes(range(256)) * 400, bytes(reversed(range(256))) * 400),
    "lines in reverse": (
        "\n".join(map(str, range(9000))).encode(),
        "\n".join(map(str, range(9000, 0, -1))).encode(),
    ),
}


@pytest.mark.parametrize(("left", "right"), HOSTILE.values(), ids=HOSTILE)
def test_its_work_and_its_text_are_bounded(left: bytes, right: bytes) -> None:
    pair = Pair((shown("", response_headers=()), right), body=left)
    assert pair.original.response is not None
    pair.original.response.headers.clear()
    text = diff_text(pair.copies[0], pair.find)
    assert len(text.splitlines()) < diff.MAX_DIFF + 20
    assert len(text) < 600_000


def test_a_bomb_is_not_unpacked_into_the_diff() -> None:
    import zlib

    pair = Pair((shown(""), b"{}"), body=b"{}")
    assert pair.original.response is not None
    pair.original.response.headers["Content-Encoding"] = "deflate"
    pair.original.response.raw_content = zlib.compress(b"a" * 5_000_000)
    assert "too large to be shown" in diff_text(pair.copies[0], pair.find)


def test_many_differences_are_cut_and_counted() -> None:
    from traffic_mirror.compare.model import Difference

    many = tuple(Difference(f"body:$.a{n}", "value", n, n + 1) for n in range(250))
    pair = Pair((shown("", differences=many), b"{}"), body=json.dumps({"a": "b"}).encode())
    assert "… and 150 more" in diff_text(pair.copies[0], pair.find)
