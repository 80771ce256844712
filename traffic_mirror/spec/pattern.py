"""Rule paths as text: the templates and expressions people write, turned into RE2 expressions.

A template (`/users/{id}/*`) matches a whole path; an expression (`^/users/\\d+`) is searched for.
Tyk's patterns are expressions once their `{…}` and `/*` are replaced.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import re2

LONGEST_PATH = 8192
SEGMENT = "[^/]+"
REST = "(?s:.*)"

_NAME = re.compile(r"[^{}/:*?\s]+")
_PLAIN = re.compile(r"(?:[^{}*?]|\{[A-Za-z_][A-Za-z0-9_]*\})*(?:/\*)?\Z")  # has nothing that could be wrong
_ESCAPED_SLASH = re.compile(r"%2[fF]")
_VARYING = re.compile(r"\*|{[^}]*}")
_TYK_VARIABLE = re.compile(r"{([^}]+)}")


class Template(NamedTuple):
    """A template as RE2 text that matches a whole path.

    `slashes` is how many `/` stand outside its variables and the rest; `constrained` says that a
    variable brings its own expression, which by itself could reach over a `/`; `rest` that any more
    may follow the last counted slash. `literal` says that nothing in it varies. `segments` are what stands
    between its slashes, where each of them varies at one place at most, without an expression.
    """

    regex: str
    slashes: int
    constrained: bool
    rest: bool
    literal: bool
    segments: tuple[Segment, ...] | None


class Hole(NamedTuple):
    """A segment that varies: `least` characters or more between what is literal."""

    before: str
    after: str
    least: int


Segment = str | Hole


def check_path(path: str, ignore_case: bool = False) -> str | None:
    """What is wrong with a rule's path, in words, or None."""
    if len(path) > LONGEST_PATH:
        return f"it has {len(path)} characters, more than {LONGEST_PATH}"
    if path.startswith("^"):
        return check_expression(path)
    if not path.startswith("/"):
        return "it starts with neither / nor ^"
    if _PLAIN.match(path):
        return None
    try:
        template = parse_template(path)
    except ValueError as problem:
        return str(problem)
    return check_expression(f"(?i:{template.regex})" if ignore_case else template.regex)


def check_tyk_path(path: str) -> str | None:
    """What is wrong with the path of a rule in a Tyk definition, in words, or None; empty fits any."""
    return check_expression(tyk_expression(path, prefix=False, suffix=False))


def check_expression(expression: str) -> str | None:
    """Why `expression` is no RE2 expression, in words, or None."""
    try:
        compile_expression(expression)
    except ValueError as problem:
        return str(problem)
    return None


def compile_expression(expression: str, ignore_case: bool = False) -> re2._Regexp:
    """An RE2 expression, ready to search bytes that hold UTF-8; ValueError says what is wrong with it."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignore_case
    try:
        return re2.compile(expression, options)
    except UnicodeEncodeError:
        raise ValueError("half a surrogate pair is no text") from None
    except re2.error as error:
        raise ValueError(_words(error)) from None


def whole(regex: str) -> str:
    """`regex`, for a whole text."""
    return rf"\A(?:{regex})\z"


def parse_template(path: str) -> Template:
    """The RE2 text of a template; ValueError says what is wrong with it.

    `/users/{id}` → `/users/[^/]+`; `/n/{n:\\d+}` → `/n/(?:\\d+)`; `/f/*.js` → `/f/[^/]*\\.js`;
    `/f/*` → `/f/` and anything.
    """
    parts: list[str] = []
    constrained = False
    literal_from = place = 0
    while place < len(path):
        character = path[place]
        if character not in "{}*?":
            place += 1
            continue
        parts.append(_literal(path[literal_from:place]))
        if character == "{":
            end = _closing_brace(path, place)
            regex = _variable(path[place : end + 1])
            constrained = constrained or regex != SEGMENT
            parts.append(regex)
            place = end + 1
        elif character == "*":
            parts.append(_star(path, place))
            place += 1
        elif character == "}":
            raise ValueError("a } without its {")
        else:
            raise ValueError("a ? begins no query here: conditions on the query go under match.query")
        literal_from = place
    parts.append(_literal(path[literal_from:]))
    return Template(
        regex="".join(parts),
        slashes=_slashes(path),
        constrained=constrained,
        rest=path.endswith("/*"),
        literal=not any(sign in path for sign in "{*"),
        segments=None if constrained else _segments(path.removesuffix("/*")),
    )


def tyk_expression(path: str, *, prefix: bool, suffix: bool) -> str:
    """Tyk's own translation of an endpoint's path (its `httputil.PreparePathRegexp`), searched for.

    `prefix` and `suffix` are the gateway's `enable_path_prefix_matching` and `…_suffix_matching`.
    """
    balanced = path.count("{") == path.count("}")
    expression = _TYK_VARIABLE.sub("([^/]+)", path) if balanced else path
    expression = expression.replace("/*/", "/[^/]+/").replace("/*", "/.*")
    if prefix and expression.startswith("/"):
        expression = "^" + expression
    if suffix and not expression.endswith("$"):
        expression += "$"
    return expression


def check_listen_path(path: str) -> str | None:
    """What is wrong with an API's listen path, in words, or None."""
    if not path.startswith("/"):
        return "it does not start with /"
    return "it has a *" if "*" in path else check_path(path)


