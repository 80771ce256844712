"""Mistakes: each is found at its place and said in the same words, thirty of different kinds in one go."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from traffic_mirror.edge.filters import check_filter
from traffic_mirror.spec.problems import SpecError
from traffic_mirror.spec.reader import parse_spec, read_spec

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ENVIRON = {"SECRET": "s3cr3t"}


def mistakes() -> list[tuple[str, str, list[str]]]:
    """The cases of mistakes.txt: `=== name`, a document, `>>>`, the messages about it."""
    cases = []
    for case in (HERE / "mistakes.txt").read_text().split("=== ")[1:]:
        name, _, rest = case.partition("\n")
        text, _, messages = rest.partition(">>>\n")
        cases.append((name, text, messages.splitlines()))
    return cases


@pytest.mark.parametrize(
    ("text", "messages"), [case[1:] for case in mistakes()], ids=[case[0] for case in mistakes()]
)
def test_a_mistake_is_said_at_its_place(text: str, messages: list[str]) -> None:
    with pytest.raises(SpecError) as error:
        parse_spec([("s.yaml", text.encode())], ENVIRON, lambda expression: f"bad {expression}")
    assert [str(problem) for problem in error.value.problems] == [f"s.yaml:{message}" for message in messages]
    assert "s3cr3t" not in str(error.value)


def test_thirty_mistakes_give_thirty_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(HERE / "thirty.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError) as error:
        read_spec(Path("thirty.yaml"), {}, check_filter)
    assert str(error.value).splitlines() == (HERE / "thirty.txt").read_text().splitlines()
    assert len(error.value.problems) == 30


def test_the_command_line_prints_all_thirty(tmp_path: Path) -> None:
    shutil.copy(HERE / "thirty.yaml", tmp_path)
    command = [sys.executable, "-m", "traffic_mirror", "check", "thirty.yaml"]
    environ = {"PYTHONPATH": str(HERE.parent.parent), "PATH": ""}
    result = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (HERE / "thirty.txt").read_text()


def refused(*documents: tuple[str, str], environ: dict[str, str] | None = None) -> list[str]:
    """The messages about documents that are no valid spec."""
    with pytest.raises(SpecError) as error:
        parse_spec([(name, text.encode()) for name, text in documents], environ or {})
    return [str(problem) for problem in error.value.problems]


RULES = "apis: [{name: %s, traffic_mirror: [{path: /, destinations: ['http://d.test']}]}]\n"


def test_problems_of_all_files_are_told_in_their_order() -> None:
    messages = refused(("b.yaml", "versoin: 1"), ("a.yaml", "a: }"), ("c.yaml", RULES % "5"))
    starts = [
        'b.yaml:1:1: $.versoin: found the unknown key "versoin", expected one of version, destinations,',
        "a.yaml:1:4: $: found a syntax error (while parsing a ",
        "c.yaml:1:15: $.apis[0].name: found 5, expected a name",
    ]
    assert [message[: len(start)] for message, start in zip(messages, starts, strict=True)] == starts


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            "destinations: {d: {url: 'http://d.test'}}\n" + RULES % "a",
            "\ndestinations: {d: {url: 'http://e.test'}}",
            'two.yaml:2:16: $.destinations.d: found the destination "d" again (first at one.yaml:1)',
        ),
        (
            RULES % "a",
            RULES % "a",
            'two.yaml:1:15: $.apis[0].name: found the API "a" again (first at one.yaml:1)',
        ),
        (
            "compare: true\n" + RULES % "a",
            "compare: {}",
            "two.yaml:1:1: $.compare: found compare again (first at one.yaml:1)",
        ),
    ],
    ids=["destinations", "APIs", "what holds for the whole spec"],
)
def test_what_is_ambiguous_between_files_is_refused(first: str, second: str, message: str) -> None:
    (told,) = refused(("one.yaml", first), ("two.yaml", second))
    assert told.startswith(f"{message}, expected ")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: \x01", "s.yaml:1:4: $: found the character U+0001, expected text without control characters"),
        (b"a: b\nc: \xff\xfa", "s.yaml:2:4: $: found bytes that are not UTF-8, expected text"),
        (b"\xff\xfea", "s.yaml:1:1: $: found bytes that are not UTF-16, expected text"),
    ],
    ids=["control character", "not UTF-8", "not UTF-16"],
)
def test_what_is_no_text_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(SpecError) as error:
        parse_spec([("s.yaml", data)], {})
    assert str(error.value) == message


def test_a_file_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"none\.yaml:1:1: \$: found no such file or directory, expected a"):
        read_spec(tmp_path / "none.yaml", {})


def test_a_directory_without_a_spec_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("apis: []")
    with pytest.raises(SpecError, match="found a directory without a spec"):
        read_spec(tmp_path, {})


def test_one_unreadable_file_does_not_hide_the_others_mistakes(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to(tmp_path / "gone")
    (tmp_path / "b.yaml").write_text("apis: 5")
    with pytest.raises(SpecError) as error:
        read_spec(tmp_path, {})
    assert [Path(problem.file).name for problem in error.value.problems] == ["a.yaml", "b.yaml"]


@pytest.mark.parametrize("inside", [False, True], ids=["the spec", "in the spec's directory"])
def test_a_pipe_is_refused_and_not_waited_for(inside: bool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    command = [
        sys.executable,
        "-m",
        "traffic_mirror",
        "check",
        str(tmp_path / ("" if inside else "pipe.yaml")),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    assert ran.returncode == 1
    assert "pipe.yaml:1:1: $: found a pipe, expected a regular file" in ran.stderr


def test_a_device_is_refused() -> None:
    with pytest.raises(SpecError, match="found a device, expected a regular file"):
        read_spec(Path("/dev/zero"), {})


def test_what_an_alias_repeats_is_one_problem() -> None:
    text = """
x-destination: &d {url: 'http://d.test', timeout: soon}
apis:
  - traffic_mirror:
      - {path: /a, destinations: [*d]}
      - {path: /b, destinations: [*d]}
"""
    (message,) = refused(("s.yaml", text))
    assert message.startswith("s.yaml:2:51: $.apis[0].traffic_mirror[0].destinations[0].timeout: found")
