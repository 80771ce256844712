"""Verdicts through the whole product: what a `compare:` changes, what is learned, and where it shows."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from tests.clients import request
from tests.e2e.stage import Stage, stage
from tests.http1 import Message
from tests.proxies import ROOT
from tests.servers import Behaviour, Connection, answering, response, routed
from tests.waiting import wait_until

JSON = [("Content-Type", "application/json")]

# For each key of a policy: what it says, what the primary answers, and what the shadow does.
POLICIES: dict[str, tuple[str, bytes, bytes]] = {
    "ignore": (
        '{ignore: ["body:$$..build", "header:X-B*"]}',
        response(200, b'{"a": {"build": 7}}', [*JSON, ("X-Build", "7")]),
        response(200, b'{"a": {"build": 8}}', [*JSON, ("X-Build", "8")]),
    ),
    "only": (
        '{only: [status, "body:$$.id"]}',
        response(200, b'{"id": 1, "price": 10}', JSON),
        response(200, b'{"id": 1, "price": 12}', JSON),
    ),
    "tolerance": (
        '{tolerance: {"body:$$..score": 0.001}}',
        response(200, b'{"of": [{"score": 0.5}]}', JSON),
        response(200, b'{"of": [{"score": 0.5009}]}', JSON),
    ),
    "unordered": (
        '{unordered: {"body:$$.tags": true}}',
        response(200, b'{"tags": ["a", "b", "c"]}', JSON),
        response(200, b'{"tags": ["c", "a", "b"]}', JSON),
    ),
    "by-key": (
        '{unordered: {"body:$$.items": id}}',
        response(200, b'{"items": [{"id": 1, "n": 5}, {"id": 2, "n": 6}]}', JSON),
        response(200, b'{"items": [{"id": 2, "n": 6}, {"id": 1, "n": 5}]}', JSON),
    ),
    "equivalent": (
        '{equivalent: [["https://old[.]test/v1/(.*)", "https://new[.]test/v2/(.*)"]]}',
        response(200, b'{"next": "https://old.test/v1/orders"}', JSON),
        response(200, b'{"next": "https://new.test/v2/orders"}', JSON),
    ),
    "status": ("{status: class}", response(200, b"{}", JSON), response(203, b"{}", JSON)),
}
LARGE = b'{"text": "' + b"x" * 300_000 + b'"}'
BARE = "\n".join(
    f'      - {{name: {name}, path: "/{name}/*", destinations: [shadow], compare: {compare}}}'
    for name, compare in {
        "bare": "true",
        "off": "false",
        "small": "{max_bytes: 10}",
        "misspelt": '{ignore: ["body:$$..prise"], tolerance: {"body:$$..score": 0.001}}',
        "lucky": "{baseline: $primary}",
        "unlucky": "true",
        "slow": "true",
    }.items()
)
WITH = "\n".join(
    f'      - {{name: {name}, path: "/with/{name}", destinations: [shadow], compare: {compare}}}'
    for name, (compare, *_) in POLICIES.items()
)
SPEC = f"""\
version: 1
destinations: {{shadow: {{url: $shadow}}}}
compare: {{ignore: ["header:X-Side"]}}
apis:
  - name: shop
    traffic_mirror:
{BARE}
{WITH}
"""

_numbers = itertools.count(100)


def saying(data: bytes) -> Behaviour:
    """These bytes; to HEAD only their head."""
    head = data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    return lambda connection, got: connection.send(head if got.method == b"HEAD" else data)


def by_chance(price: int) -> Behaviour:
    """Another short number each time, and a price."""
    dice = random.Random(price)

    def behave(connection: Connection, _: Message) -> None:
        body = json.dumps({"seats": dice.randrange(10**6), "price": price})
        connection.send(response(200, body.encode(), JSON))

    return behave


def service(side: int) -> Behaviour:
    """The primary (0) or the shadow (1)."""

    def slowly(connection: Connection, _: Message) -> None:
        connection.pause(0.03 * side)
        connection.send(response(200, b"{}", JSON))

    price = saying(response(200, b'{"price": %d}' % (10 + side), [*JSON, ("X-Side", str(side))]))
    routes = {
        **{f"/with/{name}": saying(answers[side]) for name, (_, *answers) in POLICIES.items()},
        **{f"/bare/{name}": saying(answers[side]) for name, (_, *answers) in POLICIES.items()},
        "/bare/price": price,
        "/off/price": price,
        "/misspelt/price": price,
        "/bare/large": saying(response(200, LARGE, JSON)),
        "/small/price": saying(response(200, b'{"price": 1%d}' % side, JSON)),
        "/bare/unchanged": answering(304),
        "/bare/stale": answering(304 if side else 200),
        "/bare/same-head": answering(200, b"12345", JSON),
        "/bare/other-head": answering(200, b"12345" + b"6" * side, JSON),
        "/lucky/same": by_chance(10),
        "/lucky/dear": by_chance(10 + side),
        "/unlucky/same": by_chance(20 + side),
        "/slow/x": slowly,
    }
    return routed(routes, answering(404, b"{}", JSON))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("verdicts")
    with stage(
        directory,
        SPEC,
        behaviours={"primary": service(0), "shadow": service(1)},
        tool="mitmweb",
        options={"mirror_results": str(directory / "results.jsonl"), "stream_large_bodies": "200k"},
    ) as running:
        yield Shop(running, directory / "results.jsonl")


class Shop:
    """The running stage, and the lines of its results."""

    def __init__(self, running: Stage, results: Path) -> None:
        self.stage = running
        self.proxy = running.proxy
        self.results = results

    def ask(self, path: str, *, method: str = "GET") -> dict[str, Any]:
        """Sends a request; its line of the results."""
        mark = f"{path}?n={next(_numbers)}"
        self.stage.send(request(mark, method=method))
        return wait_until(lambda: self.lines(mark), 15, lambda: f"the line of {mark}:\n{self.proxy.log}")[0]

    def lines(self, mark: str = "") -> list[dict[str, Any]]:
        """The whole lines so far, those of a request where one is given, without a baseline's."""
        if not self.results.exists():
            return []
        whole = self.results.read_text().rpartition("\n")[0].splitlines()
        found = [json.loads(line) for line in whole if mark in line]
        return [line for line in found if line["destination"] == "shadow"]

    def figures(self, path: str) -> Any:
        return json.loads(self.proxy.get(path))


