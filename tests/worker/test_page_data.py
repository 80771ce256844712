"""What the page's views are told: the same sums as the ledger, filtered, paged, masked and bounded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.worker.driver import STATE, destination
from traffic_mirror.compare import Difference, Verdict, Way
from traffic_mirror.ledger import Count
from traffic_mirror.masking import MASK, Masker
from traffic_mirror.spec.model import (
    Api,
    Baseline,
    CircuitBreaker,
    Compare,
    Match,
    Queue,
    Redact,
    Rule,
    SampleBy,
    Spec,
    Tls,
)
from traffic_mirror.wire.frames import Setup, VerdictCount
from traffic_mirror.worker.accounts import Accounts, Failure
from traffic_mirror.worker.outline import outline_destination, outline_rule
from traffic_mirror.worker.page_data import PageData
from traffic_mirror.worker.samples import EACH, MAX_GROUPS, PER_SECOND, PLACES, Sample, Samples
from traffic_mirror.worker.view import View

SHADOW = destination(
    "https://shadow.test:8443", headers=(("Authorization", "Bearer abc"), ("X-Env", "s3cret!"))
)
SPEC = Spec(
    destinations=(SHADOW, destination("http://eu.test:80", "eu")),
    apis=(
        Api(
            name="users",
            hosts=("api.test",),
            listen_path="/users-api/",
            rules=(
                Rule(name="read", path="/{id}", methods=("GET",), destinations=(0, 1), sample_rate=0.5),
                Rule(name="write", path="/", methods=("POST", "PUT"), destinations=(1,)),
            ),
        ),
        Api(name="shop", rules=(Rule(name="items", path="^/items", destinations=(0,), disabled=True),)),
    ),
    secrets=("s3cret!",),
)
COUNTS = (
    Count("users", "read", "shadow", "delivered", "2xx", 90),
    Count("users", "read", "shadow", "failed", "timeout", 6),
    Count("users", "read", "eu", "sampled_out", "rule_rate", 4),
    Count("users", "write", "eu", "dropped", "queue_full", 2),
    Count("gone", "rule", "shadow", "delivered", "2xx", 1),
)
VERDICTS = (
    VerdictCount("users", "read", "shadow", "match", 80),
    VerdictCount("users", "read", "shadow", "differ", 5),
)


class Page:
    """A page's data over accounts that hold `COUNTS`."""

    def __init__(self, spec: Spec = SPEC) -> None:
        self.accounts = Accounts()
        self.accounts.set_base(COUNTS, VERDICTS)
        self.view = View(self.accounts, ())
        self.view.state = STATE
        self.data = PageData(self.view)
        self.data.set_up(Setup(spec=spec, state=STATE, results="/results.jsonl"))

    def ask(self, question: str, **arguments: str) -> Any:
        """An answer as the browser gets it."""
        return msgspec.json.decode(msgspec.json.encode(self.data.answer(question, arguments)))


@pytest.fixture
def page() -> Page:
    return Page()


def test_the_overview_has_the_ledgers_sums(page: Page) -> None:
    overview = page.ask("overview")
    assert overview["selected"] == 103
    assert overview["outcomes"] == {
        "delivered": 91,
        "failed": 6,
        "dropped": 2,
        "skipped": 0,
        "sampled_out": 4,
    }
    assert overview["verdicts"] == {"match": 80, "differ": 5, "incomparable": 0}
    assert sorted(map(tuple, overview["reasons"])) == [
        ("delivered", "2xx", 91),
        ("dropped", "queue_full", 2),
        ("failed", "timeout", 6),
        ("sampled_out", "rule_rate", 4),
    ]
    assert overview["spec"] == {
        "file": "mirror.yaml",
        "loaded_at": 1.0,
        "ok": True,
        "problems": [],
        "apis": 2,
        "rules": 3,
        "destinations": 2,
    }
    assert overview["results"] == "/results.jsonl"


def test_points_of_the_plots_come_from_a_number_on(page: Page) -> None:
    page.data.tick(10.0)
    page.data.tick(11.0)
    assert len(page.ask("overview")["fine"]["points"]) == 2
    assert len(page.ask("overview", fine="1")["fine"]["points"]) == 1


def test_rules_have_their_counts_and_those_without_have_none(page: Page) -> None:
    answer = page.ask("rules")
    assert [(rule["rule"], rule["selected"]) for rule in answer["rules"]] == [
        ("read", 100),
        ("write", 2),
        ("items", 0),
    ]
    read = answer["rules"][0]
    assert read["outcomes"]["failed"] == 6
    assert read["verdicts"] == {"match": 80, "differ": 5, "incomparable": 0}
    assert read["destinations"] == ["shadow", "eu"]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param({"q": "USERS/"}, ["read", "write"], id="by API, in any case"),
        pytest.param({"q": "post eu"}, ["write"], id="all words"),
        pytest.param({"q": "^/items"}, ["items"], id="by path, which is no expression"),
        pytest.param({"q": "nothing"}, [], id="nothing found"),
        pytest.param({"show": "used"}, ["read", "write"], id="used"),
        pytest.param({"show": "unused"}, ["items"], id="unused"),
        pytest.param({"show": "differing"}, ["read"], id="differing"),
        pytest.param({"show": "failing"}, ["read", "write"], id="failing"),
        pytest.param({"sort": "name"}, ["items", "read", "write"], id="sorted by name"),
        pytest.param({"sort": "failed"}, ["read", "write", "items"], id="sorted by failures"),
        pytest.param({"offset": "2"}, ["items"], id="the second page"),
        pytest.param({"offset": "9"}, [], id="past the end"),
    ],
)
def test_rules_are_filtered_sorted_and_paged(page: Page, arguments: dict[str, str], names: list[str]) -> None:
    assert [rule["rule"] for rule in page.ask("rules", **arguments)["rules"]] == names


