"""The worker's figures as Prometheus reads them, collected when it asks and not before."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from traffic_mirror.ledger import Ledger
from traffic_mirror.worker.view import View

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily

_ROW = ["api", "rule", "destination"]
_SERIES = 20_000  # label sets of one family; what is over is counted, not shown


def render(view: View) -> bytes:
    """The text that `GET /metrics` answers with."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(view))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterator[Family]:
        """Every family, from one reading of the ledger."""
        yield from _bounded(list(_ledger(self._view.ledger())))
        yield _seconds(self._view)
        yield from _loads(self._view)
        yield from _spec(self._view)


def _ledger(whole: Ledger) -> Iterator[Family]:
    selected = CounterMetricFamily("mirror_selected", "Copies that rules selected.", labels=_ROW)
    copies = CounterMetricFamily(
        "mirror_copies", "Copies that ended, by outcome and reason.", labels=[*_ROW, "outcome", "reason"]
    )
    verdicts = CounterMetricFamily(
        "mirror_verdicts", "Comparisons with the primary's answer.", labels=[*_ROW, "verdict"]
    )
    for row in whole:
        selected.add_metric(row.key, row.selected)
        for (outcome, reason), count in row.ended.items():
            copies.add_metric([*row.key, outcome, reason], count)
        for verdict, count in row.verdicts.items():
            verdicts.add_metric([*row.key, verdict], count)
    yield from (selected, copies, verdicts)


def _seconds(view: View) -> Family:
    family = HistogramMetricFamily(
        "mirror_copy_seconds",
        "How long delivered copies took, from connecting to the answer's last byte.",
        labels=["destination"],
    )
    for destination, histogram in view.accounts.seconds.items():
        family.add_metric([destination], buckets=histogram.cumulative(), sum_value=histogram.sum)
    return family


def _loads(view: View) -> Iterator[Family]:
    gauges = {
        "queue_copies": ("mirror_queue_copies", "Copies that wait to be sent."),
        "queue_bytes": ("mirror_queue_bytes", "Bytes of the copies that wait to be sent."),
        "in_flight": ("mirror_in_flight", "Copies being sent."),
    }
    loads = view.loads()
    for field, (name, text) in gauges.items():
        gauge = GaugeMetricFamily(name, text, labels=["destination"])
        for load in loads:
            gauge.add_metric([load.destination], getattr(load, field))
        yield gauge
    breaker = GaugeMetricFamily(
        "mirror_breaker_open",
        "1 while a destination's circuit breaker holds copies back.",
        labels=["destination"],
    )
    for load in loads:
        breaker.add_metric([load.destination], float(load.breaker != "closed"))
    yield breaker


def _spec(view: View) -> Iterator[Family]:
    state = view.state
    yield GaugeMetricFamily(
        "mirror_spec_reload_success", "1 when the last load of the spec went well.", value=float(state.ok)
    )
    yield GaugeMetricFamily(
        "mirror_spec_reload_timestamp_seconds", "When the spec in force was loaded.", value=state.loaded_at
    )
    yield GaugeMetricFamily("mirror_paused", "1 while copies are paused.", value=float(view.accounts.paused))
    yield CounterMetricFamily(
        "mirror_worker_restarts", "Workers started after the first one.", value=view.restarts
    )


def _bounded(families: list[Family]) -> Iterator[Family]:
    hidden = CounterMetricFamily(
        "mirror_metrics_hidden", "Series left out since there are too many rules; /api/summary has them."
    )
    over = 0
    for family in families:
        over += max(0, len(family.samples) - _SERIES)
        family.samples = family.samples[:_SERIES]
        yield family
    hidden.samples = [Sample("mirror_metrics_hidden_total", {}, over)]
    yield hidden
