"""The report: what it reads, prints and exits with."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from traffic_mirror.__main__ import main
from traffic_mirror.report import Summary
from traffic_mirror.report_input import MAX_LINE
from traffic_mirror.report_routes import MAX_BESIDE, Routes

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
        "2 of 10 answers differ (20.00%); 1 not delivered, 1 incomparable",
        "11 delivered, 1 dropped",
        "incomparable: 1 streamed",
        "",
        "Not delivered",
        "  shadow dropped: queue_full (1)",
        "",
        "Differences",
        "  GET /users/{} → body:$.items[*].price value (2 of 10, from 14:02, for example flow f1, f2)",
        "      10 → 12",
        "",
        "Set aside as noise",
        "  body:$.at timestamp (10)",
        "",
        "Times",
        "  shadow on read-user: too few pairs to compare times (10 of 20).",
    ]


def test_json(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--json", "--max-differ", "20%", str(results)]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["verdicts"] == {"match": 8, "differ": 2, "incomparable": 1}
    assert (data["ok"], data["share"], data["lines"]) == (True, 0.2, 12)
    assert data["differences"][0]["examples"] == ["f1", "f2"]
    assert data["differences"][0]["values"] == {"primary": 10, "copy": 12}
    assert data["lost"] == [
        {"destination": "shadow", "outcome": "dropped", "reason": "queue_full", "count": 1}
    ]


def test_markdown(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--markdown", str(results)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("### ❌ Traffic mirror: 2 of 10 answers differ (20.00%)")
    assert "| `GET /users/{}` | `body:$.items[*].price` | value | 2 of 10 | `10` | `12` | `f1, f2` |" in out
    assert "11 delivered, 1 dropped; incomparable: 1 streamed" in out
    assert "- `body:$.at` timestamp (10)" in out
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


UNDELIVERED = {
    "not looked at": ((), "; 1 not delivered, ", 0),
    "accepted": (("--max-undelivered", "8.4%"), "; 1 not delivered (8.33%; 8.40% accepted), ", 0),
    "too many": (("--max-undelivered=0.08",), "; 1 not delivered (8.33%; 8.00% accepted), ", 1),
    "none accepted": (("--max-undelivered", "0"), "; 1 not delivered (8.33%; 0.00% accepted), ", 1),
}


@pytest.mark.parametrize("form", [None, "--json", "--markdown"], ids=["text", "json", "markdown"])
@pytest.mark.parametrize(("options", "said", "code"), UNDELIVERED.values(), ids=UNDELIVERED.keys())
def test_the_share_of_copies_that_may_be_undelivered(
    options: tuple[str, ...],
    said: str,
    code: int,
    form: str | None,
    results: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["report", *([form] if form else []), "--max-differ", "1", *options, str(results)]
    assert main(arguments) == code
    out = capsys.readouterr().out
    if form == "--json":
        data = json.loads(out)
        assert (data["ok"], data["delivery_ok"], data["undelivered"]) == (code == 0, code == 0, 1)
    else:
        assert said in out.splitlines()[0]
    if form == "--markdown":
        assert out.startswith("### ❌" if code else "### ✅")


@pytest.mark.parametrize("code", [0, 1])
def test_junit_tells_undelivered_copies_and_no_accepted_difference(
    code: int, results: Path, tmp_path: Path
) -> None:
    junit, limit = tmp_path / "junit.xml", ("50%", "5%")[code]
    options = ["--max-differ", "1", "--max-undelivered", limit, "--junit", str(junit)]
    assert main(["report", *options, str(results)]) == code
    suite = ET.fromstring(junit.read_text(encoding="utf-8"))[0]
    (case,) = [case for case in suite if case.get("name") == "copies were delivered"]
    assert (suite.get("failures"), case.find("failure") is not None) == (str(code), code == 1)
    if code:
        assert "shadow dropped: queue_full (1)" in (case.findtext("failure") or "")


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
    assert f"{path}: 19 more lines are no results" in err


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
    lines = b"{" + b"x" * (2 * MAX_LINE) + b"\n" + json.dumps(LINE).encode() + b"\n"
    summary.reading.read("x", io.BytesIO(lines), summary.add)
    assert (summary.lines, summary.reading.bad) == (1, 1)


def write(path: Path, *changes: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps({**LINE, **change}) + "\n" for change in changes), encoding="utf-8")
    return path


USELESS = {
    "an array": json.dumps([LINE]).encode(),
    "written over many lines": json.dumps(LINE, indent=1).encode(),
    "lines of something else": b'{"version": 2}\n' * 5,
    "bytes": bytes(range(256)) * 4,
    "one half of a line": json.dumps(LINE).encode()[:100],
}


@pytest.mark.parametrize("content", USELESS.values(), ids=USELESS.keys())
def test_a_file_without_any_result_is_an_error(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert main(["report", "--max-differ", "1", str(path)]) == 2
    err = capsys.readouterr().err
    assert f"{path}: not one of its lines is a result; expected a file of mirror_results" in err
    assert err.count("no result: ") <= 3
    assert "cut off" not in err


def test_a_byte_order_mark_is_nothing(results: Path) -> None:
    results.write_bytes(b"\xef\xbb\xbf" + results.read_bytes())
    assert main(["report", "--max-differ", "20%", str(results)]) == 0


NOTHING = {
    "no results": ([], "there are no results (did a rule take any request?)"),
    "none delivered": ([DROPPED], "no copy was delivered"),
    "incomparable": ([REFUSED], "every answer was incomparable"),
    "not asked for": ([{"verdict": None}], "no copy has a verdict (does the spec say `compare: {}`?)"),
}


@pytest.mark.parametrize(("lines", "why"), NOTHING.values(), ids=NOTHING.keys())
def test_why_nothing_was_compared_is_said_and_fails_in_junit(
    lines: list[dict[str, object]], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, junit = write(tmp_path / "results.jsonl", *lines), tmp_path / "junit.xml"
    assert main(["report", "--junit", str(junit), str(path)]) == 1
    assert f"nothing was compared: {why}" in capsys.readouterr().err
    assert ET.fromstring(junit.read_text(encoding="utf-8"))[0].get("failures") == "1"


@pytest.mark.parametrize(("accepted", "code"), [("3%", 0), ("1%", 1)], ids=["accepted", "too many"])
def test_junit_fails_where_the_exit_code_does(
    results: Path, tmp_path: Path, accepted: str, code: int
) -> None:
    """One route in ten of all answers has a fifth of its own that differ: 2 % of all."""
    with results.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({**LINE, "rule": "other"}) + "\n" for _ in range(90))
    junit = tmp_path / "junit.xml"
    assert main(["report", "--max-differ", accepted, "--junit", str(junit), str(results)]) == code
    suite = ET.fromstring(junit.read_text(encoding="utf-8"))[0]
    assert suite.get("failures") == str(code)
    assert "2 of 10 differ" in ET.tostring(suite, encoding="unicode")


def test_of_ever_so_many_routes_none_is_left_out_of_junit(tmp_path: Path) -> None:
    changes: list[dict[str, object]] = [
        {"rule": f"r{n}", **(DIFFER if n == 1999 else {})} for n in range(2000)
    ]
    path, junit = write(tmp_path / "results.jsonl", *changes), tmp_path / "junit.xml"
    assert main(["report", "--junit", str(junit), str(path)]) == 1
    suite = ET.fromstring(junit.read_text(encoding="utf-8"))[0]
    assert suite.get("failures") == "1"
    assert int(suite.get("tests") or 0) <= 1001


def test_names_in_paths_are_left_open_however_they_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["".join(chr(97 + n // 26**k % 26) for k in range(3)) for n in range(3000)]
    changes: list[dict[str, object]] = [
        {**DIFFER, "url": f"https://a.test/users/{name}/posts"} for name in names
    ]
    assert main(["report", str(write(tmp_path / "results.jsonl", *changes))]) == 1
    assert "  GET /users/{}/posts → body:$.items[*].price value (3,000 of 3,000" in capsys.readouterr().out


def test_results_are_grouped_by_their_route_and_by_paths_where_they_have_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked(name: str, route: str | None) -> dict[str, object]:
        return {**DIFFER, "url": f"https://a.test/users/{name}", "route": route}

    routes = ["GET /users/{name}", "GET /users/{name}", None]
    changes = [asked(*pair) for pair in zip(("ada", "bob", "cyd"), routes, strict=True)]
    main(["report", str(write(tmp_path / "results.jsonl", *changes))])
    out = capsys.readouterr().out
    assert "  GET /users/{name} → body:$.items[*].price value (2 of 2" in out
    assert "  GET /users/cyd → body:$.items[*].price value (1 of 1" in out


def test_routes_stay_apart_and_bounded() -> None:
    routes = Routes()
    paths = ["/users/me", "/users/42", "/orders/7/items", "/orders/latest/items"]
    assert [routes.take(("a", "r"), "GET", f"https://a.test{path}") for path in paths] == [
        "GET /users/me",
        "GET /users/{}",
        "GET /orders/{}/items",
        "GET /orders/latest/items",
    ]
    early = routes.take(("a", "r"), "GET", "https://a.test/by-name/abc/x")
    for n in range(MAX_BESIDE):
        routes.take(("a", "r"), "GET", f"https://a.test/by-name/name-{chr(97 + n % 26)}{'x' * (n // 26)}/x")
    assert early == "GET /by-name/abc/x"
    assert routes.final(("a", "r"), early) == "GET /by-name/{}/x"
    assert routes.final(("a", "r"), "GET /users/me") == "GET /users/me"


def test_that_a_baseline_got_no_unsafe_request_is_nothing_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    skipped = {**DROPPED, "outcome": "skipped", "reason": "unsafe_method", "method": "POST"}
    assert main(["report", str(write(tmp_path / "results.jsonl", {}, skipped))]) == 0
    assert "elivered" not in capsys.readouterr().out.replace("1 delivered, 1 skipped", "")


def test_places_with_ever_new_values_are_called_likely_noise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def differing(number: int) -> dict[str, object]:
        code = {"place": "body:$.code", "kind": "value", "primary": f"a{number}", "copy": f"b{number}"}
        price = {"place": "body:$.price", "kind": "value", "primary": 10, "copy": 12}
        return {"verdict": "differ", "differences": [code, price]}

    path = write(tmp_path / "results.jsonl", *map(differing, range(20)))
    main(["report", str(path)])
    _, _, noise = capsys.readouterr().out.partition("Likely noise")
    assert "  GET /users/{} → body:$.code (20 of 20)" in noise
    assert "price" not in noise
    main(["report", "--markdown", str(path)])
    assert (
        "Likely noise (ever-new values): `GET /users/{} → body:$.code (20 of 20)`" in capsys.readouterr().out
    )


def test_that_groups_found_no_room_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def differing(number: int) -> dict[str, object]:
        name = f"body:$.{chr(97 + number // 26 % 26)}{chr(97 + number % 26)}x{'y' * (number // 676)}"
        return {
            "verdict": "differ",
            "differences": [{"place": name, "kind": "value", "primary": 1, "copy": 2}],
        }

    main(["report", str(write(tmp_path / "results.jsonl", *map(differing, range(1010))))])
    shown = capsys.readouterr()
    assert "report: 10 groups of differences, those seen least, found no room" in shown.err
    assert "  … and 950 more" in shown.out


def test_rules_of_one_name_in_two_apis_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes: list[dict[str, object]] = [{"api": "a"}, {**DIFFER, "api": "b"}]
    path, junit = write(tmp_path / "results.jsonl", *changes), tmp_path / "junit.xml"
    main(["report", "--json", "--junit", str(junit), str(path)])
    data = json.loads(capsys.readouterr().out)
    assert [(g["api"], g["rule"], g["count"], g["of"]) for g in data["differences"]] == [
        ("b", "read-user", 1, 1)
    ]
    assert [(row["api"], row["rule"]) for row in data["latency"]] == [("a", "read-user"), ("b", "read-user")]
    cases = ET.fromstring(junit.read_text(encoding="utf-8")).iter("testcase")
    assert [(case.get("classname"), case.find("failure") is None) for case in cases] == [
        ("a / read-user", True),
        ("b / read-user", False),
    ]


def test_several_destinations_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "results.jsonl", {"destination": "a"}, {**DIFFER, "destination": "b"})
    main(["report", str(path)])
    assert capsys.readouterr().out.splitlines()[1:3] == ["a: 0 of 1 differ", "b: 1 of 1 differ"]


def test_differences_of_several_destinations_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes: list[dict[str, object]] = [{"destination": "a"}, {**DIFFER, "destination": "b"}]
    path = write(tmp_path / "results.jsonl", *changes, *changes)
    main(["report", "--json", str(path)])
    (group,) = json.loads(capsys.readouterr().out)["differences"]
    assert (group["destination"], group["count"], group["of"], group["apart"]) == ("b", 2, 2, ["destination"])
    main(["report", str(path)])
    assert "  GET /users/{} (b) → body:$.items[*].price value (2 of 2" in capsys.readouterr().out
    main(["report", "--markdown", str(path)])
    assert "| `GET /users/{}` b | `body:$.items[*].price` | value | 2 of 2 |" in capsys.readouterr().out


ODD = "`|<b>\x1b[31m\u202e\n# @me #1"


@pytest.mark.parametrize("form", ["--markdown", "--json", None], ids=["markdown", "json", "text"])
def test_what_answers_hold_cannot_move_a_terminal_or_break_a_table(
    form: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = {"place": f"body:$['{ODD}']", "kind": "value", "primary": ODD, "copy": "x" * 100_000}
    changes: list[dict[str, object]] = [
        {"rule": ODD, "url": f"https://a.test/{ODD}", "verdict": "differ", "differences": [odd]}
    ]
    junit = tmp_path / "junit.xml"
    main(
        [
            "report",
            *([form] if form else []),
            "--junit",
            str(junit),
            str(write(tmp_path / "r.jsonl", *changes)),
        ]
    )
    out = capsys.readouterr().out
    ET.fromstring(junit.read_text(encoding="utf-8"))
    if form != "--json":
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert len(out) < 5000
    if form == "--markdown":
        (row,) = [line for line in out.splitlines() if "body:" in line and line.startswith("|")]
        assert row.replace("\\|", "").count("|") == 8


def test_markdown_fits_in_a_comment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes: list[dict[str, object]] = [
        {
            "id": "7f0c1e52-1111-4222-8333-944444444444",
            "rule": f"rule-{n}-{'r' * 300}",
            "url": f"https://a.test/{'p' * 300}/{chr(97 + n % 26)}",
            "verdict": "differ",
            "differences": [
                {
                    "place": f"body:$.{'k' * 300}{chr(97 + n % 26)}",
                    "kind": "value",
                    "primary": "é" * 500,
                    "copy": 1,
                }
            ],
            "set_aside": [{"place": f"body:$.{'s' * 300}{chr(97 + n % 26)}", "why": "uuid"}],
        }
        for n in range(300)
    ]
    main(["report", "--markdown", str(write(tmp_path / "r.jsonl", *changes))])
    assert len(capsys.readouterr().out.encode()) < 65_536
