"""The command `check`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from traffic_mirror.__main__ import main

ROOT = Path(__file__).parent.parent
GOOD = "apis: [{traffic_mirror: [{path: /, destinations: ['http://d.test', 'http://e.test']}]}]"


def test_a_valid_spec_is_summed_up_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.yaml").write_text(GOOD)
    assert main(["check", str(tmp_path / "s.yaml"), str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / 's.yaml'}: valid, 1 API, 1 rule, 2 destinations",
        f"{tmp_path}: valid, 1 API, 1 rule, 2 destinations",
    ]


def test_problems_of_every_spec_go_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("apis: 1")
    (tmp_path / "b.yaml").write_text("apis: 2")
    (tmp_path / "c.yaml").write_text(GOOD)
    assert main(["check", *(str(tmp_path / name) for name in ("a.yaml", "b.yaml", "c.yaml"))]) == 1
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [
        f"{tmp_path / 'a.yaml'}:1:7: $.apis: found 1, expected a list of APIs",
        f"{tmp_path / 'b.yaml'}:1:7: $.apis: found 2, expected a list of APIs",
    ]
    assert shown.out.splitlines() == [f"{tmp_path / 'c.yaml'}: valid, 1 API, 1 rule, 2 destinations"]


def test_json_has_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("apis: 1")
    (tmp_path / "c.yaml").write_text(GOOD)
    a, c = str(tmp_path / "a.yaml"), str(tmp_path / "c.yaml")
    assert main(["check", "--json", a, c]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "valid": False,
        "specs": [{"spec": c, "apis": 1, "rules": 1, "destinations": 2}],
        "problems": [
            {
                "file": a,
                "line": 1,
                "column": 7,
                "path": "$.apis",
                "found": "1",
                "expected": "a list of APIs",
                "message": f"{a}:1:7: $.apis: found 1, expected a list of APIs",
            }
        ],
    }


@pytest.mark.parametrize(
    ("filter_", "status"), [("~bq needle", 0), ("~zz", 1)], ids=["a good filter", "a bad filter"]
)
def test_filters_are_checked_with_mitmproxy(tmp_path: Path, filter_: str, status: int) -> None:
    text = GOOD.replace("path: /", f"path: /, match: {{filter: '{filter_}'}}")
    (tmp_path / "s.yaml").write_text(text)
    assert main(["check", str(tmp_path / "s.yaml")]) == status


def test_only_what_is_needed_is_imported(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(GOOD)
    code = (
        "import sys; from traffic_mirror.__main__ import main; main(sys.argv[1:]); "
        "print(sorted({'mitmproxy', 'pycurl', 'lxml', 'tornado'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "check", str(tmp_path / "s.yaml")],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=60,
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_a_command_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "check" in capsys.readouterr().err


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("check", "explain", "report"))
