"""Programs of their own: at their end, after a fork, several at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from support.faulty_daemon import FaultyDaemon, ScriptedResponse
from support.firstcause_process import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def program(folder: Path, text: str, *args: str, ok: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs a program that reports; its spool is in the folder."""
    (folder / "shop.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "shop.py", *args],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "FIRSTCAUSE_SPOOL": str(folder / "spool")},
    )  # fmt: skip
    assert done.returncode == ok, (done.returncode, done.stderr)
    return done


def test_what_is_reported_last_is_sent_before_the_program_ends(server: FaultyDaemon, tmp_path: Path) -> None:
    text = """
import firstcause, sys
firstcause.configure(sys.argv[1])
for number in range(700):
    firstcause.report(f"E{number}")
"""
    program(tmp_path, text, server.url)
    assert server.codes == [f"E{number}" for number in range(700)]


def test_a_program_that_is_done_does_not_wait_for_a_daemon_that_is_away(tmp_path: Path) -> None:
    text = "import firstcause, sys, time\nfirstcause.configure('http://127.0.0.1:9', timeout=60)\n"
    text += "firstcause.report('A')\ntime.sleep(1)\nbegun = time.monotonic()\n"
    text += "import atexit\natexit._run_exitfuncs()\nprint(time.monotonic() - begun)\n"
    assert float(program(tmp_path, text).stdout) < 1
    (kept,) = (tmp_path / "spool").glob("*/[0-9]*")
    assert '"code":"A"' in kept.read_text()


def test_what_nobody_catches_is_reported_and_printed_as_ever(server: FaultyDaemon, tmp_path: Path) -> None:
    text = """
import firstcause, sys, threading
firstcause.configure(sys.argv[1])
firstcause.install()
firstcause.install()
thread = threading.Thread(target=lambda: {}["in the thread"], name="helper")
thread.start()
thread.join()
def main():
    raise RuntimeError("at the end")
main()
"""
    done = program(tmp_path, text, server.url, ok=1)
    assert "RuntimeError: at the end" in done.stderr
    assert "Exception in thread helper" in done.stderr
    thread, main = server.accepted
    assert (thread["message"], thread["details"]["thread"]) == ("KeyError: 'in the thread'", "helper")
    assert main["message"] == "RuntimeError: at the end"
    assert main["source"] == {"file": "shop.py", "line": 10, "function": "main"}


def test_asyncio_reports_what_its_loop_catches_and_goes_on_as_ever(
    server: FaultyDaemon, tmp_path: Path
) -> None:
    text = """
import asyncio, firstcause, gc, sys
firstcause.configure(sys.argv[1])
said = []
async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: said.append(context["message"]))
    firstcause.install()
    firstcause.install()
    async def fails():
        raise ValueError("in a task")
    task = loop.create_task(fails())
    await asyncio.sleep(0.01)
    del task
    gc.collect()
    loop.call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.01)
asyncio.run(main())
print(len(said))
"""
    assert program(tmp_path, text, server.url).stdout == "2\n"
    assert [event["message"] for event in server.accepted] == [
        "ValueError: in a task",
        "ZeroDivisionError: division by zero",
    ]
    assert {event["details"]["caught_by"] for event in server.accepted} == {"asyncio"}


