"""The report: what it reads, prints and exits with."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from traffic_mirror.__main__ import main
from traffic_mirror.report import MAX_LINE, Summary, read

LINE = {
    "time": "2026-11-23T14:02:00.123Z",
    "id": "f1",
    "api": "users",
    "rule": "read-user",
    "destination": "shadow",
    "method": "GET",
    "url": "https://api.example.test/users/42?x=1",
    "copy_url": "https://shadow.test/users/42?x=1",
    "outcome": "delivered",
    "reason": "2xx",
    "status": 200,
    "seconds": 0.012,
    "queued_seconds": 0.001,
    "primary_status": 200,
    "primary_seconds": 0.010,
    "verdict": "match",
    "verdict_reason": None,
    "differences": [],
    "set_aside": [{"place": "body:$.at", "why": "timestamp"}],
}
DIFFER: dict[str, object] = {
    "verdict": "differ",
    "differences": [{"place": "body:$.items[3].price", "kind": "value", "primary": 10, "copy": 12}],
}
DROPPED: dict[str, object] = {
    "outcome": "dropped",
    "reason": "queue_full",
    "verdict": None,
    "differences": None,
    "set_aside": None,
    "seconds": None,
}
REFUSED: dict[str, object] = {"verdict": "incomparable", "verdict_reason": "streamed"}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    path = tmp_path / "results.jsonl"
    other: dict[str, object] = {**DIFFER, "id": "f2", "url": "https://api.example.test/users/43"}
    changes: list[dict[str, object]] = [*([{}] * 8), DIFFER, other, DROPPED, REFUSED]
    path.write_text("".join(json.dumps({**LINE, **change}) + "\n" for change in changes), encoding="utf-8")
    return path


def test_text(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(results)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "2 of 10 answers differ (20.00%)",
        "11 delivered, 1 dropped",
        "incomparable: 1 streamed",
        "",
        "Not delivered",
        "  shadow dropped: queue_full (1)",
        "",
        "Differences",
        "  GET /users/{} → body:$.items[*].price value (2 of 10, from 14:02, for example flow f1, f2)",
        "",
        "Set aside as noise",
        "  body:$.at timestamp (10)",
        "",
        "Times",
        "  shadow on read-user: 10 pairs are too few to compare times (of 20).",
    ]


def test_json(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--json", "--max-differ", "20%", str(results)]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["verdicts"] == {"match": 8, "differ": 2, "incomparable": 1}
    assert (data["ok"], data["share"], data["lines"]) == (True, 0.2, 12)
    assert data["differences"][0]["examples"] == ["f1", "f2"]
    assert data["lost"] == [
        {"destination": "shadow", "outcome": "dropped", "reason": "queue_full", "count": 1}
    ]


def test_markdown(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--markdown", str(results)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("### ❌ Traffic mirror: 2 of 10 answers differ (20.00%)")
    assert "| `GET /users/{}` | `body:$.items[*].price` | value | 2 of 10 | `f1, f2` |" in out
    assert "\nNot delivered: 1 shadow dropped: queue_full\n" in out


def test_junit(results: Path, tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    assert main(["report", "--junit", str(junit), str(results)]) == 1
    suite = ET.fromstring(junit.read_text(encoding="utf-8"))[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "2 of 10 differ"
    assert "body:$.items[*].price" in (failure.text or "")


@pytest.mark.parametrize(("accepted", "code"), [("0", 1), ("0.19", 1), ("0.2", 0), ("20%", 0), ("1", 0)])
def test_the_share_that_is_accepted(results: Path, accepted: str, code: int) -> None:
    assert main(["report", "--max-differ", accepted, str(results)]) == code


@pytest.mark.parametrize("share", ["2", "-1", "x", "101%", "nan"])
def test_what_is_no_share_is_refused(results: Path, share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["report", f"--max-differ={share}", str(results)])
    assert "expected 0 to 1" in capsys.readouterr().err


def test_a_last_line_that_is_cut_off_is_said(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with results.open("a", encoding="utf-8") as file:
        file.write('{"time": "2026-11-23T14:0')
    main(["report", str(results)])
    shown = capsys.readouterr()
    assert f"report: {results}:13: the last line is cut off and was left out" in shown.err
    assert "2 of 10 answers differ" in shown.out


def test_lines_that_are_no_results_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"[]\n\n" + json.dumps(LINE).encode() + b"\n\xff\n" + b'{"verdict": 3}\n' * 20)
    assert main(["report", str(path)]) == 0
    err = capsys.readouterr().err
    assert f"{path}:1: " in err
    assert "12 more lines are no results" in err


@pytest.mark.parametrize("lines", [[], [DROPPED], [REFUSED]], ids=["empty", "all dropped", "incomparable"])
def test_where_nothing_was_compared_nothing_is_proved(
    lines: list[dict[str, object]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps({**LINE, **line}) + "\n" for line in lines), encoding="utf-8")
    assert main(["report", "--max-differ", "1", str(path)]) == 1
    shown = capsys.readouterr()
    assert "nothing was compared" in shown.err
    assert "nothing was compared" in shown.out


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "gone")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_stdin(results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(results.read_bytes())))
    assert main(["report", "-"]) == 1
    assert "2 of 10 answers differ" in capsys.readouterr().out


def test_a_huge_line_is_passed_over() -> None:
    summary = Summary()
    read("x", io.BytesIO(b"{" + b"x" * (2 * MAX_LINE) + b"\n" + json.dumps(LINE).encode() + b"\n"), summary)
    assert (summary.lines, summary.bad_count) == (1, 1)
