"""Laws of matching: what a plain reference for templates says, and one answer however it is found."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from traffic_mirror.rules import compile_rules
from traffic_mirror.rules.candidates import Candidates, Pattern
from traffic_mirror.rules.expression import branches
from traffic_mirror.rules.shapes import MOST_SHAPES
from traffic_mirror.spec.model import Api, Match, Rule, Spec, TykMatching
from traffic_mirror.spec.pattern import check_path, parse_template

# A small alphabet, so that what is made up meets.
LITERALS = st.sampled_from(["a", "b", "ab", "a.b", "A", "é", "%2F", "%20", "-"])
PIECES = st.one_of(
    LITERALS, st.sampled_from(["{x}", "*", "{x:[ab]+}", "{x:a|b}", "{x:.*}", "{x:.}", "{x:[a-b/]{1,2}}"])
)
SEGMENTS = st.lists(PIECES, max_size=3).map("".join).filter(lambda segment: "**" not in segment)
TEMPLATES = st.builds(
    lambda segments, rest: "/" + "/".join(segments) + ("/*" if rest else ""),
    st.lists(SEGMENTS, min_size=1, max_size=4),
    st.booleans(),
).filter(lambda path: "**" not in path)
LISTEN_PATHS = st.sampled_from(["/", "/a/", "/a", "/{t}/", "/a/{t:[ab]+}/", "/%20/"])
SENT = st.lists(
    st.sampled_from(
        ["a", "b", "ab", "A", ".", "/", "/", "%2F", "%2f", "%20", "%C3%A9", "%e9", "%0A", "-", "x", "%"]
    ),
    max_size=10,
).map(lambda parts: "/" + "".join(parts))


def reference(template: str, target: str) -> bool:
    """What docs/matching.md says a template takes, written plainly: by segment, with Python's own `re`."""
    rest = template.endswith("/*")
    wanted = split_template(template.removesuffix("/*"))
    segments = target.partition("?")[0].split("/")
    if len(segments) < len(wanted) + rest or (not rest and len(segments) != len(wanted)):
        return False
    return all(fits(one, decoded(other)) for one, other in zip(wanted, segments, strict=False))


def split_template(template: str) -> list[str]:
    """The segments; a slash in braces is none of theirs."""
    segments, depth = [""], 0
    for character in template:
        depth += (character == "{") - (character == "}")
        if character == "/" and depth == 0:
            segments.append("")
        else:
            segments[-1] += character
    return segments


def decoded(segment: str) -> str:
    return "%2F".join(
        unquote_to_bytes(part).decode("utf-8", "replace") for part in re.split("%2[fF]", segment)
    )


def fits(wanted: str, segment: str) -> bool:
    if wanted in ("{x}", "{t}", "*"):
        return segment != ""
    parts = re.split(r"(\{\w+(?::(?:[^{}]|\{[^{}]*\})*)?\}|\*)", wanted)
    expression = "".join(map(piece, parts))
    return re.fullmatch(expression, segment, re.DOTALL) is not None and "/" not in segment


def piece(part: str) -> str:
    if part == "*":
        return ".*"
    if not part.startswith("{"):
        return re.escape(decoded(part))
    _, colon, expression = part[1:-1].partition(":")
    return f"(?:{expression.replace('.', '[^\\n]')})" if colon else ".+"


@settings(max_examples=300, deadline=None)
@given(TEMPLATES, SENT)
def test_a_template_takes_what_the_reference_takes(template: str, target: str) -> None:
    assert check_path(template) is None
    rules = compile_rules(Spec(apis=(Api(name="a", rules=(Rule(name="r", path=template),)),)))
    assert (rules.match("GET", "h", target.encode(), ()) is not None) == reference(template, target)
    elsewhere = rules.match("GET", "h", target.encode().replace(b"%2f", b"%2F"), ())
    assert (elsewhere is not None) == reference(template, target)


