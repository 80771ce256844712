"""Uploads, one after another over one connection: `python -m benchmarks.uploader PORT BYTES`.

Interrupted, it prints how many were answered.
"""

from __future__ import annotations

import socket
import sys


def upload(port: int, size: int) -> int:
    """Uploads until it is interrupted; how many were answered. Raises OSError where one is not."""
    head = f"POST /items/42?x=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {size}\r\n\r\n".encode()
    body, count = bytes(size), 0
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        try:
            while True:
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
    sys.stdout.write(f"{upload(int(sys.argv[1]), int(sys.argv[2]))}\n")
