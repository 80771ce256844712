"""Uploads, one after another over one connection: `python -m benchmarks.uploader PORT BYTES [A_SECOND]`.

Interrupted, it prints how many were answered. With a third number it begins at most so many a second, and
runs at the priority of the mirror's worker.
"""

from __future__ import annotations

import os
import socket
import sys
import time

_NICENESS = 10  # the worker's


def upload(port: int, size: int, interval: float = 0.0) -> int:
    """Uploads until it is interrupted, one each `interval` seconds at most; how many were answered.

    Raises OSError where one is not.
    """
    head = f"POST /items/42?x=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {size}\r\n\r\n".encode()
    body, count = bytes(size), 0
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        try:
            due = time.monotonic()
            while True:
                time.sleep(max(0.0, due - time.monotonic()))
                due += interval
                sock.sendall(head)
                sock.sendall(body)
                answer = b""
                while not answer.endswith(b"\r\n\r\nok"):
                    data = sock.recv(65536)
                    answer += data
                    if not data or not answer.startswith(b"HTTP/1.1 200"[: len(answer)]):
                        raise ConnectionError(f"the proxy answered {answer[:40]!r}")
                count += 1
        except KeyboardInterrupt:
            return count


if __name__ == "__main__":
    port, size, *a_second = sys.argv[1:]
    if a_second:
        os.nice(_NICENESS)
    done = upload(int(port), int(size), 1 / float(a_second[0]) if a_second else 0.0)
    sys.stdout.write(f"{done}\n")