@settings(deadline=None)
@given(TEMPLATES)
def test_a_template_takes_itself_filled_in(template: str) -> None:
    fillings = {
        "{x}": "q",
        "*": "q",
        "{x:[ab]+}": "ab",
        "{x:a|b}": "b",
        "{x:.*}": "q",
        "{x:.}": "q",
        "{x:[a-b/]{1,2}}": "a",
    }
    target = template
    for hole, filling in fillings.items():
        target = target.replace(hole, filling)
    rules = compile_rules(Spec(apis=(Api(name="a", rules=(Rule(name="r", path=template),)),)))
    assert rules.match("GET", "h", target.encode(), ()) is not None


PARTS = [*"^$/ab|.*\n", "(a|/b)", "(^/|b$)", "[^a]", "[$|^]", "(?:)", "(?i)", "(?m)", "(?m:^a$)"]
EXPRESSIONS = (
    st.lists(st.sampled_from([*PARTS, r"\b", r"\A", r"\z", r"\Q|$\E"]), max_size=8)
    .map(lambda parts: "^" + "".join(parts))
    .filter(lambda text: check_path(text) is None)
)

RULES = st.builds(
    Rule,
    name=st.just("r"),
    path=st.one_of(TEMPLATES, EXPRESSIONS),
    methods=st.sampled_from([(), ("GET",), ("POST", "GET")]),
    ignore_case=st.booleans(),
    disabled=st.booleans(),
    match=st.sampled_from([Match(), Match(headers=(("X", "1"),)), Match(query=(("q", "."),))]),
)
APIS = st.builds(
    Api,
    name=st.just("a"),
    hosts=st.sampled_from([(), ("a.test",), ("*.test",), ("a.test", "*.a.test")]),
    listen_path=LISTEN_PATHS,
    tyk=st.sampled_from([None, None, TykMatching(), TykMatching(prefix_matching=True, suffix_matching=True)]),
    rules=st.lists(RULES, max_size=4).map(tuple),
)
SPECS = st.builds(Spec, apis=st.lists(APIS, max_size=4).map(tuple))


