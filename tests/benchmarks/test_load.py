from __future__ import annotations

import pytest

from benchmarks.load import Load, parse_wrk
from benchmarks.processes import BenchError

HEALTHY = """Running 2s test @ http://127.0.0.1:38291/items/42?x=1
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    34.27ms    9.10ms 141.77ms   94.75%
    Req/Sec     0.94k    91.52     1.03k    90.00%
  Latency Distribution
     50%   32.40ms
     75%   34.11ms
     90%  980.00us
     99%    1.03s
  1878 requests in 2.00s, 276.90KB read
Requests/sec:    938.62
Transfer/sec:    138.39KB
"""
FAILING = HEALTHY.replace(
    "Requests/sec",
    "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 90\nRequests/sec",
)


def test_what_wrk_prints_is_read() -> None:
    load = parse_wrk(HEALTHY)
    assert load == Load(1878, 2.0, {50: 0.0324, 75: 0.03411, 90: 0.00098, 99: 1.03}, 0)
    assert load.rate == 939


def test_failed_requests_are_counted() -> None:
    assert parse_wrk(FAILING).errors == 100


def test_a_run_of_minutes_is_read_too() -> None:
    assert parse_wrk("  60 requests in 1.50m, 1KB read\n").seconds == 90


@pytest.mark.parametrize("text", ["", "unable to connect to 127.0.0.1:1 Connection refused\n"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BenchError, match="said nothing of requests"):
        parse_wrk(text)
