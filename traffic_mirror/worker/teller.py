"""The teller: passes on what became of a copy, to the results file, the viewer, the accounts and the edge."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from traffic_mirror.compare import Verdict, Way
from traffic_mirror.copies import trace_id_of
from traffic_mirror.masking import Masker, credentials_in
from traffic_mirror.wire.frames import Shown
from traffic_mirror.worker.accounts import Accounts
from traffic_mirror.worker.errand import Errand
from traffic_mirror.worker.pipes import Outlet
from traffic_mirror.worker.report import Report
from traffic_mirror.worker.results import Results, line_of, url_of_original
from traffic_mirror.worker.samples import Sample
from traffic_mirror.worker.verdicts import route_of

SHOWN_BODY = 1024 * 1024
_TOO_LARGE = b"(a body of more bytes than are kept)"


class Teller:
    """Tells each settled copy once, everywhere it is wanted."""

    def __init__(self, accounts: Accounts, report: Report, outlet: Outlet) -> None:
        self.results: Results | None = None
        self.inspect = False
        self.masker = Masker()
        self._accounts = accounts
        self._report = report
        self._outlet = outlet

    def tell(self, errand: Errand, verdict: Verdict | None) -> None:
        """Takes a copy that is through, with its verdict where it got one."""
        masker = self.masker
        if self.results is not None or self.inspect or (verdict is not None and verdict.differences):
            masker = masker.also(credentials_of(errand))
        if verdict is not None:
            verdict = with_places_masked(verdict, masker)
            self._count(errand, verdict, masker)
        if self.results is not None:
            self.results.add(line_of(errand, verdict, masker))
        if self.inspect:
            shown, body = show(errand, verdict)
            self._outlet.offer(shown, body)

    def _count(self, errand: Errand, verdict: Verdict, masker: Masker) -> None:
        route, request = errand.route, errand.case.request
        route.row.judge(verdict.verdict)
        self._accounts.history.judged(verdict.verdict)
        self._report.judged(route.row.key, verdict.verdict)
        way = Way(*route.row.key, route_of(errand))
        self._accounts.groups.add(way, verdict, request.id, request.time)
        if verdict.differences:
            self._accounts.samples.add(way, verdict, sample_of(errand), masker)
        elif verdict.reason:
            reasons = self._accounts.incomparable
            reasons[verdict.reason] = reasons.get(verdict.reason, 0) + 1


def credentials_of(errand: Errand) -> Iterator[str]:
    """What the client, the copy and both answers carry as credentials: a body that echoes them shows none."""
    request, copy, primary, sent = errand.case.request, errand.copy, errand.case.primary, errand.sent
    yield from credentials_in(request.headers)
    yield from credentials_in(copy.headers if copy is not None else ())
    yield from credentials_in(primary.headers if primary is not None else ())
    yield from credentials_in(sent.fields() if sent is not None else ())


def with_places_masked(verdict: Verdict, masker: Masker) -> Verdict:
    """The verdict, the places of its differences without secrets: a body's keys are as much its content as
    its values."""
    shown = [masker.text(it.place) for it in verdict.differences]
    if all(it.place == place for it, place in zip(verdict.differences, shown, strict=True)):
        return verdict
    replace = msgspec.structs.replace
    pairs = zip(verdict.differences, shown, strict=True)
    return replace(verdict, differences=tuple(replace(it, place=place) for it, place in pairs))


def sample_of(errand: Errand) -> Sample:
    """A copy as an example of a difference, but for the place."""
    request, primary, sent = errand.case.request, errand.case.primary, errand.sent
    return Sample(
        id=request.id,
        time=request.time,
        method=request.method.decode("latin-1"),
        url=url_of_original(errand),
        destination=errand.route.destination,
        primary_status=primary.status if primary is not None else 0,
        copy_status=sent.status if sent is not None else 0,
        trace_id=trace_id_of(errand.copy.headers) if errand.copy is not None else None,
    )


def show(errand: Errand, verdict: Verdict | None) -> tuple[Shown, bytes]:
    """A copy as a viewer shows it; words are in the place of a body over the bound."""
    route, copy, sent, outcome, request = (
        errand.route,
        errand.copy,
        errand.sent,
        errand.outcome,
        errand.case.request,
    )
    assert outcome is not None
    body = b"" if sent is None else _TOO_LARGE if sent.too_large else sent.body or b""
    frame = Shown(
        number=errand.number,
        id=request.id,
        api=route.api,
        rule=route.rule,
        destination=route.destination,
        method=request.method,
        url=copy.shown_url if copy is not None else route.lane.destination.url,
        http_version=sent.version if sent is not None else "",
        headers=((b"Host", copy.host), *copy.headers) if copy is not None else (),
        outcome=outcome.outcome,
        reason=outcome.reason,
        message=outcome.message,
        status=sent.status if sent is not None else 0,
        response_headers=sent.fields() if sent is not None else (),
        began=errand.began_at,
        seconds=sent.seconds if sent is not None else 0.0,
        verdict=verdict.verdict if verdict is not None else "",
        verdict_reason=verdict.reason if verdict is not None else None,
        differences=verdict.differences if verdict is not None else (),
        set_aside=verdict.set_aside if verdict is not None else (),
        request_body=_own_body(errand),
        first_byte=sent.first_byte if sent is not None else 0.0,
    )
    return frame, _bounded(body)


def _own_body(errand: Errand) -> bytes | None:
    """The copy's request body where that is not the original's; words in its place where it is large."""
    body = errand.copy.body if errand.copy is not None else None
    if body is None or body is errand.case.body or body == errand.case.body:
        return None
    return _bounded(body)


def _bounded(body: bytes) -> bytes:
    return body if len(body) <= SHOWN_BODY else b"(%d bytes, too many to be shown)" % len(body)
