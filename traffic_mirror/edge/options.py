"""The addon's options: declared for mitmproxy, parsed into one frozen value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from mitmproxy import addonmanager, exceptions, optmanager

Inspect = Literal["auto", "on", "off"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m)?")
ADDRESS = re.compile(r"(\[[0-9A-Za-z:.%]+\]|[0-9A-Za-z._-]*):([0-9]{1,5})")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The `mirror_*` options, parsed. `drain` is in seconds; `speed` None is as fast as there is room."""

    spec: Path
    listen: str
    results: str
    inspect: Inspect
    offline: bool
    seed: str
    drain: float
    speed: float | None
    failed: Path | None
    shown: int


def declare_options(loader: addonmanager.Loader, default_spec: Path) -> None:
    """Declares every option as mitmproxy wants it: strings, since `--set` mistreats other types."""
    loader.add_option(
        "mirror_spec", str, str(default_spec), "The API spec: a YAML or JSON file, or a directory of them."
    )
    loader.add_option(
        "mirror_listen", str, "127.0.0.1:9464", "Where the status page and metrics listen; empty: nowhere."
    )
    loader.add_option("mirror_results", str, "", "A JSON Lines file that gets one line a copy; empty: none.")
    loader.add_option(
        "mirror_inspect",
        str,
        "auto",
        "Show copies as flows: `auto` where there is a view (mitmweb, mitmproxy), `on`, or `off`.",
    )
    loader.add_option("mirror_shown", str, "500", "How many of the newest copies are shown as flows.")
    loader.add_option("mirror_offline", bool, False, "Also mirror flows that are loaded from files.")
    loader.add_option("mirror_seed", str, "", "Makes sampling repeatable: the same seed, the same sample.")
    loader.add_option("mirror_drain", str, "5s", "How long a stop waits for copies that are under way.")

    loader.add_option(
        "mirror_failed",
        str,
        "",
        "A flow file that takes the requests whose copies failed or were dropped; empty: none.",
    )
    loader.add_option(
        "mirror_speed",
        str,
        "max",
        "How fast a recording is mirrored: `max`, `1` for the recorded pace, or a multiple of it.",
    )


def convert_deferred(options: optmanager.OptManager) -> None:
    """Converts what was set before the options were declared: by `--set`, texts; in config.yaml, of any type.

    Raises OptionsError for what can't be; mitmproxy would go on without the addon, and hardly say so.
    """
    for name, value in options.deferred.items():
        if name.startswith("mirror_") and name in options:
            convert = _to_switch if options.default(name) is False else _to_text
            options.deferred[name] = convert(name, _one_value(name, value))


def misspelt(options: optmanager.OptManager) -> Iterator[str]:
    """What to say of options that were set, that nobody has declared, and that were meant for us."""
    known = [name for name, _ in options.items() if name.startswith("mirror_")]
    for name in options.deferred:
        close = difflib.get_close_matches(name, known, 1, 0.8)
        if close or name.startswith("mirror"):
            hint = f" (did you mean {close[0]}?)" if close else ""
            yield f"there is no option {name}{hint}; it is ignored"


def parse_options(options: optmanager.OptManager) -> Options:
    """The options as values. Raises OptionsError naming the option, what was found and what is expected."""
    return Options(
        spec=_parse_spec(options.mirror_spec),
        listen=_parse_listen(options.mirror_listen.strip()),
        results=str(Path(options.mirror_results).expanduser().absolute()) if options.mirror_results else "",
        inspect=_parse_inspect(options.mirror_inspect),
        offline=options.mirror_offline,
        seed=options.mirror_seed,
        drain=_parse_duration("mirror_drain", options.mirror_drain),
        speed=_parse_speed(options.mirror_speed),
        failed=Path(options.mirror_failed).expanduser().absolute() if options.mirror_failed else None,
        shown=_parse_count("mirror_shown", options.mirror_shown),
    )


def check_files(options: Options) -> None:
    """Raises OptionsError where a file that is to be written has no directory, or is one."""
    for name, file in (("mirror_results", options.results), ("mirror_failed", options.failed)):
        if file and (Path(file).is_dir() or not Path(file).parent.is_dir()):
            found = repr(str(file))
            raise exceptions.OptionsError(
                f"{name}: found {found}, expected a file in a directory that exists"
            )


def _one_value(name: str, value: object) -> object:
    """A deferred value; what `--set` left is a list of texts in an object of mitmproxy's own."""
    texts = getattr(value, "val", None)
    if texts is None:
        return value
    if len(texts) > 1:
        raise exceptions.OptionsError(f"{name}: found {', '.join(map(repr, texts))}, expected one value")
    return texts[0] if texts else ""


def _to_switch(name: str, value: object) -> bool:
    match value:
        case True | "true" | "toggle" | "":  # `--set mirror_offline` is short for `=true`
            return True
        case False | "false":
            return False
        case _:
            raise exceptions.OptionsError(f"{name}: found {value!r}, expected true or false")


def _to_text(name: str, value: object) -> str:
    match value:
        case None:
            return ""
        case str() | float():
            return str(value)
        case int() if not isinstance(value, bool):
            return str(value)
        case _:
            raise exceptions.OptionsError(f"{name}: found {value!r}, expected text")


def _parse_spec(text: str) -> Path:
    if not text.strip():
        raise exceptions.OptionsError(
            f"mirror_spec: found {text!r}, expected a YAML or JSON file, or a directory of them"
        )
    return Path(text).expanduser()


def _parse_listen(text: str) -> str:
    found = ADDRESS.fullmatch(text)
    if text and (not found or int(found[2]) > 65535):
        raise exceptions.OptionsError(
            f"mirror_listen: found {text!r}, expected host:port such as 127.0.0.1:9464, or nothing"
        )
    return text


def _parse_inspect(text: str) -> Inspect:
    match text:
        case "auto" | "on" | "off":
            return text
        case _:
            raise exceptions.OptionsError(f"mirror_inspect: found {text!r}, expected auto, on or off")


def _parse_speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < float("inf"):
        raise exceptions.OptionsError(
            f"mirror_speed: found {text!r}, expected max, 1 for the recorded pace, or a multiple such as 2.5"
        )
    return speed


def _parse_count(name: str, text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,6}", text.strip()):
        raise exceptions.OptionsError(f"{name}: found {text!r}, expected a number from 1, such as 500")
    return int(text)


def _parse_duration(name: str, text: str) -> float:
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise exceptions.OptionsError(f"{name}: found {text!r}, expected a duration such as 5s, 500ms or 1m")
    return float(found[1]) * _SECONDS[found[2]]
