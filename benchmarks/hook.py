"""The hooks: what the mirror's part of a request costs mitmproxy's loop, in whole and stage by stage.

The addon runs as in mitmproxy, with a real worker behind it that sends to a real server; flows are
mitmproxy's own test flows, made like what the load sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from mitmproxy import http
from mitmproxy.addons import default_addons
from mitmproxy.addons.readfile import ReadFileStdin
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import taddons, tflow

from benchmarks.bench import Bench
from benchmarks.cores import move, starting_on
from benchmarks.load import HEADERS
from benchmarks.matching import GROUP
from benchmarks.processes import BenchError, children
from benchmarks.report import Figure, Part, Target
from benchmarks.rounds import spread_of
from benchmarks.servers import Server
from benchmarks.specs import mirror_all, mirror_none
from benchmarks.throughput import json_body
from traffic_mirror.copies.headers import has_field, is_websocket_upgrade
from traffic_mirror.edge import capture
from traffic_mirror.edge.addon import MirrorAddon
from traffic_mirror.edge.outbox import Outbox
from traffic_mirror.wire.codec import Decoder, encode
from traffic_mirror.wire.frames import Ended, Ending, Mirror, ToEdge

STAGES = "Where the time goes at the edge, stage by stage"

_BATCHES = 40
_FLOWS = 100
_SETTLE = 10.0
_BODY = json_body(1024)


def measure_hooks(bench: Bench, sink: Server) -> Part:
    """The request hook matched and unmatched, the response hook, and their stages.

    With a hook goes what it puts off; the part that the client waits for has a row of its own.
    """
    with starting_on(bench.cores.proxy):
        figures = asyncio.run(_measure(bench, sink), loop_factory=_eager_loop)
    for figure in figures:
        bench.say(f"  {figure.name:<60} {figure.spread.median:6.2f} µs")
    return Part(tuple(figures))


def _eager_loop() -> asyncio.AbstractEventLoop:
    """mitmproxy's loop starts tasks at once."""
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


async def _measure(bench: Bench, sink: Server) -> list[Figure]:
    folder = bench.folder("hook")
    matched = folder / "matched.yaml"
    matched.write_text(mirror_all(sink.ports[:1]))
    unmatched = folder / "unmatched.yaml"
    unmatched.write_text(mirror_none(sink.ports[:1]))
    figures = []
    async with _addon(bench, matched) as addon:
        waited, request, response = await _time_hooks(addon)
        figures += [
            _figure("hook", "the request hook, matched and sampled, 1 KiB body", request, Target("≤", 60)),
            _figure("hook waited", "what of it the client waits for, the rest is put off", waited),
            _figure("hook response", "the response hook of the same", response),
        ]
        figures += await _time_stages(addon)
    async with _addon(bench, unmatched) as addon:
        _, request, _ = await _time_hooks(addon)
        figures.insert(3, _figure("hook unmatched", "the request hook, no rule takes it", request))
    return figures


@contextlib.asynccontextmanager
async def _addon(bench: Bench, spec: Path) -> AsyncIterator[MirrorAddon]:
    """The addon with its worker, as under mitmdump."""
    addon = MirrorAddon(spec)
    with taddons.context(loadcore=False) as context:
        context.master.addons.add(*default_addons(), ReadFileStdin(), addon)
        context.configure(addon, mirror_spec=str(spec), mirror_listen="127.0.0.1:0")
        try:
            addon.running()
            await _until(lambda: bool(addon.mirror().page.listen), "the worker to be ready")
            for pid in children(os.getpid()):  # the worker; all others are there already
                move(pid, bench.cores.rest)
            yield addon
        finally:
            stopped = addon.done()
            if stopped is not None:
                await stopped


async def _time_hooks(addon: MirrorAddon) -> tuple[list[float], list[float], list[float]]:
    """Means of batches, in µs: the request hook alone and with what it puts off, and the response hook.

    Between batches all copies end.
    """
    alone, requests, responses = [], [], []
    settle = addon.mirror().dispatcher.settle
    for _ in range(_BATCHES):
        flows = [make_flow() for _ in range(_FLOWS)]
        hooks, late = _time_batch(addon.request, flows, settle)
        alone.append(hooks)
        requests.append(hooks + late)
        for flow in flows:
            flow.response = http.Response.make(200, b"ok")
        responses.append(sum(_time_batch(addon.response, flows, settle)))
        await _until(lambda: addon.mirror().ledger.in_flight == 0, "the copies to end")
    return alone, requests, responses


