"""The programs that some tests want, and what is missing here of them.

A newcomer's machine may lack them: such a test skips and says why. With `CI=true` it fails.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
import tempfile

import pytest

SBIN = ("/usr/sbin", "/sbin", "/usr/local/sbin")


def find(program: str) -> str | None:
    """Where a program is; the administrator's directories count, whatever PATH says."""
    return shutil.which(program) or shutil.which(program, path=os.pathsep.join(SBIN))


def require(*programs: str) -> None:
    """Ends the test here if one of `programs` is missing: skipped, or failed with `CI=true`."""
    absent = [reason for program in programs if (reason := missing(program))]
    if not absent:
        return
    reason = "; ".join(absent)
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (with CI=true nothing may be missing)", pytrace=False)
    pytest.skip(reason)


@functools.cache
def missing(program: str) -> str | None:
    """Why `program` can't be used here, None when it can.

    Besides names of programs: `curl-http2` (a curl with HTTP/2) and `netns` (a network namespace
    with a redirect rule can be set up, which takes Linux, root and iptables).
    """
    if program == "curl-http2":
        return _missing_curl_http2()
    if program == "netns":
        return _missing_netns()
    return None if find(program) else f"{program} is not installed"


def _missing_curl_http2() -> str | None:
    curl = find("curl")
    if curl is None:
        return "curl is not installed"
    features = subprocess.run([curl, "--version"], capture_output=True, text=True, check=False).stdout
    return None if "HTTP2" in features else "the curl on PATH speaks no HTTP/2"


def _missing_netns() -> str | None:
    if platform.system() != "Linux" or os.geteuid() != 0:
        return "a network namespace takes Linux and root"
    for program in ("ip", "iptables"):
        if find(program) is None:
            return f"{program} is not installed"
    name = f"mirror-probe-{os.getpid()}"
    with tempfile.TemporaryFile() as output:
        made = subprocess.run([find("ip") or "ip", "netns", "add", name], stderr=output, check=False)
        if made.returncode == 0:
            rule = "-t nat -A OUTPUT -p tcp --dport 80 -m owner ! --uid-owner 0 -j REDIRECT --to-ports 8080"
            inside = [find("ip") or "ip", "netns", "exec", name, find("iptables") or "iptables"]
            made = subprocess.run([*inside, *rule.split()], stderr=output, check=False)
            subprocess.run([find("ip") or "ip", "netns", "delete", name], check=False)
        if made.returncode == 0:
            return None
        output.seek(0)
        return f"no network namespace with a redirect rule here: {output.read().decode().strip()}"
