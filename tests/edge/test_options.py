"""What was set before the options were declared: by `--set`, or in mitmproxy's own config.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest
from mitmproxy import exceptions
from mitmproxy.addonmanager import Loader
from mitmproxy.test import taddons

from traffic_mirror.edge.options import (
    Options,
    convert_deferred,
    declare_options,
    misspelt,
    parse_options,
)


def options(*sets: str, **configured: object) -> Options:
    """The parsed options of a proxy that was started with these."""
    with taddons.context() as context:
        known = context.options
        known.set(*sets, defer=True)
        known.update_defer(**configured)
        declare_options(Loader(context.master), Path("mirror.yaml"))
        convert_deferred(known)
        known.process_deferred()
        return parse_options(known)


def test_numbers_in_the_configuration_are_as_good_as_texts() -> None:
    found = options(mirror_shown=7, mirror_seed=42, mirror_drain=2.5, mirror_speed=2, mirror_listen=None)
    assert (found.shown, found.seed, found.drain, found.speed, found.listen) == (7, "42", 2.5, 2.0, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("mirror_offline", True), ("mirror_offline=true", True), ("mirror_offline=false", False)],
)
def test_a_switch_is_set(text: str, expected: bool) -> None:
    assert options(text).offline is expected


def test_a_text_without_a_value_is_empty() -> None:
    assert options("mirror_listen").listen == ""


@pytest.mark.parametrize(
    ("sets", "configured", "message"),
    [
        (["mirror_offline=yes"], {}, "mirror_offline: found 'yes', expected true or false"),
        (["mirror_seed=a", "mirror_seed=b"], {}, "mirror_seed: found 'a', 'b', expected one value"),
        ([], {"mirror_offline": 1.5}, "mirror_offline: found 1.5, expected true or false"),
        ([], {"mirror_spec": ["a"]}, r"mirror_spec: found \['a'\], expected text"),
        ([], {"mirror_inspect": True}, "mirror_inspect: found True, expected text"),
        (["mirror_spec="], {}, "mirror_spec: found '', expected a YAML or JSON file"),
    ],
    ids=["switch", "twice", "number", "list", "boolean", "no spec"],
)
def test_what_makes_no_sense_is_said(sets: list[str], configured: dict[str, object], message: str) -> None:
    with pytest.raises(exceptions.OptionsError, match=message):
        options(*sets, **configured)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mirror_sepc", ["there is no option mirror_sepc (did you mean mirror_spec?); it is ignored"]),
        ("miror_results", ["there is no option miror_results (did you mean mirror_results?); it is ignored"]),
        ("mirror_of_nothing", ["there is no option mirror_of_nothing; it is ignored"]),
        ("another_addons", []),
        ("mirror_spec", []),
    ],
)
def test_a_misspelt_option_is_said(name: str, said: list[str]) -> None:
    with taddons.context() as context:
        context.options.set(f"{name}=1", defer=True)
        declare_options(Loader(context.master), Path("mirror.yaml"))
        context.options.process_deferred()
        assert list(misspelt(context.options)) == said