@pytest.mark.parametrize(
    ("question", "arguments", "words"),
    [
        pytest.param("rules", {"sort": "x"}, "sort: found 'x', expected one of order, name", id="sort"),
        pytest.param("rules", {"show": "x"}, "show: found 'x', expected one of all", id="show"),
        pytest.param("rules", {"offset": "-1"}, "offset: found '-1', expected a number", id="offset"),
        pytest.param("rule", {"index": "3"}, "index: found 3, expected a number below 3", id="no such rule"),
        pytest.param("overview", {"fine": "1e9"}, "fine: found '1e9', expected a number", id="fine"),
    ],
)
def test_a_bad_question_is_told_what_is_expected(
    page: Page, question: str, arguments: dict[str, str], words: str
) -> None:
    with pytest.raises(ValueError, match="expected") as error:
        page.ask(question, **arguments)
    assert str(error.value).startswith(words)


def test_what_is_no_question_has_no_answer(page: Page) -> None:
    with pytest.raises(KeyError):
        page.ask("secrets")


def test_ten_thousand_rules_come_fifty_at_a_time() -> None:
    rules = tuple(Rule(name=f"r{number}", path=f"/r{number}", destinations=(0,)) for number in range(10_000))
    page = Page(msgspec.structs.replace(SPEC, apis=(Api(name="big", rules=rules),)))
    answer = page.ask("rules", offset="9990")
    assert (answer["total"], answer["found"], len(answer["rules"])) == (10_000, 10_000, 10)
    assert [rule["rule"] for rule in page.ask("rules", q="r9999")["rules"]] == ["r9999"]


def test_a_thousand_destinations_are_bounded_and_can_be_found() -> None:
    many = tuple(destination(f"http://d{number}.test:80", f"d{number}") for number in range(1000))
    page = Page(Spec(destinations=many))
    assert page.ask("overview")["destinations"] == []  # no lane, no card
    assert len(page.ask("spec")["destinations"]) == 200
    assert page.ask("spec")["totals"]["destinations"] == 1000


def test_a_rule_is_told_with_what_became_of_its_copies(page: Page) -> None:
    answer = page.ask("rule", index="0")
    assert answer["definition"] == {
        "name": "read",
        "path": "/{id}",
        "methods": ["GET"],
        "sample_rate": 0.5,
        "destinations": ["shadow", "eu"],
    }
    assert {copy["destination"]: copy["outcomes"] for copy in answer["copies"]} == {
        "shadow": {"delivered": {"2xx": 90}, "failed": {"timeout": 6}},
        "eu": {"sampled_out": {"rule_rate": 4}},
    }


def test_the_spec_is_told_without_its_secrets(page: Page) -> None:
    shown = page.ask("spec")
    assert shown["apis"][0] == {
        "name": "users",
        "hosts": ["api.test"],
        "listen_path": "/users-api/",
        "strip_listen_path": False,
        "tyk": False,
        "rules": 2,
    }
    assert shown["destinations"][0]["headers"] == {"Authorization": MASK, "X-Env": MASK}
    name = "X-Traffic-Mirror"
    assert shown["markers"] == {
        "marker_headers": name,
        "sent": [name, f"{name}-Source", f"{name}-Timestamp", f"{name}-Id"],
    }


def test_a_destinations_outline_is_what_is_set_of_it() -> None:
    plain = destination(
        "https://h.test:443",
        base_path="/base",
        base_query="key=s3cret!",
        tls=Tls(verify=False, key=b"PRIVATE"),
        queue=Queue(bytes=3 * 1024**2),
        circuit_breaker=CircuitBreaker(within=0.5),
    )
    shown = outline_destination(plain, Masker(("s3cret!",)))
    assert shown == {
        "name": "shadow",
        "url": f"https://h.test:443/base?key={MASK}",
        "timeout": "5s",
        "tls": {"verify": False, "key": "PEM, 7 bytes"},
        "queue": {"bytes": "3MiB"},
        "circuit_breaker": {"within": "500ms"},
    }


