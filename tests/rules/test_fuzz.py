"""Any path, pattern, host and header: matching answers, explains the same, and ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from traffic_mirror.rules import compile_rules
from traffic_mirror.spec.model import Api, Match, Rule, Spec, TykMatching

LONG = b"/" + b"a" * 100_000
CORPUS = [
    b"",
    b"*",
    b"/",
    b"//",
    b"/..",
    b"/a/../../etc/passwd",
    b"/%",
    b"/%2",
    b"/%2F%2f%252F",
    b"/%00",
    b"/%ff%fe",
    b"/\xff\xfe",
    b"/a?b?c#d",
    b"?",
    b"http://h/a",
    b"http://",
    b"h:443",
    b"/a;b=c,d",
    b"/\x00\n\r",
    b"/" * 20_000,
    LONG,
    LONG + b"!",
    b"/" + b"%41" * 30_000,
    b"/x?" + b"q=1&" * 30_000,
]
RULES = tuple(
    Rule(name=path, path=path, match=match)
    for path, match in [
        ("/users/{id}", Match()),
        ("/{a}/{b:[0-9]+}/*", Match()),
        ("/a*b*c", Match()),
        ("^/(a+)+$", Match()),
        ("^/(a|aa)+!$", Match()),
        ("^(/[^/]*)*$", Match(query=(("q", "^(1|1)*$"),))),
        ("/*", Match(headers=(("X", "^(x+x+)+y$"),))),
    ]
)
HOSTS = ("a.test", "*.b.test")
# Linear work takes a fraction of this; what does not end takes all of it.
FUZZ = settings(
    max_examples=400, deadline=timedelta(seconds=10), suppress_health_check=[HealthCheck.too_slow]
)
ANY = compile_rules(
    Spec(
        apis=(
            Api(name="hosts", hosts=HOSTS, listen_path="/l/", rules=RULES),
            Api(name="tyk", listen_path="/{v}/", tyk=TykMatching(prefix_matching=True), rules=RULES[:2]),
            Api(name="any", rules=RULES),
        )
    )
)


def match(method: str, host: str, target: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """What takes a request takes it when it is asked why, too."""
    assert ANY.explain(method, host, target, headers).route == ANY.match(method, host, target, headers)


@pytest.mark.parametrize("target", CORPUS, ids=lambda target: repr(target[:20]))
def test_a_hostile_target(target: bytes) -> None:
    match("GET", "a.test", target)
    match("GET", "", b"/l" + target)
    match("GET", "a.test", target, ((b"X", b"x" * 10_000),))


@FUZZ
@given(st.data())
def test_any_change_to_a_target(data: st.DataObject) -> None:
    target = data.draw(st.sampled_from(CORPUS))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, min(len(target), 200)))
        end = data.draw(st.integers(start, len(target)))
        put = data.draw(
            st.one_of(st.binary(max_size=8), st.sampled_from([b"/", b"%2f", b"%", b"?", b"{}", b".."]))
        )
        target = target[:start] + put + target[end:]
    match("GET", "a.test", target)


@FUZZ
@given(
    st.text(max_size=10),
    st.text(max_size=30),
    st.binary(max_size=60),
    st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=20)), max_size=5).map(tuple),
)
@example("GET", "a.test:80", b"/", ())
@example("", "[::1]:80", b"/l/", ((b"x", b"\xff"),))
@example("get", "A.B.TEST.", b"/l/users/1", ((b"", b""),))
def test_any_request(method: str, host: str, target: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    match(method, host, target, headers)
