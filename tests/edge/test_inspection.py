"""The inspection: copies beside their originals, bounded, and a person's own words and marks left alone."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mitmproxy import http, io
from mitmproxy.addons import save, view
from mitmproxy.test import taddons, tflow

from tests.edge.shown_copies import failed, primary, shown
from tests.waiting import wait_until_async
from traffic_mirror.edge.inspection import Inspection, find_flow
from traffic_mirror.edge.shown import OF

pytestmark = pytest.mark.usefixtures("eager_tasks")


@pytest.fixture
async def shown_in() -> AsyncIterator[view.View]:
    """A tool with a view."""
    flows = view.View()
    with taddons.context(flows):
        yield flows


def inspection(limit: int = 10) -> Inspection:
    return Inspection(asyncio.get_running_loop(), limit)


def copies(flows: view.View) -> list[http.HTTPFlow]:
    return [flow for flow in flows if OF in flow.metadata]


async def test_a_copy_appears_beside_its_original_which_sums_it_up(shown_in: view.View) -> None:
    original, other = primary(), primary()
    other.timestamp_created = original.timestamp_created + 1
    shown_in.add([original, other])
    updated: list[str] = []
    shown_in.sig_view_update.connect(updater := lambda flow: updated.append(flow.id))  # noqa: F841 - kept alive
    inspector = inspection()
    inspector.show(shown(original.id), b"{}")
    inspector.show(failed(original.id, destination="dead"), b"")
    await wait_until_async(lambda: len(shown_in) == 4 and updated)
    assert [flow.metadata.get(OF) for flow in shown_in] == [None, original.id, original.id, None]
    assert original.comment == (
        "copied → shadow: 200 in 12 ms, differs: body $.price (1 more); dead: failed: connect"
    )
    assert original.marked == ":x:"
    assert updated == [original.id]


async def test_only_the_newest_copies_stay_and_the_others_are_gone_from_memory(shown_in: view.View) -> None:
    inspector = inspection(limit=3)
    originals = [primary() for _ in range(8)]
    shown_in.add(originals)
    references = []
    for original in originals:
        inspector.show(shown(original.id), b"x" * 1000)
        inspector.close()
        references.append(weakref.ref(copies(shown_in)[-1]))
    assert len(copies(shown_in)) == 3
    assert len(shown_in) == 8 + 3
    gc.collect()
    alive = [reference() for reference in references]
    assert [copy is not None for copy in alive] == [False] * 5 + [True] * 3


async def test_copies_that_come_too_fast_are_left_out_and_counted(shown_in: view.View) -> None:
    original = primary()
    shown_in.add([original])
    inspector = inspection(limit=5)
    for number in range(12):
        inspector.show(shown(original.id, number=number), b"")
    inspector.close()
    assert inspector.left_out == 7
    assert len(copies(shown_in)) == 5


async def test_a_smaller_limit_takes_effect_at_once(shown_in: view.View) -> None:
    original = primary()
    shown_in.add([original])
    inspector = inspection(limit=5)
    for _ in range(5):
        inspector.show(shown(original.id), b"")
    inspector.close()
    inspector.set_limit(2)
    assert len(copies(shown_in)) == 2


async def test_what_a_person_wrote_and_marked_stays(shown_in: view.View) -> None:
    original = primary()
    original.comment, original.marked = "look here", ":grapes:"
    shown_in.add([original])
    inspector = inspection()
    inspector.show(shown(original.id, verdict="match", differences=()), b"")
    inspector.close()
    assert original.comment == "look here | copied → shadow: 200 in 12 ms, matches"
    inspector.show(failed(original.id, destination="dead"), b"")
    inspector.close()
    assert original.comment == "look here | copied → shadow: 200 in 12 ms, matches; dead: failed: connect"
    assert original.marked == ":grapes:"


async def test_copies_of_a_flow_that_was_cleared_away_are_not_shown(shown_in: view.View) -> None:
    inspector = inspection()
    inspector.show(shown("no such flow"), b"")
    inspector.close()
    assert len(shown_in) == 0


async def test_a_flow_says_why_no_copy_was_made(shown_in: view.View) -> None:
    flow = tflow.tflow()
    shown_in.add([flow])
    inspector = inspection()
    inspector.note(flow, ["shadow", "eu"], "sampled_out", "rule_rate")
    assert flow.comment == "not copied → shadow: sampled_out: rule_rate; eu: sampled_out: rule_rate"
    assert flow.marked == ""
    inspector.close()


async def test_a_flow_can_be_found_where_there_is_a_view(shown_in: view.View) -> None:
    flow = tflow.tflow()
    shown_in.add([flow])
    assert find_flow(flow.id) is flow
    assert find_flow("another") is None


async def test_without_a_view_copies_go_to_the_file_that_flows_are_saved_in(tmp_path: Path) -> None:
    saver = save.Save()
    with taddons.context(saver) as context:
        context.configure(saver, save_stream_file=str(tmp_path / "flows"))
        assert find_flow("any") is None
        original = primary()
        inspector = inspection(limit=2)
        inspector.mirrored(original)
        inspector.show(shown(original.id), b"{}")
        inspector.close()
        saver.done()
        inspector.show(shown(original.id), b"{}")
        inspector.close()  # the file is closed already: nothing to write to, and no harm
    with (tmp_path / "flows").open("rb") as file:
        (copy,) = io.FlowReader(file).stream()
    assert copy.metadata[OF] == original.id


async def test_without_a_view_only_so_many_originals_are_remembered() -> None:
    with taddons.context():
        inspector = inspection(limit=2)
        originals = [primary() for _ in range(3)]
        for original in originals:
            inspector.mirrored(original)
            inspector.show(shown(original.id), b"")
        inspector.close()
        assert [bool(original.comment) for original in originals] == [False, True, True]