@pytest.mark.parametrize("end", ["sys.exit()", "firstcause.flush(); os._exit(0)"])
def test_parent_and_child_each_send_their_own_once(server: FaultyDaemon, tmp_path: Path, end: str) -> None:
    text = f"""
import os, sys, firstcause
firstcause.configure(sys.argv[1])
for number in range(100):
    firstcause.report("BEFORE", details={{"number": number}})
child = os.fork()
if not child:
    firstcause.report("CHILD")
    {end}
firstcause.report("PARENT")
os.waitpid(child, 0)
"""
    program(tmp_path, text, server.url)
    assert Counter(server.codes) == {"BEFORE": 100, "CHILD": 1, "PARENT": 1}
    assert len({event["id"] for event in server.accepted}) == 102


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_the_children_of_multiprocessing_send_what_they_reported(
    server: FaultyDaemon, tmp_path: Path, way: str
) -> None:
    text = f"""
import multiprocessing, sys, firstcause
def work(number, url):
    firstcause.configure(url)
    firstcause.report(f"CHILD_{{number}}")
if __name__ == "__main__":
    firstcause.configure(sys.argv[1])
    firstcause.report("PARENT")
    context = multiprocessing.get_context("{way}")
    children = [context.Process(target=work, args=(number, sys.argv[1])) for number in range(3)]
    for child in children: child.start()
    for child in children: child.join()
"""
    program(tmp_path, text, server.url)
    assert Counter(server.codes) == {"PARENT": 1, "CHILD_0": 1, "CHILD_1": 1, "CHILD_2": 1}


def test_forking_while_the_thread_works_never_hangs_a_child(server: FaultyDaemon, tmp_path: Path) -> None:
    text = """
import os, sys, firstcause
firstcause.configure(sys.argv[1])
children = []
for number in range(30):
    for _ in range(20):
        firstcause.report("PARENT")
    child = os.fork()
    if not child:
        firstcause.report("CHILD")
        os._exit(0 if firstcause.flush(20) else 3)
    children.append(child)
assert {os.waitpid(child, 0)[1] for child in children} == {0}
"""
    program(tmp_path, text, server.url)
    assert Counter(server.codes) == {"PARENT": 600, "CHILD": 30}


def test_several_processes_share_one_spool_and_lose_nothing(server: FaultyDaemon, tmp_path: Path) -> None:
    server.default_response = ScriptedResponse(503)
    (tmp_path / "many.py").write_text("""
import sys, time, firstcause
firstcause.configure(sys.argv[1], spool=sys.argv[3])
for number in range(200):
    firstcause.report(f"P{sys.argv[2]}_{number}")
    time.sleep(0.005)
firstcause.flush(20)
""")
    command = [sys.executable, str(tmp_path / "many.py"), server.url]
    spool = str(tmp_path / "spool")
    processes = [subprocess.Popen([*command, str(number), spool]) for number in range(4)]
    wait_until(lambda: len(server.requests) >= 6, "some tries")
    server.default_response = ScriptedResponse()
    processes[0].send_signal(signal.SIGSTOP)
    for process in processes[1:]:
        assert process.wait(60) == 0
    processes[0].send_signal(signal.SIGCONT)
    assert processes[0].wait(60) == 0
    by_id = {event["id"]: event["code"] for event in server.accepted}
    assert Counter(by_id.values()) == Counter(f"P{p}_{n}" for p in range(4) for n in range(200))


def test_a_killed_process_leaves_what_was_on_disk_to_the_next(server: FaultyDaemon, tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text("""
import sys, time, firstcause
firstcause.configure("http://127.0.0.1:" + sys.argv[1], spool=sys.argv[2])
firstcause.report("A")
time.sleep(60)
""")
    spool = tmp_path / "spool"
    port = server.url.rpartition(":")[2]
    server.default_response = ScriptedResponse(503)
    process = subprocess.Popen([sys.executable, str(tmp_path / "killed.py"), port, str(spool)])
    (kept,) = wait_until(lambda: [p for p in spool.glob("*/[0-9]*") if p.stat().st_size], "the spool")
    process.kill()
    process.wait()
    with kept.open("ab") as file:
        file.write(b'{"code": "TORN')
    server.default_response = ScriptedResponse()
    program(
        tmp_path,
        "import firstcause, sys, time\nfirstcause.configure(sys.argv[1])\nfirstcause.flush()",
        server.url,
    )
    assert server.codes == ["A"]
    (event,) = server.accepted
    assert event["sent_at"] > event["time"], "what had to wait says when it was sent"
