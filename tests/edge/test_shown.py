"""A copy as a flow: what it was sent as, how it ended, and the words and marks for both."""

from __future__ import annotations

import io as stdlib_io

import pytest
from mitmproxy import flowfilter, http, io

from tests.edge.shown_copies import failed, primary, shown
from traffic_mirror.compare.model import Difference
from traffic_mirror.edge.shown import (
    MARKS,
    differences_of,
    make_copy_flow,
    mark_of,
    set_aside_of,
    summary_of,
    worst_mark,
)


def test_a_copy_is_a_flow_with_its_own_request_and_answer() -> None:
    original = primary()
    copy = make_copy_flow(shown(original.id), b'{"price": 12}', original)
    assert copy.id != original.id
    assert copy.request.url == "https://shadow.test:8443/base/items/7?x=1"
    assert copy.request.headers.fields[1] == (b"X-Traffic-Mirror", b"true")
    assert copy.request.raw_content == original.request.raw_content
    assert copy.response is not None
    assert (copy.response.status_code, copy.response.content) == (200, b'{"price": 12}')
    assert copy.response.timestamp_start == pytest.approx(1_700_000_000.01)
    assert copy.response.timestamp_end == pytest.approx(1_700_000_000.0123)
    assert copy.timestamp_created == original.timestamp_created
    assert copy.is_replay == "request"
    assert copy.error is None


def test_a_failed_copy_has_an_error_and_no_answer() -> None:
    original = primary()
    copy = make_copy_flow(failed(original.id), b"", original)
    assert copy.response is None
    assert copy.error is not None
    assert copy.error.msg == "connect: Connection refused"
    assert copy.marked == ":x:"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        pytest.param("http://h:1/a?", b"/a?", id="a lone question mark"),
        pytest.param("http://h:1/a/../b", b"/a/../b", id="dots"),
        pytest.param("http://h:1/x#y", b"/x#y", id="a hash, which servers may get"),
        pytest.param("http://h:1", b"/", id="no path"),
    ],
)
def test_the_target_stays_as_it_was_sent(url: str, path: bytes) -> None:
    original = primary()
    assert make_copy_flow(shown(original.id, url=url), b"", original).request.data.path == path


def test_a_copy_that_was_dropped_before_it_was_made_shows_the_request_it_would_be_made_of() -> None:
    original = primary()
    frame = failed(
        original.id, outcome="dropped", reason="breaker_open", headers=(), url="https://shadow.test"
    )
    copy = make_copy_flow(frame, b"", original)
    assert copy.request.pretty_url == "https://shadow.test/path"
    assert copy.request.headers == original.request.headers


def test_a_body_that_was_changed_for_the_copy_is_shown_changed() -> None:
    original = primary()
    copy = make_copy_flow(shown(original.id, request_body=b"***"), b"", original)
    assert copy.request.content == b"***"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({}, "shadow: 200 in 12 ms, differs: body $.price (1 more)", id="differs"),
        pytest.param(
            {"differences": (Difference("status", "value", 200, 500),), "status": 500, "reason": "5xx"},
            "shadow: 500 in 12 ms, differs: status",
            id="one place",
        ),
        pytest.param(
            {"verdict": "match", "differences": (), "seconds": 1.5},
            "shadow: 200 in 1.50 s, matches",
            id="matches",
        ),
        pytest.param(
            {"verdict": "incomparable", "verdict_reason": "streamed", "differences": ()},
            "shadow: 200 in 12 ms, incomparable: streamed",
            id="incomparable",
        ),
        pytest.param({"verdict": "", "differences": ()}, "shadow: 200 in 12 ms", id="not compared"),
        pytest.param(
            {"outcome": "dropped", "reason": "queue_full", "status": 0, "verdict": ""},
            "shadow: dropped: queue_full",
            id="dropped",
        ),
    ],
)
def test_how_a_copy_ended_in_a_few_words(changes: dict[str, object], words: str) -> None:
    assert summary_of(shown("f", **changes)) == words


def test_marks_are_ones_that_mitmproxy_knows_and_the_worst_comes_first() -> None:
    from mitmproxy.utils import emoji

    assert set(MARKS.values()) <= set(emoji.emoji)
    assert mark_of("delivered", "match") == MARKS["match"]
    assert mark_of("delivered", "") == MARKS["delivered"]
    assert mark_of("failed", "") == MARKS["failed"]
    assert worst_mark([MARKS["match"], MARKS["failed"], MARKS["differ"]]) == MARKS["failed"]


def test_filters_find_copies() -> None:
    original = primary()
    copy = make_copy_flow(shown(original.id), b"{}", original)
    for expression in ("~replayq", "~comment differs", "~marker diamond", '~meta "mirror.verdict: differ"'):
        matches = flowfilter.parse(expression)
        assert matches(copy), expression
        assert not matches(original), expression


def test_a_saved_copy_reads_back_whole() -> None:
    original = primary()
    copy = make_copy_flow(
        shown(original.id, differences=(Difference("body:$", "type", {"a": [1, None, "é"]}, 1.5),)),
        b"{}",
        original,
    )
    file = stdlib_io.BytesIO()
    io.FlowWriter(file).add(copy)
    file.seek(0)
    (read,) = io.FlowReader(file).stream()
    assert isinstance(read, http.HTTPFlow)
    assert differences_of(read) == differences_of(copy)
    assert [it.why for it in set_aside_of(read)] == ["timestamp", "timestamp"]
