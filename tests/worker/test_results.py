"""The results file has a line for every copy, as its schema says, and no secret in it."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.servers import RecordingServer, answering, refused_port
from tests.waiting import wait_until
from tests.worker.driver import WorkerProcess, destination, request, spec_of
from traffic_mirror.spec.model import Api, Compare, Rule, Spec, TykMatching, path_template
from traffic_mirror.wire.frames import Primary, Unsent

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "result.schema.json").read_text())
COMPARED = Compare(enabled=True)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The file's lines, each checked against the schema."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        jsonschema.validate(line, SCHEMA)
    return lines


def test_a_compared_copys_line_is_complete(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    with (
        RecordingServer(answering(body=b'{"a":2}', headers=[("Content-Type", "application/json")])) as server,
        WorkerProcess() as worker,
    ):
        spec = spec_of(destination(server.url), compare=COMPARED)
        worker.set_up(spec, results=str(results))
        worker.mirror(request(b"/users/42?x=1"), compare=True)
        worker.send(
            Primary(
                "f1",
                200,
                0.25,
                1.0,
                ((b"Content-Type", b"application/json"),),
                ("api.test",),
                has_body=True,
            ),
            b'{"a":1}',
        )
        worker.wait_for_endings(1)
        assert worker.stop() == 0
        verdicts = worker.verdicts
    assert [v[:4] for v in verdicts] == [("api", "rule", "shadow", "differ")]
    (line,) = read_lines(results)
    assert line.pop("seconds") > 0
    assert line.pop("queued_seconds") >= 0
    trace = blake2b(b"f1", digest_size=16).hexdigest()  # what the copy of a client without one is given
    assert line == {
        "time": "2023-11-14T22:13:20.500Z",
        "id": "f1",
        "api": "api",
        "rule": "rule",
        "destination": "shadow",
        "route": None,
        "method": "GET",
        "url": "http://api.test/users/42?x=1",
        "copy_url": f"{server.url}/users/42?x=1",
        "trace_id": trace,
        "outcome": "delivered",
        "reason": "2xx",
        "status": 200,
        "primary_status": 200,
        "primary_seconds": 0.25,
        "verdict": "differ",
        "verdict_reason": None,
        "differences": [{"place": "body:$.a", "kind": "value", "primary": 1, "copy": 2}],
        "set_aside": line["set_aside"],
    }


ROUTES = {
    "a template": ("/users/{id}", "/", False, "/users/{id}"),
    "one below a listen path": ("/users/{id:[0-9]+}", "/api/", False, "/api/users/{id:[0-9]+}"),
    "one with a rest": ("/users/*", "/", False, None),
    "an expression": ("^/users/", "/", False, None),
    "a path of Tyk's": ("/users/{id}", "/api/", True, None),
}


@pytest.mark.parametrize(("path", "listen", "tyk", "template"), ROUTES.values(), ids=ROUTES.keys())
def test_a_route_has_a_template_where_its_path_is_one(
    path: str, listen: str, tyk: bool, template: str | None
) -> None:
    api = Api(name="a", listen_path=listen, tyk=TykMatching() if tyk else None)
    assert path_template(api, Rule(name="r", path=path)) == template


def test_copies_that_did_not_arrive_have_their_lines_too(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    with refused_port() as port, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(f"http://127.0.0.1:{port}")), results=str(results))
        worker.mirror(request())
        worker.send(
            Unsent(
                "f2",
                0.0,
                "api",
                "rule",
                "shadow",
                b"GET",
                "https",
                "a.test",
                443,
                b"/y",
                "sampled_out",
                "rule_rate",
                "/y",
            )
        )
        worker.wait_for_endings(1)
        worker.stop()
    failed, unsent = sorted(read_lines(results), key=lambda line: str(line["id"]))
    assert (failed["outcome"], failed["reason"], failed["status"]) == ("failed", "connect", None)
    assert (unsent["outcome"], unsent["reason"]) == ("sampled_out", "rule_rate")
    assert (unsent["route"], failed["route"]) == ("GET /y", None)
    assert (unsent["url"], unsent["copy_url"], unsent["seconds"]) == ("https://a.test/y", None, None)


def test_secrets_are_masked(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    answer = answering(headers=[("Set-Cookie", "sid=abcdef"), ("Location", "/?k=s3cret-s3cret")])
    with RecordingServer(answer) as server, WorkerProcess() as worker:
        spec = spec_of(destination(server.url, base_query="key=s3cret-s3cret"), compare=COMPARED)
        fields = {name: getattr(spec, name) for name in spec.__struct_fields__}
        worker.set_up(Spec(**{**fields, "secrets": ("s3cret-s3cret",)}), results=str(results))
        worker.mirror(request(b"/?a=s3cret-s3cret"), compare=True)
        worker.send(Primary("f1", 200, 0.1, 1.0, ((b"Location", b"/"),), has_body=True), b"ok")
        worker.wait_for_endings(1)
        worker.stop()
        log = "\n".join(worker.log)
    text = results.read_text()
    assert "s3cret" not in text + log
    assert "abcdef" not in text
    assert "***" in text
    assert len(read_lines(results)) == 1


def test_a_line_waits_for_the_primary_but_not_beyond_the_end(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    with RecordingServer() as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url), compare=COMPARED), results=str(results))
        worker.mirror(request(flow="answered"), compare=True)
        worker.mirror(request(flow="open"), compare=True)
        worker.wait_for_endings(2)
        worker.send(Primary("answered", 200, 0.1, 1.0, (), has_body=True), b"ok")
        wait_until(lambda: results.exists() and results.stat().st_size)
        assert [line["id"] for line in read_lines(results)] == ["answered"]
        worker.stop()
        by_id = {line["id"]: line for line in read_lines(results)}
        assert (by_id["open"]["verdict"], by_id["open"]["verdict_reason"]) == ("incomparable", "shutdown")


@pytest.mark.parametrize("path", ["/dev/full", "/no/such/folder/results.jsonl"])
def test_a_file_that_cannot_be_written_is_said_and_stops_nothing(path: str) -> None:
    if path == "/dev/full" and not Path(path).exists():
        pytest.skip("/dev/full is Linux's")
    with RecordingServer() as server, WorkerProcess() as worker:
        worker.set_up(spec_of(destination(server.url)), results=path)
        for number in range(100):
            worker.mirror(request(flow=f"f{number}"))
        assert len(worker.wait_for_endings(100)) == 100
        assert worker.stop() == 0
        said = [line for line in worker.log if "could not be written" in line]
        assert len(said) == 1
        assert said[0].startswith(f"WARNING results {path}: ")


def test_lines_are_appended(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    for _ in range(2):
        with RecordingServer() as server, WorkerProcess() as worker:
            worker.set_up(spec_of(destination(server.url)), results=str(results))
            worker.mirror(request())
            worker.wait_for_endings(1)
            worker.stop()
    assert len(read_lines(results)) == 2


def test_a_baseline_teaches_what_is_noise(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    with (
        RecordingServer(answering(body=b"build 7")) as primary,
        RecordingServer(answering(body=b"build 8")) as shadow,
        WorkerProcess() as worker,
    ):
        spec = spec_of(destination(shadow.url), destination(primary.url, "primary"), compare=COMPARED)
        worker.set_up(spec, results=str(results))
        worker.mirror(request(), destinations=2, compare=True, baseline=2)
        worker.send(Primary("f1", 200, 0.1, 1.0, (), has_body=True), b"build 9")
        worker.wait_for_endings(2)
        worker.stop()
        assert [v[2:4] for v in worker.verdicts] == [("shadow", "match")]
    by_destination = {line["destination"]: line for line in read_lines(results)}
    assert by_destination["primary"]["verdict"] is None
    assert by_destination["shadow"]["set_aside"][-1]["why"] == "baseline"
