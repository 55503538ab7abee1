"""Requests that wait for the disk: all that was stored together is answered at one wake of the loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from firstcause.errors import StoreError
from firstcause.web.ingest import CompletionNotifier, ReadingLanes

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def apart(what: Callable[[], None]) -> None:
    thread = Thread(target=what)
    thread.start()
    thread.join()


def done_with(stored: list[Future[None]]) -> None:
    for each in stored:
        each.set_result(None)


def test_what_was_stored_together_wakes_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve() -> tuple[int, list[Any]]:
        loop = asyncio.get_running_loop()
        bell, wakes = CompletionNotifier(loop), 0
        wake = loop.call_soon_threadsafe

        def counted(*given: Any) -> Any:
            nonlocal wakes
            wakes += 1
            return wake(*given)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        stored: list[Future[None]] = [Future() for _ in range(50)]
        waiting = [asyncio.ensure_future(bell.wait(each)) for each in stored]
        await asyncio.sleep(0)
        apart(lambda: done_with(stored[:49]))
        done, pending = await asyncio.wait(waiting, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        once = wakes
        apart(lambda: stored[49].set_exception(StoreError("the disk is full")))
        await asyncio.wait(pending, timeout=5)
        assert len(done) == 49
        return once, [each.exception() for each in waiting if each.exception()]

    once, problems = asyncio.run(serve())
    assert once == 1
    assert [str(each) for each in problems] == ["the disk is full"]


def test_who_left_is_not_waited_for_and_one_that_is_stored_already_is_answered() -> None:
    async def serve() -> None:
        bell = CompletionNotifier(asyncio.get_running_loop())
        left: Future[None] = Future()
        gone = asyncio.ensure_future(bell.wait(left))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        apart(lambda: left.set_result(None))
        there: Future[None] = Future()
        there.set_result(None)
        await asyncio.wait_for(bell.wait(there), 5)
        assert gone.cancelled()

    asyncio.run(serve())


def test_the_loop_ended_before_it_was_stored() -> None:
    stored: Future[None] = Future()

    async def serve() -> None:
        waiting = asyncio.ensure_future(CompletionNotifier(asyncio.get_running_loop()).wait(stored))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(serve())
    apart(lambda: stored.set_result(None))
    assert stored.done()


def test_a_flood_of_one_source_leaves_lanes_to_others() -> None:
    async def serve() -> None:
        lanes, release = ReadingLanes(), Event()
        flood = [
            asyncio.ensure_future(lanes.run("flood", size, release.wait, 60))
            for size in (10, 2_000_000)
            for _ in range(50)
        ]
        try:
            for size in (10, 2_000_000):
                answer = lanes.run("quiet", size, lambda: "read")
                assert await asyncio.wait_for(answer, 20) == "read"
        finally:
            release.set()
        assert all(await asyncio.gather(*flood))
        assert not lanes._shares

    asyncio.run(serve())
