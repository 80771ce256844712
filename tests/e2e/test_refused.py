"""What is wrong at the start is said in full, and nothing listens."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests import processes
from tests.proxies import start
from tests.servers import free_port

MISTAKES = Path(__file__).with_name("mistakes.yaml")
EXPECTED = [
    (line, found[1])
    for line, text in enumerate(MISTAKES.read_text().splitlines(), 1)
    if (found := re.search(r"  # (\$\..*)", text))
]
GOOD = 'version: 1\napis: [{name: a, traffic_mirror: [{path: /, destinations: ["http://127.0.0.1:9"]}]}]\n'


def refused(directory: Path, spec: str | Path, *, tool: str = "mitmdump", **settings: dict[str, str]) -> str:
    """What a proxy said that would not start; it ended with 1, and nothing was listening meanwhile."""
    port = free_port()
    options = {"listen_port": str(port), **settings.get("options", {})}
    starting = start(directory, spec, tool=tool, options=options, env=settings.get("env"))
    try:
        status = starting.process.wait(20)
    finally:
        processes.end(starting.process)
    assert status == 1, starting.log
    assert "listening at" not in starting.log
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", port)) != 0
    return starting.log


def test_thirty_mistakes_get_thirty_located_messages(tmp_path: Path) -> None:
    assert len(EXPECTED) >= 30
    log = refused(tmp_path, MISTAKES)
    said = re.findall(r"mistakes\.yaml:(\d+):\d+: (\$.*?): found .+, expected .+", log)
    assert [(int(line), path) for line, path in said] == EXPECTED


def test_mitmweb_refuses_the_same_way(tmp_path: Path) -> None:
    log = refused(tmp_path, MISTAKES, tool="mitmweb")
    assert len(re.findall(r"mistakes\.yaml:\d+:\d+: ", log)) == len(EXPECTED)


def test_a_spec_that_is_not_there(tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere.yaml") in refused(tmp_path / "proxy", tmp_path / "nowhere.yaml")


def test_a_file_that_is_no_yaml(tmp_path: Path) -> None:
    assert "mirror.yaml:3:1: $: found a syntax error" in refused(tmp_path, "version: 1\ndestinations: [\n")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("mirror_drain", "a while"),
        ("mirror_listen", "nowhere"),
        ("mirror_inspect", "perhaps"),
        ("mirror_results", "/no/such/directory/results.jsonl"),
        ("mirror_failed", "/dev"),
        ("mirror_offline", "perhaps"),
        ("mirror_spec", ""),
    ],
)
def test_an_option_that_makes_no_sense(tmp_path: Path, option: str, value: str) -> None:
    log = refused(tmp_path, GOOD, options={option: value})
    assert option in log
    assert value in log


@pytest.mark.parametrize("line", ["mirror_offline: 'yes'", "mirror_shown: [1]", "mirror_drain: -5"])
def test_a_line_of_mitmproxys_own_configuration_that_makes_no_sense(tmp_path: Path, line: str) -> None:
    (tmp_path / "config.yaml").write_text(f"{line}\n")
    log = refused(tmp_path / "proxy", GOOD, options={"confdir": str(tmp_path)})
    assert f"{line.partition(':')[0]}: found " in log


def test_a_dependency_that_is_missing_is_named(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "re2.py").write_text("raise ModuleNotFoundError(\"No module named 're2'\", name='re2')\n")
    log = refused(tmp_path / "proxy", GOOD, env={"PYTHONPATH": str(hidden)})
    assert "'re2' is missing" in log
    assert "pip install ." in log


@pytest.mark.parametrize("tool", ["mitmdump", "mitmweb"])
def test_a_port_that_is_taken_ends_mitmproxy_as_it_does_without_the_mirror(tmp_path: Path, tool: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = {"listen_port": str(taken.getsockname()[1])}
        starting = start(tmp_path, GOOD, tool=tool, options=options)
        try:
            status = starting.process.wait(20)
        finally:
            processes.end(starting.process)
    assert status == 1, starting.log
    assert "address already in use" in starting.log
