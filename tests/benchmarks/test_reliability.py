"""What `make reliability` writes: tables of what the tests noted, in the page's own places."""

from __future__ import annotations

import pytest

from benchmarks.reliability import render_faults, render_soak, replace_part

PAGE = "before\n<!-- faults -->\nold\n<!-- /faults -->\nafter\n"


def test_only_its_part_of_the_page_changes() -> None:
    assert replace_part(PAGE, "faults", "new\\1\n") == PAGE.replace("old", "new\\1")
    with pytest.raises(ValueError, match="found no <!-- soak -->"):
        replace_part(PAGE, "soak", "")


def test_each_scenario_has_its_line() -> None:
    text = render_faults(
        [
            {
                "kind": "destination",
                "scenario": "resets",
                "ended": "40 failed: reset",
                "recovered": 2,
                "memory": [1.2, -3.4],
            },
            {"kind": "destination", "scenario": "has no name", "ended": "40 failed: dns"},
            {"kind": "worker", "scenario": "is killed", "lost": 30, "clients": 200, "recovered": 1},
            {"kind": "worker", "scenario": "is killed thrice", "clients": 9, "exact": True},
            {"kind": "disk", "scenario": "a full disk", "clients": 20, "exact": True},
        ]
    )
    for line in (
        "| resets | 40 failed: reset | 2 | +1 MiB, -3 MiB |",
        "| has no name | 40 failed: dns | – | – |",
        "| is killed | all 200 | 30 | 1 requests until copies arrived again |",
        "| is killed thrice | all 9 | – | the sum is exact |",
        "| a full disk | all 20 clients answered; the sum is exact |",
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize("problems", [[], ["the worker held 10 MiB at first and 99 MiB in the end"]])
def test_a_soak_says_whether_it_held(problems: list[str]) -> None:
    soak = {
        "seconds": 10.0, "requests": 12345, "failed_requests": 0, "first": [70.0, 90.4], "last": [71.0, 91.0],
        "ledger": "2 selected = 2 delivered", "problems": problems,
    }  # fmt: skip
    text = render_soak(soak)
    assert "12,345 requests in 10 s (1,234/s), 0 failed." in text
    assert "| worker | 90 MiB | 91 MiB |" in text
    assert (problems[0] if problems else "Bounded, and every copy is counted.") in text
