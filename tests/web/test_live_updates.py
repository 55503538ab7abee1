"""One look for all browsers; each hears of the newest state only."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from firstcause.web.live_updates import ChangeStream
from support.firstcause_process import wait_until
from support.http_server import serve_stage

if TYPE_CHECKING:
    from pathlib import Path


def test_a_slow_browser_hears_of_the_newest_state_once() -> None:
    async def watch() -> tuple[list[str], int]:
        looks = 0
        state = "a"

        def pulse() -> str:
            nonlocal looks
            looks += 1
            return state

        live = ChangeStream(pulse, interval_s=0.01)
        streams = [live.watch("a") for _ in range(50)]
        waiting = [asyncio.ensure_future(anext(each)) for each in streams]
        await asyncio.sleep(0.1)
        for name in "bcd":
            state = name
            await asyncio.sleep(0.08)
        first = await asyncio.gather(*waiting)
        later = await asyncio.gather(*(anext(each) for each in streams))
        live.close()
        for each in streams:
            with contextlib.suppress(StopAsyncIteration):
                await anext(each)
        return [*sorted(set(first)), *sorted(set(later))], looks

    heard, looks = asyncio.run(watch())
    assert heard == ["b", "d"]
    assert looks < 100, "fifty browsers cost one look, not fifty"


def test_a_browser_that_knows_the_newest_state_is_told_of_the_next(tmp_path: Path) -> None:
    with serve_stage(tmp_path) as (client, _stage):
        wait_until(lambda: client.get("/api/v1/health").json()["snapshot_id"], "a snapshot")
        seen = client.get("/", headers={"accept": "text/html"}).text.partition("/live?seen=")[2][:16]
        with client.stream("GET", f"/live?seen={seen}") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            client.post("/api/v1/events", json={"code": "REDIS_SLOW"})
            lines = stream.iter_lines()
            told = next(line for line in lines if line.startswith("event:"))
            assert told == "event: changed"
            assert seen not in next(line for line in lines if line.startswith("data:"))


def test_an_open_stream_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        client, _stage = stack.enter_context(serve_stage(tmp_path))
        stream = stack.enter_context(client.stream("GET", "/live"))
        assert stream.status_code == 200
        stack.pop_all().close()
