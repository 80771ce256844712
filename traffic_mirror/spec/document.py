"""Bytes → a document's nodes: YAML or JSON, read safely, every value with its place.

No tags, and bounds on size, depth and what aliases expand to: a hostile file is refused with a message,
never expanded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from traffic_mirror.spec.environment import BadReferenceError
from traffic_mirror.spec.node import Node
from traffic_mirror.spec.problems import Problems, quote
from traffic_mirror.spec.reading import Reading
from traffic_mirror.spec.scalar import resolve_scalar

type Substitute = Callable[[str], tuple[str, tuple[str, ...]] | None]

MAX_BYTES = 32 * 1024 * 1024
MAX_NODES = 2_000_000
MAX_DEPTH = 48
MAX_ALIASED = 200_000

_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_COLON = "could not find expected ':'"
_ALIAS = re.compile(r"\*[^\s,\[\]{}:]+")
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


def read_document(file: str, data: bytes, problems: Problems) -> yaml.Node | None:
    """The root of PyYAML's nodes, or None: then the document is empty or a problem says why not."""
    text = _decode(file, data, problems)
    if text is None:
        return None
    try:
        root: yaml.Node | None = _Composer(text).get_single_node()
    except _TooMuchError as error:
        problems.in_file(file, error.found, error.expected, error.line, error.column)
        return None
    except yaml.MarkedYAMLError as error:
        mark = _mark(error)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problems.in_file(file, *_syntax_error(error, text), line, column)
        return None
    except yaml.YAMLError as error:
        problems.in_file(file, f"a syntax error ({error})", "YAML or JSON")
        return None
    return root


def convert(
    origin: yaml.Node, file: str, reading: Reading, substitute: Substitute, like: Node | None = None
) -> Node:
    """PyYAML's nodes as ours, merge keys and aliases followed, scalars resolved.

    `substitute` puts in what the environment has. `like` is a node that the result is to stand in for.
    """
    converter = _Converter(reading, substitute)
    if like is None:
        return converter.convert(origin, None, file, None, 0)
    return converter.convert(origin, like.parent, like.key, like.key_origin, 0)


def _decode(file: str, data: bytes, problems: Problems) -> str | None:
    if len(data) > MAX_BYTES:
        problems.in_file(file, f"{len(data)} bytes", f"at most {MAX_BYTES} bytes")
        return None
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "replace")
        problems.in_file(
            file, f"bytes that are not {encoding.removesuffix('-sig').upper()}", "text", *_end_of(before)
        )
        return None
    if match := _UNREADABLE.search(text):
        found = f"the character U+{ord(match[0]):04X}"
        problems.in_file(file, found, "text without control characters", *_end_of(text[: match.start()]))
        return None
    return _json_as_yaml(text) if file.endswith(".json") else text


def _json_as_yaml(text: str) -> str:
    """JSON may begin with tabs, and writes some characters as two escapes, where YAML has one."""
    rest = text.lstrip()
    head = text[: len(text) - len(rest)].replace("\t", " ")
    return head + (_SURROGATES.sub(_join_surrogates, rest) if "\\u" in rest else rest)


def _join_surrogates(match: re.Match[str]) -> str:
    high, low = int(match[2], 16), int(match[3], 16)
    return f"{match[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08X}"


def _end_of(text: str) -> tuple[int, int]:
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _mark(error: yaml.MarkedYAMLError) -> Any:
    """Where the mistake is: the parser stops there, but for a key, which it still hopes to see the end of."""
    if error.problem == _NO_COLON:
        return error.context_mark
    return error.problem_mark or error.context_mark


def _syntax_error(error: yaml.MarkedYAMLError, text: str) -> tuple[str, str]:
    """What was found and what is expected: frequent mistakes in plain words, others as the parser says it."""
    problem, mark, began = str(error.problem), error.problem_mark, error.context_mark
    rest = text[mark.index :] if mark else ""
    if rest.startswith("\t"):
        return "a tab", "spaces, as YAML is not indented by tabs"
    if "another document" in problem:
        return "another document", "one in a file"
    if "cannot start any token" in problem:
        return f"a syntax error (no value begins with {rest[:1]})", "YAML or JSON, such a value in quotes"
    if "undefined alias" in problem and (alias := _ALIAS.match(rest)):
        return f"the alias {alias[0]} of nothing", f"an anchor &{alias[0][1:]} before it"
    if problem == _NO_COLON:
        return 'a line without ": " after a key', "key: value, with a space behind the colon"
    if rest[:1] in ("{", "[") and "did not find expected ','" in problem:
        return f'a "{rest[0]}" in a text without quotes', "quotes around it, as it stands within {} or []"
    if str(error.context) == "while scanning an alias":
        return "a * that begins no alias", "quotes around a text that begins with *"
    if "mapping values are not allowed" in problem:
        return (
            'a ":" where no key can be',
            "lines of one mapping indented alike, and texts with a colon in quotes",
        )
    context = str(error.context or "")
    if context and began and mark and began.line != mark.line:
        context += f" that begins in line {began.line + 1}"
    return f"a syntax error ({context}{context and ': '}{problem})".replace("\n", " "), "YAML or JSON"


class _TooMuchError(Exception):
    """A bound of the reader is reached."""

    def __init__(self, node: yaml.Node | None, found: str, expected: str) -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.line = node.start_mark.line + 1 if node is not None else 1
        self.column = node.start_mark.column + 1 if node is not None else 1


