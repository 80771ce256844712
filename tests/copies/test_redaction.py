"""Redaction in bodies: masked, sent untouched where there is nothing to mask, or refused; never leaked."""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traffic_mirror.copies import Unredactable
from traffic_mirror.copies.redaction import MAX_DECODED, compile_json_mask
from traffic_mirror.spec.place import PlaceError, parse_json_path

JSON = ((b"Content-Type", b"application/json; charset=utf-8"),)


def masked(body: bytes, *places: str, headers: tuple[tuple[bytes, bytes], ...] = JSON) -> bytes:
    mask = compile_json_mask(places)
    assert mask is not None
    made = mask.apply(headers, body)
    assert made is not None
    return made


PLACES = [
    ("$.a", '{"a":1,"b":2}', '{"a":"***","b":2}'),
    ("$.a", '{"a":{"b":[1]}}', '{"a":"***"}'),
    ("$.a.b", '{"a":{"b":1,"c":2},"b":3}', '{"a":{"b":"***","c":2},"b":3}'),
    ("$.a[1]", '{"a":[1,2,3]}', '{"a":[1,"***",3]}'),
    ("$.a[*].b", '{"a":[{"b":1},{"b":2,"c":3},4]}', '{"a":[{"b":"***"},{"b":"***","c":3},4]}'),
    ("$.*", '{"a":1,"b":[2]}', '{"a":"***","b":"***"}'),
    ("$[0]", "[1,2]", '["***",2]'),
    (
        "$..b",
        '{"b":1,"a":[{"b":{"b":2}},{"c":[{"b":3}]}]}',
        '{"b":"***","a":[{"b":"***"},{"c":[{"b":"***"}]}]}',
    ),
    ("$..a..b", '{"b":1,"a":{"x":{"b":2},"b":3}}', '{"b":1,"a":{"x":{"b":"***"},"b":"***"}}'),
    ("$..a[0]", '{"a":[1,2],"x":{"a":[3]}}', '{"a":["***",2],"x":{"a":["***"]}}'),
    ("$['a b']['c\\'d']", '{"a b":{"c\'d":1}}', '{"a b":{"c\'d":"***"}}'),
    ('$["a.b"]', '{"a.b":1}', '{"a.b":"***"}'),
    ("$..['b']", '{"a":{"b":1}}', '{"a":{"b":"***"}}'),
    ("$", '{"a":1}', '"***"'),
    ("$.é", '{"é":1,"x":"ü"}', '{"é":"***","x":"ü"}'),
]


@pytest.mark.parametrize(
    ("place", "body", "expected"), PLACES, ids=[f"{p} {n}" for n, (p, _, _) in enumerate(PLACES)]
)
def test_a_place_is_masked(place: str, body: str, expected: str) -> None:
    assert masked(body.encode(), place) == expected.encode()


def test_places_are_masked_together() -> None:
    assert (
        masked(b'{"a":1,"b":[{"c":2}],"d":3}', "$.a", "$..c", "$.none")
        == b'{"a":"***","b":[{"c":"***"}],"d":3}'
    )


@pytest.mark.parametrize(
    "place",
    [
        "",
        "a",
        "$a",
        "$.",
        "$.a.",
        "$[",
        "$[]",
        "$[-1]",
        "$[a]",
        "$['a]",
        "$.a[0",
        "$.a b",
        "$[1:2]",
        "$..",
        "$...a",
    ],
)
def test_what_is_no_place_is_refused_in_words(place: str) -> None:
    with pytest.raises(PlaceError, match=r"no \.name, \.\.name|does not start with \$"):
        parse_json_path(place)


@pytest.mark.parametrize("body", ['{"b": 1 }', "[]", "1", '"a"', "null", '{"A": 1}'])
def test_where_there_is_nothing_to_mask_the_bytes_stay(body: str) -> None:
    sent = body.encode()
    assert masked(sent, "$..a") is sent


def test_numbers_keep_every_digit() -> None:
    numbers = b"[1.10,123456789012345678901234567890,-0.0,0.30000000000000000001,18446744073709551616]"
    assert masked(b'{"a":0,"n":' + numbers + b"}", "$.a") == b'{"a":"***","n":' + numbers + b"}"
    assert masked(b'{"a":0,"n":1e400}', "$.a") == b'{"a":"***","n":1E+400}'