def test_a_rules_outline_names_what_it_refers_to() -> None:
    rule = Rule(
        name="r",
        path="/*",
        destinations=(1,),
        wait=True,
        sample_by=SampleBy(source="header", name="X-User"),
        max_rate=0.5,
        max_body=1000,
        match=Match(headers=(("X-Beta", "^1$"),)),
        redact=Redact(headers=("Cookie",)),
        compare=Compare(enabled=True, baseline=Baseline(destination=0), unordered=(("body:$.a", True),)),
    )
    shown = outline_rule(SPEC, rule, Masker())
    assert shown["destinations"] == ["eu"]
    assert shown["match"] == {"headers": {"X-Beta": "^1$"}}
    assert shown["redact"] == {"headers": ["Cookie"]}
    assert (shown["async"], shown["sample_by"], shown["max_rate"]) == (False, "header:X-User", "0.5/s")
    assert shown["max_body"] == "1000B"
    assert "wait" not in shown
    assert shown["compare"] == {
        "baseline": {"destination": "shadow", "sample_rate": 1.0},
        "unordered": {"body:$.a": True},
    }


@pytest.mark.parametrize(
    ("compare", "shown"),
    [
        (Compare(enabled=True), True),
        (Compare(enabled=False, status="class"), False),
        (Compare(enabled=True, status="class", max_bytes=1024), {"status": "class", "max_bytes": "1KiB"}),
    ],
)
def test_a_switch_is_shown_as_one(compare: Compare, shown: object) -> None:
    rule = Rule(name="r", path="/*", destinations=(1,), compare=compare)
    assert outline_rule(SPEC, rule, Masker())["compare"] == shown


def differing(*places: str, primary: object = 1, copy: object = 2) -> Verdict:
    return Verdict(
        verdict="differ", differences=tuple(Difference(place, "value", primary, copy) for place in places)
    )


def way(path: str) -> Way:
    return Way("users", "read", "shadow", f"GET {path}")


def sample(flow: str = "f1", url: str = "http://api.test/x") -> Sample:
    return Sample(flow, 1.0, "GET", url, "shadow", 200, 200)


def test_differences_come_with_values_side_by_side_the_newest_first(page: Page) -> None:
    for number in range(5):
        verdict = differing(f"body:$.items[{number}].price", primary=number, copy=number + 1)
        page.accounts.groups.add(way("/users-api/{id}"), verdict, f"f{number}", float(number))
        page.accounts.samples.add(way("/users-api/{id}"), verdict, sample(f"f{number}"), Masker())
    answer = page.ask("differences")
    (group,) = answer["groups"]
    assert (group["place"], group["count"], group["of"]) == ("body:$.items[*].price", 5, 5)
    assert [it["id"] for it in group["samples"]] == ["f4", "f3", "f2"]
    assert group["samples"][0]["place"] == "body:$.items[4].price"
    assert (group["samples"][0]["primary"], group["samples"][0]["copy"]) == (4, 5)
    assert page.ask("differences", q="price read")["found"] == 1
    assert page.ask("differences", q="other")["groups"] == []
    assert page.ask("differences")["evicted"] == 0
    assert page.ask("overview")["differing"][0]["key"] == group["key"]


def test_samples_hide_what_must_not_be_seen() -> None:
    samples, masker = Samples(), Masker(("s3cret!",))
    verdict = differing("header:Set-Cookie", "body:$.note", primary="s3cret! a", copy="b")
    samples.add(way("/"), verdict, sample(url="http://api.test/?k=s3cret!"), masker)
    (cookie,) = samples.of((way("/"), "header:Set-Cookie", "value"))
    (note,) = samples.of((way("/"), "body:$.note", "value"))
    assert (cookie.primary, cookie.copy) == (MASK, MASK)
    assert (note.primary, note.copy, note.url) == (f"{MASK} a", "b", f"http://api.test/?k={MASK}")


def test_samples_are_bounded() -> None:
    samples = Samples()
    places = [f"body:$.p{number}" for number in range(PLACES + 5)]
    for number in range(PER_SECOND + 5):
        samples.add(way(f"/{number}"), differing(*places), sample(), Masker())
    key = (way("/0"), "body:$.p0", "value")
    assert samples.of((way(f"/{PER_SECOND}"), "body:$.p0", "value")) == []  # too many in one second
    assert samples.of((way(f"/{PER_SECOND - 1}"), f"body:$.p{PLACES}", "value")) == []
    assert len(samples.of(key)) == 1
    assert PER_SECOND * PLACES == MAX_GROUPS
    samples.tick()
    samples.add(way("/new"), differing("body:$.new"), sample(), Masker())
    assert samples.of(key) == []  # one group too many: the oldest makes room
    for flow in range(EACH + 2):
        samples.add(way("/0"), differing("body:$.p0"), sample(f"f{flow}"), Masker())
    assert len(samples.of(key)) == EACH


def test_the_newest_failure_comes_first(page: Page) -> None:
    for number in range(60):
        page.accounts.failures.append(
            Failure(float(number), f"f{number}", "read", "shadow", "failed", "timeout", "too slow")
        )
    failures = page.ask("overview")["failures"]
    assert (len(failures), failures[0]["id"]) == (50, "f59")