async def _time_stages(addon: MirrorAddon) -> list[Figure]:
    """Each step of the matched hook by itself; the last ones are paid on the loop, a little later."""
    dispatcher = addon.mirror().dispatcher
    program = dispatcher.program
    flow = make_flow()
    data, fields = flow.request.data, flow.request.data.headers.fields
    frozen = capture.freeze_request(flow)
    frame = Mirror(frozen, 0, 0, ((1, 0),), has_body=True)
    head = encode(frame, _BODY)
    route = program.rules.match("GET", "127.0.0.1", data.path, fields, flow)
    assert route is not None
    sampler = type(dispatcher._sampler)("", time.monotonic)  # noqa: SLF001 - the class that the edge uses
    ended = encode(Ended(tuple(Ending(number, "delivered", "2xx", 0.001) for number in range(50))))
    stages: list[tuple[str, Callable[[], object]]] = [
        ("freeze it", lambda: capture.freeze_request(flow)),
        ("match it", lambda: program.rules.match("GET", "127.0.0.1", data.path, fields, flow)),
        ("look for the loop marker", lambda: has_field(fields, program.markers)),
        ("look for a WebSocket upgrade", lambda: is_websocket_upgrade(fields)),
        ("sample it", lambda: sampler.decide(route, program.spec, fields, data.path, "127.0.0.1")),
        ("encode the frame", lambda: encode(frame, _BODY)),
    ]
    figures = [_stage(name, _time_call(call)) for name, call in stages]
    figures.append(_stage("push it and write the pipe, 100 frames at once", await _time_push(head)))
    decode = _time_call(lambda: Decoder[ToEdge](ToEdge).feed(ended), 200)
    figures.append(_stage("read an outcome, 50 at once", [mean / 50 for mean in decode]))
    return figures


async def _time_push(head: bytes) -> list[float]:
    """Frames into the outbox and through a pipe that somebody reads."""
    reader = await asyncio.create_subprocess_exec(
        "cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    assert reader.stdin is not None
    outbox = Outbox(asyncio.get_running_loop())
    outbox.open(reader.stdin.transport, b"\n")
    means = []
    for _ in range(_BATCHES):
        began = time.perf_counter_ns()
        for _ in range(_FLOWS - 1):
            outbox.push(head, _BODY)
        outbox.push(head, _BODY, now=True)
        means.append((time.perf_counter_ns() - began) / _FLOWS / 1000)
        await reader.stdin.drain()
        await asyncio.sleep(0.01)
    outbox.close()
    reader.stdin.close()
    await reader.wait()
    return means


def make_flow() -> http.HTTPFlow:
    """A live POST of 1 KiB of JSON in reverse mode, with the load's headers."""
    flow = tflow.tflow(req=_request())
    flow.client_conn.proxy_mode = ProxyMode.parse("reverse:http://127.0.0.1:1")
    flow.live = True
    flow.id = str(uuid.uuid4())
    return flow


def _request() -> http.Request:
    fields = [("Host", "127.0.0.1:8080"), *HEADERS]
    fields += [("Content-Type", "application/json"), ("Content-Length", str(len(_BODY)))]
    headers = http.Headers([(name.encode(), value.encode()) for name, value in fields])
    request = http.Request.make("POST", "http://127.0.0.1:8080/items/42?x=1", _BODY)
    request.headers = headers
    request.timestamp_start = request.timestamp_end = time.time()
    return request


def _time_batch(
    call: Callable[[http.HTTPFlow], object], flows: list[http.HTTPFlow], settle: Callable[[], None]
) -> tuple[float, float]:
    """Means in µs: of the calls, and of what they put off."""
    gc.collect()
    began = time.perf_counter_ns()
    for flow in flows:
        call(flow)
    called = time.perf_counter_ns()
    settle()
    ended = time.perf_counter_ns()
    return (called - began) / len(flows) / 1000, (ended - called) / len(flows) / 1000


def _time_call(call: Callable[[], object], times: int = 2_000) -> list[float]:
    means = []
    for _ in range(15):
        began = time.perf_counter_ns()
        for _ in range(times):
            call()
        means.append((time.perf_counter_ns() - began) / times / 1000)
    return means


async def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _SETTLE
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {_SETTLE:g} s for {what}")
        await asyncio.sleep(0.005)


def _figure(key: str, name: str, samples: list[float], target: Target | None = None) -> Figure:
    how = f"{_BATCHES} batches of {_FLOWS} flows, a real worker behind"
    return Figure(
        key=key, group=GROUP, name=name, unit="µs", spread=spread_of(samples), target=target, how=how
    )


def _stage(name: str, samples: list[float]) -> Figure:
    return Figure(key=f"stage {name}", group=STAGES, name=name, unit="µs", spread=spread_of(samples))
