"""A name server that never answers: copies time out, and nothing waits for it, not even a closing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.namespaces import ADDRESS, namespace
from tests.waiting import wait_until
from tests.worker.driver import STATE, WorkerProcess, destination, request, spec_of
from traffic_mirror.wire.frames import Beat, Setup, Stop

# Ten seconds, as long as the system itself goes on looking.
RESOLVER = f"nameserver {ADDRESS}\noptions timeout:10 attempts:1\n"
WITH_RESOLVER = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


@pytest.mark.needs("netns", "unshare")
def test_a_name_server_that_never_answers(tmp_path: Path) -> None:
    resolver = tmp_path / "resolv.conf"
    resolver.write_text(RESOLVER)
    with namespace() as inside, inside.deaf_ear(53):
        prefix = [*inside.prefix, "unshare", "-m", "sh", "-c", WITH_RESOLVER, str(resolver)]
        with WorkerProcess(prefix) as worker:
            worker.set_up(spec_of(destination("http://slow.example.test:80", timeout=0.5)))
            worker.mirror(request())
            assert worker.wait_for_endings(1)[1][1:3] == ("failed", "timeout")

            other = destination("http://other.example.test:80", timeout=0.5)
            worker.send(Setup(spec=spec_of(other), state=STATE))  # the first one is to be closed
            beats = len(worker.frames(Beat))
            wait_until(lambda: len(worker.frames(Beat)) >= beats + 3, 6, "the worker to go on")
            worker.mirror(request())
            worker.send(Stop(5.0))
            assert worker.end(5.0) == 0
            assert worker.endings[2][1:3] == ("failed", "timeout")