def verdict_of(line: dict[str, Any]) -> tuple[str, str | None]:
    return line["verdict"], line["verdict_reason"]


@pytest.mark.parametrize("name", POLICIES)
def test_each_key_of_a_policy_changes_the_verdict(shop: Shop, name: str) -> None:
    assert verdict_of(shop.ask(f"/bare/{name}")) == ("differ", None)
    assert verdict_of(shop.ask(f"/with/{name}")) == ("match", None)


def test_what_holds_for_the_whole_spec_holds_for_each_rule(shop: Shop) -> None:
    line = shop.ask("/bare/price")
    assert line["differences"] == [{"place": "body:$.price", "kind": "value", "primary": 10, "copy": 11}]
    assert {"place": "header:X-Side", "why": "ignore"} in line["set_aside"]


@pytest.mark.parametrize(
    ("path", "method", "verdict"),
    [
        pytest.param("/off/price", "GET", (None, None), id="not compared"),
        pytest.param("/bare/large", "GET", ("incomparable", "streamed"), id="streamed past the proxy"),
        pytest.param("/small/price", "GET", ("incomparable", "too_large"), id="over max_bytes"),
        pytest.param("/bare/unchanged", "GET", ("match", None), id="304 on both sides"),
        pytest.param("/bare/stale", "GET", ("differ", None), id="304 on one side: the status differs"),
        pytest.param("/bare/same-head", "HEAD", ("match", None), id="HEAD"),
        pytest.param("/bare/other-head", "HEAD", ("differ", None), id="HEAD with another length"),
        pytest.param("/bare/nothing", "GET", ("match", None), id="404 on both sides"),
    ],
)
def test_answers_without_a_whole_body(
    shop: Shop, path: str, method: str, verdict: tuple[str | None, str | None]
) -> None:
    line = shop.ask(path, method=method)
    assert verdict_of(line) == verdict, line


def test_a_baseline_learns_where_the_primary_differs_from_itself(shop: Shop) -> None:
    lines = [shop.ask("/lucky/same") for _ in range(12)]
    assert {verdict_of(line) for line in lines} == {("match", None)}
    assert all({"place": "body:$.seats", "why": "baseline"} in line["set_aside"] for line in lines[1:])
    dear = shop.ask("/lucky/dear")
    assert [found["place"] for found in dear["differences"]] == ["body:$.price"]


def test_places_with_ever_new_values_and_names_that_match_nothing_are_reported(shop: Shop) -> None:
    for _ in range(12):
        shop.ask("/unlucky/same")
    shop.ask("/with/tolerance")  # it has a score: what several rules share is of use when it is to one
    for _ in range(21):
        shop.ask("/misspelt/price")
    noise = wait_until(lambda: (found := shop.figures("/api/noise"))["unused"] and found, 15)
    assert noise["unused"] == [{"api": "shop", "rule": "misspelt", "expression": "body:$..prise"}]
    (candidate,) = [found for found in noise["candidates"] if found["rule"] == "unlucky"]
    assert (candidate["place"], candidate["route"]) == ("body:$.seats", "GET /unlucky/*")
    warning = "`body:$..prise` in its compare: has matched nothing so far"
    wait_until(lambda: warning in shop.proxy.log)  # it comes over the worker's log
    assert shop.proxy.log.count(warning) == 1
    page = shop.figures("/api/page/differences")
    assert (page["unused"], page["candidates"]) == (noise["unused"], noise["candidates"])
    wait_until(lambda: "matched nothing" in shop.proxy.command("mirror.differences")[-1])
    told = shop.proxy.command("mirror.differences")
    assert "matched nothing so far: `body:$..prise` in the compare: of shop / misspelt" in told
    assert any(line.startswith("likely noise: GET /unlucky/* → body:$.seats (12 of 12") for line in told)