def decode_text(text: str) -> str:
    """Text of a path, percent-decoded as requests' paths are: an escaped slash stays `%2F`."""
    return unquote_to_bytes(_ESCAPED_SLASH.sub("%252F", text)).decode("utf-8", "replace")


def _literal(text: str) -> str:
    """Text of a template, percent-decoded as paths are, escaped for RE2."""
    if "%" in text:
        text = decode_text(text)
    return str(re2.escape(text)) if text else ""


def _closing_brace(path: str, start: int) -> int:
    """Where the brace that opens at `start` closes; braces inside its expression may nest or be escaped."""
    depth = 0
    in_class = False
    place = start
    while place < len(path):
        character = path[place]
        if character == "\\":
            place += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
            place += path.startswith(("]", "^]"), place + 1) and (1 + (path[place + 1] == "^"))
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return place
        place += 1
    raise ValueError("a { without its }")


def _variable(braced: str) -> str:
    name, colon, regex = braced[1:-1].partition(":")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{braced} is neither {{name}} nor {{name:expression}}")
    if not colon:
        return SEGMENT
    if regex.startswith("^") or re.search(r"(?<!\\)(?:\\\\)*\$\Z", regex):
        raise ValueError(f"the anchor in {braced}: its expression is for the whole segment anyway")
    compile_expression(regex)
    return f"(?:{regex})"


def _star(path: str, place: int) -> str:
    if path[place + 1 : place + 2] == "*":
        raise ValueError("** is neither * within a segment nor a last /*")
    starts = path[place - 1] == "/"
    ends = place + 1 == len(path)
    if starts and ends:
        return REST
    return SEGMENT if starts and path[place + 1] == "/" else "[^/]*"


def _segments(path: str) -> tuple[Segment, ...] | None:
    """The decoded segments of a template without expressions; None where one varies at several places."""
    segments: list[Segment] = []
    for segment in path.split("/"):
        pieces = _VARYING.split(segment)
        if len(pieces) > 2:
            return None
        literal = [decode_text(piece) for piece in pieces]
        least = 0 if "*" in segment and segment != "*" else 1
        segments.append(literal[0] if len(literal) == 1 else Hole(literal[0], literal[1], least))
    return tuple(segments)


def _slashes(path: str) -> int:
    """How many slashes of a template stand outside its braces."""
    count = place = 0
    while place < len(path):
        if path[place] == "{":
            place = _closing_brace(path, place)
        count += path[place] == "/"
        place += 1
    return count


def _words(error: Exception) -> str:
    """RE2's own message, which comes as bytes."""
    message = error.args[0] if error.args else ""
    return message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
