"""Filter expressions of mitmproxy's own language."""

from __future__ import annotations

import pytest
from mitmproxy.test import tflow

from traffic_mirror.edge.filters import check_filter, compile_filter


@pytest.mark.parametrize("expression", ["~bq needle", "~m GET & !~hq x", "example", "~u /a | ~d b.test"])
def test_a_good_expression_has_nothing_against_it(expression: str) -> None:
    assert check_filter(expression) is None


@pytest.mark.parametrize("expression", ["", "~zz x", "~bq", "(", "~u [", "~c x", "~hq '"])
def test_a_bad_expression_is_told(expression: str) -> None:
    assert check_filter(expression)


@pytest.mark.parametrize(
    ("expression", "accepted"), [("~m GET", True), ("~m POST", False), ("!~m POST", True)]
)
def test_a_filter_judges_flows(expression: str, accepted: bool) -> None:
    assert compile_filter(expression)(tflow.tflow()) is accepted
