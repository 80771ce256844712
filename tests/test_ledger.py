"""The ledger: sums that stay exact, whatever is added, ended or forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from traffic_mirror.ledger import GONE, OUTCOMES, Count, Ledger
from traffic_mirror.spec.model import Api, Baseline, Compare, Destination, Rule, Spec, row_names

NAMES = st.sampled_from(["a", "b", "c"])
COUNTS = st.builds(
    Count, NAMES, NAMES, NAMES, st.sampled_from(OUTCOMES), st.sampled_from(["2xx", "dns"]), st.integers(1, 9)
)


def rows(ledger: Ledger) -> set[tuple[str, str, str]]:
    return {(row.key.api, row.key.rule, row.key.destination) for row in ledger}


@given(st.lists(COUNTS))
def test_what_is_added_is_selected_and_ended(counts: list[Count]) -> None:
    ledger = Ledger()
    ledger.add(counts)
    assert ledger.selected == sum(ledger.outcomes().values()) == sum(count.count for count in counts)
    assert ledger.in_flight == 0
    again = Ledger()
    again.add(ledger.counts())
    assert again.outcomes() == ledger.outcomes()


@given(st.lists(COUNTS), st.sets(st.tuples(NAMES, NAMES, NAMES)), st.integers(0, 30))
def test_trimming_changes_no_sum_and_no_row_in_force(
    counts: list[Count], in_force: set[tuple[str, str, str]], most: int
) -> None:
    ledger = Ledger()
    ledger.add(counts)
    for row in ledger:
        row.judge("match", 2)
    before, judged, had = ledger.outcomes(), ledger.verdicts(), rows(ledger)
    ledger.trim(lambda: in_force, most)
    assert ledger.outcomes() == before
    assert ledger.verdicts() == judged
    assert ledger.selected == sum(before.values())
    if len(had) > most:
        assert rows(ledger) <= {*in_force, GONE}
        assert rows(ledger) >= had & in_force
    else:
        assert rows(ledger) == had


def test_a_row_with_copies_under_way_stays_and_one_never_used_goes() -> None:
    ledger = Ledger()
    ledger.row("a", "busy", "d").selected = 3
    ledger.row("a", "idle", "d")
    ledger.trim(set, 0)
    assert rows(ledger) == {("a", "busy", "d")}
    assert ledger.in_flight == 3


def test_ever_other_rules_leave_few_rows() -> None:
    ledger = Ledger()
    for number in range(100):
        key = ("api", f"rule-{number}", "d")
        ledger.add([Count(*key, "delivered", "2xx", 1)])
        ledger.trim({key}.copy, 10)
        assert len(rows(ledger)) <= 11
    assert ledger.selected == 100


def test_the_names_of_rows_are_those_that_copies_are_counted_under() -> None:
    destinations = tuple(
        Destination(name=name, url="http://h:1", scheme="http", hostname="h", port=1) for name in "xyz"
    )
    compared = Rule(name="s", path="/", destinations=(1,), compare=Compare(baseline=Baseline(destination=2)))
    rules = (Rule(name="r", path="/", destinations=(0, 1)), compared)
    spec = Spec(destinations=destinations, apis=(Api(name="a", rules=rules),))
    assert row_names(spec) == {("a", "r", "x"), ("a", "r", "y"), ("a", "s", "y"), ("a", "s", "z")}
