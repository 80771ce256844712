"""The `mirror.*` commands. Each returns lines, which the console, mitmweb and its HTTP route all can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from mitmproxy import command, exceptions, http, types
from mitmproxy.flow import Flow

from traffic_mirror.compare import Baselines, Groups
from traffic_mirror.copies.asked import read_request
from traffic_mirror.edge.contentview import diff_text
from traffic_mirror.edge.filters import make_flow
from traffic_mirror.edge.inspection import find_flow
from traffic_mirror.edge.shown import OF
from traffic_mirror.edge.summary import counted, row_line, summary_line
from traffic_mirror.masking import Masker
from traffic_mirror.rules import RuleSet

if TYPE_CHECKING:
    from traffic_mirror.edge.mirror import Mirror


class Commands:
    """What a person can ask of the mirror. `find` raises CommandError where there is none yet."""

    def __init__(self, find: Callable[[], Mirror]) -> None:
        self._find = find

    @command.command("mirror.status")
    def status(self) -> Sequence[str]:
        """Shows the ledger: every copy and how it ended, by rule and destination."""
        mirror = self._find()
        state = mirror.spec.state
        lines = [
            summary_line(mirror.ledger) + (" (paused)" if mirror.dispatcher.paused else ""),
            f"spec: {state.file}" + ("" if state.ok else " (a newer version is refused, see below)"),
            f"page: http://{mirror.page.listen}/" if mirror.page.listen else "page: off",
        ]
        lines += [row_line(row) for row in mirror.ledger if row.selected]
        if mirror.inspection is not None and mirror.inspection.left_out:
            lines.append(f"{mirror.inspection.left_out} copies came too fast to be shown as flows")
        return lines + list(state.problems)

    @command.command("mirror.rules")
    def rules(self) -> Sequence[str]:
        """Lists the rules in force, in the order in which they are tried."""
        program = self._find().dispatcher.program
        lines, masker = [], Masker(program.spec.secrets)
        for api in program.spec.apis:
            for rule in api.rules:
                to = ", ".join(program.spec.destinations[i].name for i in rule.destinations)
                off = " (disabled)" if rule.disabled else ""
                methods = ",".join(rule.methods) or "any method"
                below = f" below {api.listen_path}" if api.listen_path != "/" else ""
                path = masker.text(f"{rule.path}{below}")
                lines.append(f"{api.name} / {rule.name}: {methods} {path} → {to}{off}")
        return lines

    @command.command("mirror.explain")
    def explain(self, method: str, url: str) -> Sequence[str]:
        """Says which rule takes a request, and why the others do not: mirror.explain METHOD URL."""
        program = self._find().dispatcher.program
        masker = Masker(program.spec.secrets)
        return [masker.text(line) for line in explain_lines(program.rules, method, url)]

    @command.command("mirror.pause")
    def pause(self) -> Sequence[str]:
        """Stops making copies; what would have been copied is counted as skipped."""
        self._find().pause(True)
        return ["paused"]

    @command.command("mirror.resume")
    def resume(self) -> Sequence[str]:
        """Goes on making copies."""
        self._find().pause(False)
        return ["resumed"]

    @command.command("mirror.reload")
    def reload(self) -> Sequence[str]:
        """Reads the spec again, now."""
        problems = self._find().spec.reload()
        return ["refused, the old spec stays in force:", *problems] if problems else ["reloaded"]

    @command.command("mirror.destinations")
    def destinations(self) -> Sequence[str]:
        """Lists the destinations of the spec in force."""
        program = self._find().dispatcher.program
        return [destination.name for destination in program.spec.destinations]

    @command.command("mirror.send")
    @command.argument("destination", type=types.Choice("mirror.destinations"))
    def send(self, flows: Sequence[Flow], destination: str = "") -> Sequence[str]:
        """Mirrors flows now, at a rate of 1: where the rule that takes them says, or to a destination.

        With a destination no rule needs to take them. Copies are not copied again.
        """
        names = list(self.destinations())
        if destination and destination not in names:
            raise exceptions.CommandError(
                f"found destination {destination!r}, expected one of {', '.join(names)}"
            )
        index = names.index(destination) if destination else None
        dispatcher = self._find().dispatcher
        sent = [dispatcher.send(flow, index) for flow in _sendable(flows)]
        left = len(flows) - sum(map(bool, sent))
        words = [f"{counted(sum(sent), 'copy', 'copies')} of {counted(len(flows) - left, 'flow')} sent"]
        if left:
            words.append(
                f"{counted(left, 'flow')} not sent: taken by no rule, a copy itself, or without its body"
            )
        return words

    @command.command("mirror.diff")
    def diff(self, flow: Flow) -> Sequence[str]:
        """Shows how a flow and its copies differ: mirror.diff @focus."""
        if not isinstance(flow, http.HTTPFlow):
            raise exceptions.CommandError("the mirror copies HTTP only")
        return diff_text(flow, find_flow).splitlines()

    @command.command("mirror.differences")
    def differences(self) -> Sequence[str]:
        """Lists the differences found so far, grouped by route and place, most often seen first; then what a
        `compare:` should likely ignore, and what in it matched nothing."""
        mirror = self._find()
        parts = read_statistics(mirror.statistics)
        found = Groups.load(parts.get("groups")).lines() or ["no differences so far"]
        masker = Masker(mirror.spec.spec.secrets)
        return [masker.text(line) for line in (*found, *noise_lines(parts))]


def _sendable(flows: Sequence[Flow]) -> list[http.HTTPFlow]:
    """The flows of which a copy can be made."""
    requests = [flow for flow in flows if isinstance(flow, http.HTTPFlow) and OF not in flow.metadata]
    return [flow for flow in requests if flow.request.data.content is not None]


def read_statistics(statistics: bytes) -> dict[str, object]:
    """The parts of what a worker last told; none where that is nothing of the kind."""
    try:
        return msgspec.msgpack.decode(statistics, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def noise_lines(parts: Mapping[str, object]) -> list[str]:
    """The noise candidates, and the places of a `compare:` that matched nothing, in words."""
    candidates = Baselines.load(parts.get("baselines")).candidates()
    try:
        unused = msgspec.convert(parts.get("unused"), list[tuple[str, str, str]])
    except msgspec.ValidationError:
        unused = []
    return [
        *(
            f"likely noise: {found.route} → {found.place} ({found.count:,} of {found.of:,}, ever-new values)"
            for found in candidates
        ),
        *(
            f"matched nothing so far: `{place}` in the compare: of {api} / {rule}"
            for api, rule, place in unused
        ),
    ]


def explain_lines(rules: RuleSet, method: str, url: str) -> list[str]:
    """Which rule takes `method url`, and why the others do not. Raises CommandError for what is no URL."""
    try:
        request = read_request(method, url)
    except ValueError as error:
        raise exceptions.CommandError(str(error)) from error
    found = rules.explain(
        request.method.decode(), request.host, request.target, request.headers, make_flow(request)
    )
    lines = [f"{miss.api} / {miss.rule}: {miss.reason}" for miss in found.misses]
    if found.route is None:
        return ["no rule takes it", *lines]
    return [f"taken by {found.route.api.name} / {found.route.rule.name}", *lines]