@settings(max_examples=300, deadline=None)
@given(
    SPECS,
    st.sampled_from(["GET", "POST", "PUT"]),
    st.sampled_from(["a.test", "b.a.test", "test", "A.TEST:80", ""]),
    SENT,
    st.sampled_from(["", "?", "?q=1", "?r"]),
    st.sampled_from([(), ((b"x", b"1"),), ((b"X", b"2"),)]),
)
def test_however_a_rule_is_found_it_is_the_same(
    spec: Spec, method: str, host: str, path: str, query: str, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    """Among the others in an index, explained, or all alone: the first that takes the request takes it."""
    target = (path + query).encode()
    rules = compile_rules(spec)
    taken = rules.match(method, host, target, headers)
    explained = rules.explain(method, host, target, headers)
    assert explained.route == taken
    assert len(explained.misses) == sum(len(api.rules) for api in spec.apis) - (taken is not None)
    assert all(miss.reason for miss in explained.misses)

    one_by_one = (
        (api_index, rule_index)
        for api_index, api in enumerate(spec.apis)
        for rule_index, rule in enumerate(api.rules)
        if not rule.disabled and takes_alone(api, rule, method, host, target, headers)
    )
    assert next(one_by_one, None) == (taken and (taken.api_index, taken.rule_index))


def takes_alone(
    api: Api, rule: Rule, method: str, host: str, target: bytes, headers: tuple[tuple[bytes, bytes], ...]
) -> bool:
    """Asks the rule itself, past every index."""
    rules = compile_rules(
        Spec(apis=(Api(name="a", hosts=api.hosts, listen_path=api.listen_path, tyk=api.tyk, rules=(rule,)),))
    )
    family = rules._tyk or rules._own
    assert family is not None
    family.find = family._one_by_one  # type: ignore[method-assign]
    return rules.match(method, host, target, headers) is not None


def test_rules_of_uncommon_shapes_are_found_too() -> None:
    shapes = [tuple("{x}" if bit == "1" else "a" for bit in f"{number:06b}") for number in range(64)]
    assert len(shapes) > MOST_SHAPES
    rules = compile_rules(
        Spec(
            apis=(Api(name="a", rules=tuple(Rule(name="r", path="/" + "/".join(shape)) for shape in shapes)),)
        )
    )
    for number, shape in enumerate(shapes):
        target = "/" + "/".join("a" if part == "a" else "b" for part in shape)
        taken = rules.match("GET", "h", target.encode(), ())
        assert taken is not None
        assert taken.rule_index == number


@settings(max_examples=300, deadline=None)
@example("^(?i)*", "")
@given(EXPRESSIONS, st.text("ab/$|\n", max_size=6))
def test_what_an_expression_finds_its_branches_find(expression: str, text: str) -> None:
    expected = re2.search(expression, text) is not None
    parts = branches(expression)
    found = [
        re2.search(f"{'^' if part.rooted else ''}(?:{part.body}){'$' if part.ended else ''}", text)
        is not None
        for part in parts
    ]
    assert any(found) or not expected
    if all(part.exact for part in parts):
        assert any(found) == expected


def test_expressions_too_large_for_one_set_are_spread_over_several() -> None:
    patterns = [Pattern(f"0 /a{{{number}}}(?s:.*)", number) for number in range(1, 400)]
    small = Candidates(patterns, rooted=True, most_memory=1 << 20)
    large = Candidates(patterns, rooted=True)
    assert len(small._sets) > 1 == len(large._sets)
    for subject in (b"/", b"/aaa", b"/" + b"a" * 500):
        assert set(small.find([b"0 "], subject) or ()) == set(large.find([b"0 "], subject) or ())


def test_one_too_large_for_any_set_is_refused_by_name() -> None:
    try:
        Candidates([Pattern("0 /(?:a{500}b{500}){2}", 0)], rooted=True, most_memory=10_000)
    except ValueError as error:
        assert str(error).startswith("the expression '0 /(?:a{500}b{500}){2}'… takes more than")  # noqa: PT017
    else:
        raise AssertionError("found no error")


def test_where_re2_gives_up_the_rules_are_asked_one_by_one() -> None:
    rules = compile_rules(
        Spec(apis=(Api(name="a", rules=(Rule(name="x", path="^/x"), Rule(name="y", path="^/y"))),))
    )
    assert rules._own is not None
    candidates = rules._own._rooted
    assert candidates is not None
    candidates._sets = ((lambda subject: None, []),)
    taken = rules.match("GET", "h", b"/y", ())
    assert taken is not None
    assert taken.rule.name == "y"
    assert rules.match("GET", "h", b"/z", ()) is None


def test_hostile_paths_and_patterns_end() -> None:
    """RE2 is linear in both: with backtracking none of these would end in a lifetime."""
    paths = ["^/(a+)+$", "^/(a|a)*b$", "^/(a*)*c$", "/{x:(a+)+}/b", "^/(.*a){20}$", "/" + "*a" * 30]
    rules = compile_rules(
        Spec(apis=(Api(name="a", rules=tuple(Rule(name=path, path=path) for path in paths)),))
    )
    for target in (
        b"/" + b"a" * 65536 + b"!",
        b"/" * 65536,
        b"/" + b"%61" * 20000 + b"%2F",
        b"/\xff" * 32768,
    ):
        rules.match("GET", "h", target, ())
        rules.explain("GET", "h", target, ())


def test_the_number_of_shapes_and_slashes_is_bounded() -> None:
    assert parse_template("/" + "/".join("{x}" * 1 for _ in range(1000))).slashes == 1000
    rules = compile_rules(Spec(apis=(Api(name="a", rules=(Rule(name="r", path="/a/*"),)),)))
    assert rules.match("GET", "h", b"/a" + b"/" * 65536, ()) is not None


@pytest.mark.parametrize("path", ["/n/{n:[0-9]+}/{m:.*}", "^/(^a|b)", "/x/{a}{b}"])
def test_what_matching_needs_is_compiled_before_traffic_comes(path: str) -> None:
    rules = compile_rules(Spec(apis=(Api(name="a", rules=(Rule(name="r", path=path),)),)))
    (entry,) = rules._entries
    before = set(vars(entry.path))
    assert entry.confirm is None or before & {"_whole", "_expression"}
    for target in (b"/n/1/2", b"/b", b"/x/yz", b"/"):
        rules.match("GET", "h", target, ())
    assert set(vars(entry.path)) == before