def test_a_slower_destination_is_said_in_a_sentence(shop: Shop) -> None:
    for _ in range(25):
        shop.ask("/slow/x")
    (row,) = [row for row in shop.figures("/api/latencies") if row["rule"] == "slow"]
    assert (row["verdict"], row["count"]) == ("slower", 25)
    assert re.match(r"shadow is slower than the primary on slow: [\d.]+ ms instead of ", row["sentence"])


def test_every_place_tells_the_same(shop: Shop) -> None:
    for path in ("/bare/price", "/with/only", "/small/price"):
        shop.ask(path)
    counted = Counter(line["verdict"] for line in shop.lines() if line["verdict"])
    expected = {name: counted[name] for name in ("match", "differ", "incomparable")}
    assert min(expected.values()) > 0
    assert shop.proxy.summary()["verdicts"] == expected
    assert shop.figures("/api/page/overview")["verdicts"] == expected
    metrics: Counter[str] = Counter()
    for verdict, count in re.findall(
        r'mirror_verdicts_total\{.*verdict="(\w+)".*\} (\S+)', shop.proxy.get("/metrics").decode()
    ):
        metrics[verdict] += int(float(count))
    assert dict(metrics) == expected
    status = "\n".join(shop.proxy.command("mirror.status"))
    assert sum(int(n) for n in re.findall(r"verdicts:.*?differ (\d+)", status)) == expected["differ"]


def test_results_are_as_their_schema_says(shop: Shop) -> None:
    shop.ask("/bare/price")
    schema = json.loads((ROOT / "schemas/result.schema.json").read_text())
    validator = Draft202012Validator(schema)
    for line in shop.lines():
        validator.validate(line)


def test_differences_are_grouped_as_promised(shop: Shop) -> None:
    line = shop.ask("/bare/price")
    groups = shop.figures("/api/differences")
    keys = {
        "api",
        "rule",
        "destination",
        "route",
        "place",
        "kind",
        "count",
        "of",
        "first",
        "last",
        "examples",
    }
    assert all(set(group) == keys for group in groups)
    (group,) = [g for g in groups if (g["rule"], g["place"]) == ("bare", "body:$.price")]
    assert (group["api"], group["destination"]) == ("shop", "shadow")
    assert (group["route"], group["kind"]) == ("GET /bare/*", "value")
    assert 1 <= len(group["examples"]) <= 2
    assert group["first"] <= line["time"] == group["last"]
    assert group["count"] <= group["of"]
    wanted = f"GET /bare/* → body:$.price value ({group['count']} of {group['of']}, from "
    wait_until(lambda: any(line.startswith(wanted) for line in shop.proxy.command("mirror.differences")))


def test_the_report_of_a_real_run(shop: Shop, tmp_path: Path) -> None:
    shop.ask("/bare/price")
    shop.ask("/with/only")
    taken = tmp_path / "results.jsonl"
    lines = shop.lines()
    taken.write_text("".join(json.dumps(line) + "\n" for line in lines))
    counted = Counter(line["verdict"] for line in lines)
    share = counted["differ"] / (counted["differ"] + counted["match"])

    def report(*options: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "traffic_mirror", "report", *options, str(taken)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
        return ran.returncode, ran.stdout

    status, text = report()
    assert (status, "GET /bare/price → body:$.price value" in text) == (1, True)
    assert report("--max-differ", f"{share + 0.001:.4f}")[0] == 0
    assert report("--max-differ", f"{max(0, share - 0.001):.4f}")[0] == 1
    status, text = report("--json", "--max-differ", "100%")
    data = json.loads(text)
    assert (status, data["ok"], data["share"]) == (0, True, share)
    assert data["verdicts"] == {name: counted[name] for name in ("match", "differ", "incomparable")}
    status, text = report("--markdown", "--junit", str(tmp_path / "junit.xml"))
    assert (status, "body:$.price" in text) == (1, True)
    suite = ET.parse(tmp_path / "junit.xml").getroot()
    assert any(case.find("failure") is not None for case in suite.iter("testcase"))


def test_counts_outlive_a_killed_worker(shop: Shop) -> None:
    shop.ask("/bare/price")
    before = shop.proxy.summary()["verdicts"]
    group = next(g for g in shop.figures("/api/differences") if g["place"] == "body:$.price")
    line = f"({group['count']} of {group['of']}, from "
    wait_until(lambda: any(line in told for told in shop.proxy.command("mirror.differences")))
    pid = shop.proxy.worker
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: restarted(shop, pid), 20, lambda: f"another worker:\n{shop.proxy.log}")
    assert shop.proxy.summary()["verdicts"] == before
    again = next(g for g in shop.figures("/api/differences") if g["place"] == "body:$.price")
    assert again["count"] == group["count"]


def restarted(shop: Shop, pid: int) -> bool:
    try:
        return bool(shop.proxy.worker != pid and shop.proxy.summary()["worker_restarts"] == 1)
    except OSError:
        return False