class _Bounds:
    """PyYAML's resolver hooks, used to count; scalars are resolved later, by our own rules."""

    _depth = 0
    _nodes = 0

    def descend_resolver(self, parent: yaml.Node | None, _index: Any) -> None:
        self._depth += 1
        self._nodes += 1
        if self._depth > MAX_DEPTH:
            raise _TooMuchError(parent, "deeper nesting", f"at most {MAX_DEPTH} levels")
        if self._nodes > MAX_NODES:
            raise _TooMuchError(parent, "more values", f"at most {MAX_NODES} in a document")

    def ascend_resolver(self) -> None:
        self._depth -= 1

    def resolve(self, _kind: Any, _value: Any, _implicit: Any) -> None:
        return None


if yaml.__with_libyaml__:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs forget it

    class _Composer(_Bounds, CParser):
        """libyaml's composer within our bounds."""

        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)

else:
    from yaml.composer import Composer
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class _Composer(_Bounds, Reader, Scanner, Parser, Composer):  # type: ignore[no-redef]
        """PyYAML's own composer within our bounds, where it was built without libyaml."""

        def __init__(self, text: str) -> None:
            Reader.__init__(self, text)
            Scanner.__init__(self)
            Parser.__init__(self)
            Composer.__init__(self)


class _Converter:
    """Turns PyYAML's nodes into ours, and reports what no spec may hold."""

    def __init__(self, reading: Reading, substitute: Substitute) -> None:
        self._problems = reading.problems
        self._collections = reading.collections
        self._substitute = substitute
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._aliased = 0
        self._values = 0
        self._full = False

    def convert(
        self, origin: yaml.Node, parent: Node | None, key: str | int, key_origin: Any, depth: int
    ) -> Node:
        if isinstance(origin, yaml.ScalarNode):
            node = self._scalar(origin, parent, key, key_origin)
        else:
            node = self._collection(origin, parent, key, key_origin, depth)
        if origin.tag is not None:
            self._problems.at(node, "a value without a tag", f"the tag {quote(origin.tag)}")
        return node

    def _scalar(self, origin: yaml.ScalarNode, parent: Node | None, key: str | int, key_origin: Any) -> Node:
        text = origin.value
        secrets = None
        try:
            if replaced := self._substitute(text):
                text, secrets = replaced
        except BadReferenceError as error:
            node = Node(text, origin, parent, key, key_origin)
            for found, expected in error.faults:
                self._problems.at(node, expected, found)
            return node
        value = text if origin.style else resolve_scalar(text)
        return Node(value, origin, parent, key, key_origin, secrets)

    def _collection(
        self, origin: yaml.Node, parent: Node | None, key: str | int, key_origin: Any, depth: int
    ) -> Node:
        node = Node(None, origin, parent, key, key_origin)
        self._collections.append(node)
        if depth > MAX_DEPTH:
            self._problems.at(node, f"at most {MAX_DEPTH} levels", "deeper nesting")
            return node
        if id(origin) in self._open:
            self._problems.at(node, "a value that ends", "an alias within its own value")
            return node
        if not self._affordable(origin, node):
            return node
        self._open.add(id(origin))
        if type(origin) is yaml.SequenceNode:
            node.value = [
                self.convert(o, node, index, None, depth + 1) for index, o in enumerate(origin.value)
            ]
        else:
            node.value = {}
            self._mapping(origin, node, depth)
        self._open.discard(id(origin))
        return node

    def _affordable(self, origin: yaml.Node, node: Node) -> bool:
        """Whether a document may hold this too, with what aliases have repeated so far."""
        if id(origin) in self._seen:
            self._aliased += 1 + len(origin.value)
        self._seen.add(id(origin))
        self._values += len(origin.value)  # aliases of scalars among them, which the composer does not count
        if self._aliased <= MAX_ALIASED and self._values <= MAX_NODES + MAX_ALIASED:
            return True
        if not self._full:
            self._problems.at(node, f"at most {MAX_ALIASED}", "too many values repeated by aliases")
        self._full = node.bad = True
        return False

    def _mapping(self, origin: yaml.Node, node: Node, depth: int) -> None:
        children: dict[str, Node] = node.value  # type: ignore[assignment]  # made a dict by the caller
        merges = []
        for key_origin, value_origin in origin.value:
            if type(key_origin) is not yaml.ScalarNode:
                wrong = Node(None, key_origin, node, "?")
                self._problems.at(wrong, "a key that is text", "a key that is a mapping or list")
                continue
            key = key_origin.value
            if key == "<<" and not key_origin.style:
                merges.append(value_origin)
                continue
            child = self.convert(value_origin, node, key, key_origin, depth + 1)
            if key in children:
                line = children[key].key_position[0]
                found = f"the key {quote(key)} again (first in line {line})"
                self._problems.at_key(child, "every key once", found)
                continue
            children[key] = child
        for merged in merges:
            self._merge(merged, node, children, depth)

    def _merge(self, merged: yaml.Node, node: Node, children: dict[str, Node], depth: int) -> None:
        """What a merge key brings: nothing that is there already, and of several mappings the first's."""
        for origin in merged.value if type(merged) is yaml.SequenceNode else [merged]:
            if type(origin) is not yaml.MappingNode or depth > MAX_DEPTH:
                wrong = Node(None, origin, node, "<<")
                self._problems.at(
                    wrong, "a mapping or a list of mappings", "something else under the merge key"
                )
                continue
            brought = self._collection(origin, node.parent, node.key, node.key_origin, depth + 1).value
            for key, child in brought.items() if isinstance(brought, dict) else ():
                child.parent = node
                children.setdefault(key, child)
