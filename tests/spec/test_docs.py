"""The reference: it names every key, and what it shows is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from traffic_mirror.spec.problems import SpecError
from traffic_mirror.spec.reader import parse_spec
from traffic_mirror.spec.schema import load_schema

DOCS = Path(__file__).parent.parent.parent / "docs"
SPEC = (DOCS / "spec.md").read_text()
TYK = (DOCS / "tyk.md").read_text()


def test_it_names_every_key() -> None:
    definitions = load_schema()["$defs"]
    keys = set()
    for name, definition in definitions.items():
        for key, value in definition.get("properties", {}).items() if not name.startswith("tyk_") else ():
            keys |= {key, *value.get("properties", {})}
    mentioned = set(re.findall(r"[`.]([\w$]+)`", SPEC)) | set(re.findall(r"(\w+):", SPEC))
    assert keys - mentioned - {"queue", "circuit_breaker"} == set()
    assert "`queue.copies`" in SPEC
    assert "`circuit_breaker.of`" in SPEC


def test_tyks_fields_are_all_named() -> None:
    definitions = load_schema()["$defs"]
    for name in ("tyk_rule", "tyk_destination"):
        assert [key for key in definitions[name]["properties"] if f"`{key}`" not in TYK] == []


def test_its_first_example_is_valid_and_its_messages_are_those_it_shows() -> None:
    example = SPEC.split("```yaml\n", 1)[1].split("```", 1)[0]
    assert parse_spec([("spec.yaml", example.encode())], {}).apis[0].name == "users"
    wrong = example.replace("timeout: 2s", "timeout: 2 parsecs").replace("[shadow]", "[shdow]")
    with pytest.raises(SpecError) as error:
        parse_spec([("spec.yaml", wrong.encode())], {})
    for problem in error.value.problems:
        assert f"{problem}\n" in SPEC


def test_its_defaults_are_the_schemas() -> None:
    definitions = load_schema()["$defs"]
    shown = dict(re.findall(r"^\| `([\w.]+)` \| `([^`]+)` \|", SPEC, re.M))
    for name in ("api", "rule", "destination", "compare_policy"):
        for key, value in definitions[name]["properties"].items():
            nested = {f"{key}.{each}": sub for each, sub in value.get("properties", {}).items()}
            for full, schema in {key: value, **nested}.items():
                if "default" in schema and full in shown:
                    default = schema["default"]
                    assert shown[full] == (
                        str(default).lower() if isinstance(default, bool) else str(default)
                    )
