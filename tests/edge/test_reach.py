"""APIs whose hosts no request can have in the modes that are served."""

from __future__ import annotations

import pytest

from traffic_mirror.edge.reach import out_of_reach
from traffic_mirror.spec.model import Api, Spec

API = ("api.test", "*.api.test")


@pytest.mark.parametrize(
    ("hosts", "modes", "kept", "said"),
    [
        (API, ["reverse:http://127.0.0.1:3000"], False, 1),
        (API, ["reverse:http://127.0.0.1:3000"], True, 0),
        (API, ["reverse:http://API.test:3000"], False, 0),
        (API, ["reverse:https://v1.api.test"], False, 0),
        (API, ["reverse:http://127.0.0.1:3000", "regular"], False, 0),
        (API, ["reverse:http://127.0.0.1:3000", "reverse:http://api.test@81"], False, 0),
        (API, ["regular"], False, 0),
        (API, [], False, 0),
        ((), ["reverse:http://127.0.0.1:3000"], False, 0),
        (("::1",), ["reverse:http://[::1]:3000"], False, 0),
    ],
)
def test_hosts_that_reverse_mode_hides_are_said(
    hosts: tuple[str, ...], modes: list[str], kept: bool, said: int
) -> None:
    found = list(out_of_reach(Spec(apis=(Api(name="users", hosts=hosts, rules=()),)), modes, kept))
    assert len(found) == said
    assert all("API users takes no request: its hosts are api.test, *.api.test" in line for line in found)


def test_many_are_summed_up() -> None:
    apis = tuple(Api(name=f"a{n}", hosts=(f"h{n}.test",), rules=()) for n in range(12))
    *_, last = out_of_reach(Spec(apis=apis), ["reverse:http://127.0.0.1"], False)
    assert last == "7 more APIs take no request for the same reason"