def test_a_repeated_key_does_not_get_by() -> None:
    assert b"secret" not in masked(b'{"a":"secret","a":"secret2","b":1}', "$.a")


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("$.a.b", b'{"a":{"b":"secret"},"a":2}'),
        ("$..b", b'{"a":[{"b":"secret"}],"a":2}'),
        ("$.a.b", b'{"a":{"b":"secret"},"\\u0061":2}'),
        ("$.a.b", b'{"\\u0061":{"\\u0062":"secret"},"a":2}'),
        ("$.a[0]", b'{"x":{"a":1},"a":["secret"],"a":[]}'),
        ("$.*.*", b'{"a":{"b":"secret"},"a":2}'),
    ],
)
def test_what_only_a_key_s_first_value_holds_does_not_get_by(place: str, body: bytes) -> None:
    """The last value is what most readers take; some take the first, and its bytes would travel."""
    with pytest.raises(Unredactable, match="a key more than once"):
        masked(body, place)


@pytest.mark.parametrize(
    "body",
    [b'{"x":1,"x":2}', b'{"b":1,"b":2,"c":{"a":1}}', b'{"c":{"a":1},"d":' + b"9" * 300 + b"}"],
    ids=["no place's key", "keys apart", "a long number"],
)
def test_bodies_without_a_place_are_looked_through_no_more_than_they_need(body: bytes) -> None:
    assert masked(body, "$.a.b" if b'"b"' not in body else "$.a.x") is body


ENCODINGS = [
    (b"gzip", gzip.compress, gzip.decompress),
    (b"x-gzip", gzip.compress, gzip.decompress),
    (b" GZip ", gzip.compress, gzip.decompress),
    (b"deflate", zlib.compress, zlib.decompress),
    (b"deflate", lambda body: zlib.compress(body, wbits=-15), zlib.decompress),
    (b"identity", bytes, bytes),
    (b"", bytes, bytes),
]


@pytest.mark.parametrize(("encoding", "encode", "decode"), ENCODINGS)
def test_an_encoded_body_is_masked_and_encoded_again(encoding: bytes, encode, decode) -> None:  # type: ignore[no-untyped-def]
    headers = (*JSON, (b"Content-Encoding", encoding))
    assert decode(masked(encode(b'{"a":1}'), "$.a", headers=headers)) == b'{"a":"***"}'
    untouched = encode(b'{"b":1}')
    assert masked(untouched, "$.a", headers=headers) is untouched


REFUSED = [
    ("not JSON", b"a=1", JSON, "says it is JSON and can't be read"),
    ("cut off", b'{"a":1', JSON, "says it is JSON and can't be read"),
    ("two documents", b'{"a":1}\n{"a":2}', ((b"content-type", b"application/x-ndjson"),), "can't be read"),
    ("UTF-16", '{"a":1}'.encode("utf-16"), JSON, "can't be read"),
    ("bad UTF-8", b'{"a":"\xff"}', JSON, "can't be read"),
    ("too deep", b"[" * 100_000 + b"]" * 100_000, JSON, "can't be read"),
    ("suffix", b"x", ((b"CONTENT-TYPE", b"application/problem+JSON"),), "can't be read"),
    ("brotli", b"x", (*JSON, (b"Content-Encoding", b"br")), "content-encoding is br, "),
    ("twice encoded", b"x", (*JSON, (b"Content-Encoding", b"gzip, gzip")), "content-encoding is gzip, gzip"),
    (
        "encoded twice over",
        b"x",
        (*JSON, *[(b"Content-Encoding", b"gzip")] * 2),
        "content-encoding is gzip,gzip",
    ),
    ("no gzip", b'{"a":1}', (*JSON, (b"Content-Encoding", b"gzip")), "says it is gzip and can't be read"),
    (
        "no deflate",
        b'{"a":1}',
        (*JSON, (b"Content-Encoding", b"deflate")),
        "content-encoding ends too early",
    ),
    ("cut gzip", gzip.compress(b'{"a":1}')[:-4], (*JSON, (b"Content-Encoding", b"gzip")), "ends too early"),
    (
        "gzip and more",
        gzip.compress(b"1") * 2,
        (*JSON, (b"Content-Encoding", b"gzip")),
        "before the body does",
    ),
    (
        "a bomb",
        gzip.compress(bytes(MAX_DECODED + 1), 1),
        (*JSON, (b"Content-Encoding", b"gzip")),
        f"more than {MAX_DECODED} bytes when decoded",
    ),
    ("no type and brotli", b"x", ((b"Content-Encoding", b"br"),), "content-encoding is br"),
    ("text and brotli", b"x", ((b"Content-Type", b"text/plain"), (b"Content-Encoding", b"br")), "is br"),
    ("no type and UTF-8's mark", b'\xef\xbb\xbf{"a":1}', (), "begins like JSON and can't be read"),
    ("no type and UTF-16", '{"a":1}'.encode("utf-16"), (), "begins like JSON"),
    ("no type and UTF-32", '[{"a":1}]'.encode("utf-32-be"), (), "begins like JSON"),
    ("text, two documents", b'\n {"a":1}\n{"a":2}', ((b"content-type", b"text/plain"),), "begins like JSON"),
    ("no type and NaN", b'{"a":1,"b":NaN}', (), "begins like JSON"),
]


