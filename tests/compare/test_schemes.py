"""Links to their own sides: a scheme may differ only as the sides themselves do."""

from __future__ import annotations

import msgspec
import pytest

from tests.compare.answers import PLAIN, PRIMARY, answer
from traffic_mirror.compare import judge

COPY = ("127.0.0.1", "127.0.0.1:9001")


@pytest.mark.parametrize(
    ("schemes", "links", "verdict"),
    [
        pytest.param(("https", "http"), ("https", "http"), "match", id="each says how it was reached"),
        pytest.param(("https", "http"), ("wss", "ws"), "match", id="a WebSocket's too"),
        pytest.param(("https", "http"), ("https", "https"), "match", id="both say what clients use"),
        pytest.param(("https", "https"), ("https", "http"), "differ", id="the copy forgot TLS"),
        pytest.param(("http", "http"), ("https", "http"), "differ", id="the copy says less than asked"),
        pytest.param(("http", "https"), ("https", "http"), "differ", id="the wrong way round"),
        pytest.param(("https", "http"), ("https", "ws"), "differ", id="another protocol"),
        pytest.param(("", ""), ("https", "http"), "match", id="unknown, at a loopback address"),
    ],
)
def test_the_scheme_of_a_link(schemes: tuple[str, str], links: tuple[str, str], verdict: str) -> None:
    first, second = (
        msgspec.structs.replace(
            answer({"self": f"{link}://{hosts[-1]}/orders/7"}, hosts=hosts, began=began), scheme=scheme
        )
        for link, hosts, scheme, began in zip(links, (PRIMARY, COPY), schemes, (1e9, 1e9 + 1), strict=True)
    )
    found = judge(first, second, PLAIN)
    assert (found.verdict, found.reason) == (verdict, None), found
