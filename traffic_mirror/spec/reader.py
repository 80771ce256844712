"""Reads specs: files or documents in, one valid Spec out, or every problem there is."""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from traffic_mirror.masking import Masker
from traffic_mirror.spec.comparison import inherit
from traffic_mirror.spec.destination import Destinations
from traffic_mirror.spec.document import convert, read_document
from traffic_mirror.spec.environment import substitute
from traffic_mirror.spec.model import Api, Compare, Markers, Spec
from traffic_mirror.spec.node import Node
from traffic_mirror.spec.problems import Problems
from traffic_mirror.spec.reading import FRAMING, NOTHING, CheckFilter, Reading, children, items
from traffic_mirror.spec.rule import Names, build_api
from traffic_mirror.spec.schema import check_structure
from traffic_mirror.spec.tyk import build_tyk, is_tyk, read_tyk, tyk_switches

SUFFIXES = (".yaml", ".yml", ".json")
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_ONCE = ("compare", "marker_headers", "tyk")


def read_spec(path: Path, environ: Mapping[str, str], check_filter: CheckFilter | None = None) -> Spec:
    """The spec of a file, or of a directory's *.yaml, *.yml and *.json files in the order of their names.

    Hidden files (`.#spec.yaml`, `._spec.yaml`), which editors and systems leave there, are none.
    `environ` gives `${…}` their values; `check_filter` says what is wrong with a filter expression, or None.
    Raises SpecError with every problem.
    """
    problems = Problems()
    documents = []
    files = _files(path, problems)
    for file in files:
        try:
            documents.append((str(file), _read(file)))
        except _NoFileError as error:
            problems.in_file(str(file), str(error), "a regular file")
        except OSError as error:
            problems.in_file(str(file), (error.strerror or "an error").lower(), "a readable file")
    if not documents:
        problems.refuse([str(path)])
    base_dir = path if path.is_dir() else path.parent
    return _parse(
        documents, Reading(environ, check_filter, base_dir, problems), [str(file) for file in files]
    )


def parse_spec(
    documents: Sequence[tuple[str, bytes]],
    environ: Mapping[str, str],
    check_filter: CheckFilter | None = None,
    base_dir: Path | None = None,
) -> Spec:
    """The spec of documents, each with its name for messages. Raises SpecError with every problem."""
    reading = Reading(environ, check_filter, base_dir or Path())
    return _parse(documents, reading, [file for file, _ in documents])


def spec_files(directory: Path) -> list[Path]:
    """The files of a directory that make a spec, in the order of their names. Raises OSError."""
    return sorted(
        file
        for file in directory.iterdir()
        if file.suffix in SUFFIXES and not file.name.startswith(".") and not file.is_dir()
    )


def _files(path: Path, problems: Problems) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        files = spec_files(path)
    except (OSError, ValueError) as error:
        problems.in_file(
            str(path), (getattr(error, "strerror", None) or "not a path").lower(), "a file or directory"
        )
        return []
    if not files:
        problems.in_file(
            str(path), "a directory without a spec", f"a file that ends in {', '.join(SUFFIXES)}"
        )
    return files


class _NoFileError(Exception):
    """What is at a path is something else than a regular file; the message says what."""


def _read(file: Path) -> bytes:
    """The bytes of a regular file. A pipe or a device may never end, or never begin; nor does it tell when it
    changes."""
    with open(file, "rb", opener=_open_at_once) as opened:
        mode = os.fstat(opened.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise _NoFileError(_KINDS.get(stat.S_IFMT(mode), "something else"))
        return opened.read()


def _open_at_once(path: str, flags: int) -> int:
    """Opens without waiting for whoever might write to a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pauses the cycle collector: among half a million nodes it would run longer than the reading takes."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _parse(documents: Sequence[tuple[str, bytes]], reading: Reading, files: list[str]) -> Spec:
    with _collector_paused():
        try:
            return _build(documents, reading, files)
        finally:
            _release(reading.collections)


def _release(collections: list[Node]) -> None:
    """Parts nodes from their parents, so that they go at once and leave nothing for the cycle collector."""
    for node in collections:
        node.value = None
    collections.clear()


def _build(documents: Sequence[tuple[str, bytes]], reading: Reading, files: list[str]) -> Spec:
    roots = list(_roots(documents, reading))
    native = [root for root, tyk in roots if not tyk]
    top = _top(native, reading)
    destinations = Destinations(reading)
    for root in native:
        destinations.take(children(root).get("destinations", NOTHING))
    compare = inherit(Compare(), top["compare"], destinations, reading) if "compare" in top else Compare()
    switches = tyk_switches(top.get("tyk", NOTHING))
    names = Names()
    apis: list[Api] = []
    for root, tyk in roots:
        if tyk:
            apis += build_tyk(root, switches, compare, names, destinations, reading)
            continue
        for node in items(children(root).get("apis", NOTHING)):
            apis.append(build_api(node, compare, names, destinations, reading))
    if not any(api.rules for api in apis) and not len(reading.problems):
        reading.problems.in_file(files[0] if files else "", "no rule", "at least one API with a rule")
    markers = _markers(top.get("marker_headers"), reading)
    reading.problems.refuse(files)
    return Spec(
        files=tuple(files),
        destinations=destinations.all(),
        apis=_without_secrets(apis, reading.secrets),
        markers=markers,
        secrets=tuple(reading.secrets),
    )


def _without_secrets(apis: Sequence[Api], secrets: Iterable[str]) -> tuple[Api, ...]:
    """APIs and rules whose names show nothing of the environment: names are labels, lines, everything."""
    masker = Masker(secrets)
    times: dict[str, int] = {}

    def name(found: str) -> str:
        hidden = masker.text(found)
        if hidden == found:
            return found
        times[hidden] = times.get(hidden, 0) + 1
        return hidden if times[hidden] == 1 else f"{hidden} #{times[hidden]}"

    return tuple(
        msgspec.structs.replace(
            api,
            name=name(api.name),
            rules=tuple(msgspec.structs.replace(rule, name=name(rule.name)) for rule in api.rules),
        )
        for api in apis
    )


def _roots(documents: Sequence[tuple[str, bytes]], reading: Reading) -> Iterator[tuple[Node, bool]]:
    """The checked roots of the documents, and whether each is Tyk's."""
    for file, data in documents:
        origin = read_document(file, data, reading.problems)
        if origin is None:
            continue
        if is_tyk(origin):
            yield read_tyk(origin, file, reading), True
            continue
        root = convert(origin, file, reading, lambda text: substitute(text, reading.environ))
        check_structure("spec", root, reading.problems)
        yield root, False


def _top(roots: list[Node], reading: Reading) -> dict[str, Node]:
    """The keys that hold for the whole spec, whichever file they are in."""
    top: dict[str, Node] = {}
    for root in roots:
        for key in _ONCE:
            node = children(root).get(key)
            if node is None or node.bad:
                continue
            if key in top:
                first = top[key]
                found = f"{key} again (first at {first.file}:{first.key_position[0]})"
                reading.problems.at_key(node, "it once in all files", found)
            top.setdefault(key, node)
    return top


def _markers(node: Node | None, reading: Reading) -> Markers:
    if node is None or node.value is True:
        return Markers()
    if node.value is False:
        return Markers(only_marker=True)
    if node.text.lower() in FRAMING | {"host"}:
        reading.problems.at(node, "a header that requests do not have of themselves")
    return Markers(prefix=node.text)
