"""XML and HTML as trees: elements, attributes and text, with nothing fetched and no entity expanded."""

from __future__ import annotations

import re

from lxml import etree, html
from lxml.etree import _Comment, _Entity

_SPACE = re.compile(r"[ \t\r\n\f\u00a0]+")
_KEEPS_SPACE = frozenset({"pre", "textarea", "script", "style"})
_IN_LINE = frozenset(
    """
    a abbr b bdi bdo cite code data del dfn em i ins kbd mark q s samp small span strong sub sup time u var
    """.split()  # noqa: SIM905 — a list of words is read best as words
)
_MAX_DEPTH = 250


class Element:
    """An element. `tag` holds its namespace, `name` does not; children are elements and texts."""

    __slots__ = ("attributes", "children", "name", "tag")

    def __init__(self, tag: str, attributes: dict[str, object], children: list[object]) -> None:
        self.tag = tag
        self.name = tag.rpartition("}")[2]
        self.attributes = attributes
        self.children = children

    def __str__(self) -> str:
        attributes = "".join(f' {name[1:]}="{value}"' for name, value in self.attributes.items())
        inner = "".join(str(child) for child in self.children)
        return f"<{self.name}{attributes}>{inner}</{self.name}>" if inner else f"<{self.name}{attributes}/>"


def read_xml(body: bytes, charset: str | None) -> Element:
    """The root of an XML document; `ValueError` where it is none."""
    parser = etree.XMLParser(
        encoding=charset,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:
        raise ValueError(str(error)) from error
    return _convert(root, 0, is_html=False)


def read_html(text: str) -> Element:
    """The root of an HTML document, read as leniently as a browser does."""
    parser = html.HTMLParser(no_network=True, huge_tree=False, remove_pis=True, encoding="utf-8")
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise ValueError(str(error)) from error
    if root is None:
        raise ValueError("nothing in it")
    return _convert(root, 0, is_html=True)


def _convert(node: etree._Element, depth: int, *, is_html: bool, keeps: bool = False) -> Element:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    tag = str(node.tag)
    attributes: dict[str, object] = {"@" + _attribute_name(str(k)): str(v) for k, v in node.attrib.items()}
    if is_html:
        keeps = keeps or tag in _KEEPS_SPACE
        if isinstance(classes := attributes.get("@class"), str):
            attributes["@class"] = " ".join(sorted(classes.split()))
    else:
        keeps = True
    children: list[object] = []
    _add_text(children, node.text, keeps=keeps)
    for child in node:
        if isinstance(child, _Entity):
            _add_text(children, str(child.text), keeps=True)
        elif isinstance(child, _Comment):
            _add_comment(children, child.text)
        elif isinstance(child.tag, str):
            children.append(_convert(child, depth + 1, is_html=is_html, keeps=keeps))
        _add_text(children, child.tail, keeps=keeps)
    return Element(tag, attributes, _trim(children, is_html=is_html and not keeps))


def _attribute_name(name: str) -> str:
    """`href`, or `xlink:href` by the end of its namespace, whatever prefix was written."""
    space, _, local = name.rpartition("}")
    return f"{re.split('[/:#{]', space.rstrip('/#'))[-1]}:{local}" if space else local


def _add_text(children: list[object], text: str | None, *, keeps: bool) -> None:
    if not text:
        return
    text = text if keeps else _SPACE.sub(" ", text)
    last = children[-1] if children else None
    if isinstance(last, str):
        children[-1] = last + text
    else:
        children.append(text)


def _add_comment(children: list[object], text: str | None) -> None:
    if text and (said := _SPACE.sub(" ", text).strip()):
        children.append(Element("comment()", {}, [said]))


def _trim(children: list[object], *, is_html: bool) -> list[object]:
    """Without the white space that only indents: between elements, and in HTML around every text; between a
    text and an element in its line it parts two words."""
    has_elements = any(isinstance(child, Element) for child in children)
    kept: list[object] = []
    for at, child in enumerate(children):
        if isinstance(child, str) and (not child or ((has_elements or is_html) and not child.strip())):
            continue
        if isinstance(child, str) and is_html:
            text = child.strip()
            before = child[0] == " " and at > 0 and _is_in_line(children[at - 1])
            after = child[-1] == " " and at + 1 < len(children) and _is_in_line(children[at + 1])
            kept.append(" " * before + text + " " * after)
        else:
            kept.append(child)
    return kept


def _is_in_line(child: object) -> bool:
    return isinstance(child, Element) and child.name in _IN_LINE
