"""nginx, the system's own, with one server on loopback that does what a test's configuration says."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.certificates import Authority
from tests.programs import find
from tests.servers import free_port
from tests.waiting import wait_until

# Bodies stay in memory: where root runs it, its worker may not write to a test's directory.
_CONFIG = """
daemon off; pid {dir}/pid; error_log {dir}/error; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  client_body_buffer_size 16m; client_max_body_size 16m;
  server {{
    listen 127.0.0.1:{port} {options};
    ssl_certificate {certificate}; ssl_certificate_key {key};
    {server}
  }}
}}
"""


@contextlib.contextmanager
def nginx(directory: Path, authority: Authority, server: str, *, options: str = "") -> Iterator[str]:
    """Starts one; its URL. `options` are those of `listen`, `server` the directives that follow it."""
    port = free_port()
    certificate, key = authority.issue("127.0.0.1")
    config = directory / "nginx.conf"
    config.write_text(
        _CONFIG.format(
            dir=directory, port=port, options=options, certificate=certificate, key=key, server=server
        )
    )
    program = find("nginx")
    assert program is not None
    with subprocess.Popen(
        [program, "-p", str(directory), "-c", str(config)], stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_until(lambda: _answers(port), message=(directory / "error").read_text)
            yield f"{'https' if 'ssl' in options else 'http'}://127.0.0.1:{port}"
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