@pytest.mark.parametrize(
    ("body", "headers", "reason"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_what_can_not_be_masked_is_refused(
    body: bytes, headers: tuple[tuple[bytes, bytes], ...], reason: str
) -> None:
    with pytest.raises(Unredactable, match=reason.replace("+", r"\+")):
        masked(body, "$.a", headers=headers)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", JSON),
        (b"a=1", ((b"Content-Type", b"application/x-www-form-urlencoded"),)),
        (b"\x89PNG", ()),
        (b"<p>[{</p>", ((b"Content-Type", b"text/html"),)),
    ],
    ids=["empty", "form", "no type", "html"],
)
def test_what_is_no_json_and_does_not_say_so_stays(
    body: bytes, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    assert masked(body, "$.a", headers=headers) is body


@pytest.mark.parametrize("headers", [(), ((b"Content-Type", b"text/plain"),)])
def test_json_that_does_not_say_so_is_masked_all_the_same(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert masked(b'{"a":1}', "$.a", headers=headers) == b'{"a":"***"}'


def test_no_places_no_mask() -> None:
    assert compile_json_mask(()) is None


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just("secret"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "token"]), inner, max_size=3)
    ),
    max_leaves=20,
)


def without(document: object, key: str) -> object:
    """The document, masked plainly."""
    if isinstance(document, dict):
        return {name: "***" if name == key else without(value, key) for name, value in document.items()}
    return [without(value, key) for value in document] if isinstance(document, list) else document


@settings(deadline=None)
@given(DOCUMENTS)
def test_a_key_is_masked_at_every_depth_and_nothing_else(document: object) -> None:
    body = json.dumps(document).encode()
    assert json.loads(masked(body, "$..token")) == without(document, "token")


def written(document: object) -> str:
    """JSON text of pairs, keys repeated where they are."""
    if isinstance(document, tuple):
        return "{" + ",".join(f"{json.dumps(key)}:{written(value)}" for key, value in document) + "}"
    if isinstance(document, list):
        return "[" + ",".join(map(written, document)) + "]"
    return json.dumps(document)


PAIRS = st.recursive(
    st.integers(0, 9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(
            st.tuples(st.sampled_from(["a", "b", 'q"']), inner) | st.just(("token", "hunter2")), max_size=4
        ).map(tuple)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(
    PAIRS,
    st.sampled_from(["", "\ufeff", " "]),
    st.sampled_from(["utf-8", "utf-16", "utf-32"]),
    st.sampled_from([JSON, ()]),
    st.sampled_from(["", "x", "\n{}"]),
)
def test_what_is_under_a_masked_key_never_gets_by(
    document: object, before: str, charset: str, headers: tuple[tuple[bytes, bytes], ...], after: str
) -> None:
    """However often a key stands there, in whatever charset, with whatever type, broken or not."""
    body = (before + written(document) + after).encode(charset)
    with contextlib.suppress(Unredactable):
        assert b"hunter2" not in masked(body, "$..token", headers=headers).replace(b"\0", b"")


@settings(deadline=None)
@given(st.binary(max_size=40), st.sampled_from([b"gzip", b"deflate", b"br", b""]))
def test_any_body_is_masked_kept_or_refused(body: bytes, encoding: bytes) -> None:
    with contextlib.suppress(Unredactable):
        masked(body, "$..a", headers=(*JSON, (b"Content-Encoding", encoding)))
