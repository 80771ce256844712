"""A labelled corpus: pairs of real-looking answers with known differences and known noise, from a seed."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator

from tests.compare.corpus.changes import change
from tests.compare.corpus.pair import Pair, Reply, Side
from tests.compare.corpus.services import SERVICES
from traffic_mirror.compare.model import Answer
from traffic_mirror.copies.request import FrozenRequest

PRIMARY, COPY = "api.example.test", "127.0.0.1:9001"


def corpus(seed: int, pairs: int, *, differ: bool) -> Iterator[Pair]:
    """`pairs` pairs, all services in turn; with `differ` each has one known difference."""
    names = list(SERVICES)
    for number in range(pairs):
        yield make_pair(seed, number, names[number % len(names)], differ=differ)


def make_pair(seed: int, number: int, service: str, *, differ: bool, again: bool = False) -> Pair:
    """One pair; `again`: the second answer is the primary's own, as a baseline has it."""
    choose = random.Random(f"{seed} {number} {service}")
    began = 1_795_400_000 + choose.uniform(0, 86_400 * 300)
    lag = choose.choice([0.001, 0.03, 0.4, 1.7])
    seconds = choose.uniform(0.02, 0.3), choose.uniform(0.02, 0.3)
    style = choose.random()
    replies = []
    for side, (host, scheme) in enumerate(
        ((PRIMARY, "https"), (PRIMARY, "https") if again else (COPY, "http"))
    ):
        now = began + side * lag + seconds[side] * choose.random()
        maker = Side(
            now, random.Random(f"{seed} {number} {side} {again}"), host, scheme, random.Random(style)
        )
        replies.append(SERVICES[service](random.Random(f"{seed} {number}"), maker))
    named: str = ""
    places: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    if differ:
        named, replies[1], places, mentions = change(replies[1], choose)
    request = FrozenRequest(
        id=f"{service}-{number}",
        method=replies[0].method.encode(),
        scheme="https",
        host=PRIMARY,
        port=443,
        authority=PRIMARY.encode(),
        target=replies[0].target.encode(),
        http_version="HTTP/1.1",
        headers=(),
        body=replies[0].request_body,
        time=began,
    )
    coded = choose.choice(["", "", "gzip"]), choose.choice(["", "", "gzip"])
    return Pair(
        service,
        number,
        _answer(replies[0], (PRIMARY,), began, seconds[0], coded[0]),
        _answer(replies[1], (PRIMARY,) if again else ("127.0.0.1", COPY), began + lag, seconds[1], coded[1]),
        request,
        named,
        places,
        mentions,
    )


def _answer(reply: Reply, hosts: tuple[str, ...], began: float, seconds: float, coding: str) -> Answer:
    body = reply.render(reply.body)
    headers = [("Content-Type", reply.content_type), *reply.headers]
    if coding and body:
        body = gzip.compress(body)
        headers.append(("Content-Encoding", coding))
    headers.append(("Content-Length", len(body)))
    fields = tuple((name.encode(), str(value).encode()) for name, value in headers)
    return Answer(status=reply.status, headers=fields, body=body, hosts=hosts, began=began, seconds=seconds)
