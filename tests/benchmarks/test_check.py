"""How long `firstcause check` takes on a healthy machine, as a person waits for it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from statistics import median
from typing import TYPE_CHECKING

import pytest

from support.benchmark_figures import Anchor, at_most, at_most_times
from support.database_servers import RedisServer, run_server
from support.firstcause_process import Receiver, run_cli_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.benchmark_figures import Recorder

ROUNDS = 5

# What a process that does what `check` does cannot do without.
ANCHOR = "import click, httpx, pydantic, sqlalchemy, yaml"

BAR_TIMES = 6.0
# What must hold on any machine: the two processes do unlike work, and machines differ in which they do well.
LIMIT_TIMES = 9.0

CONFIG = """
[health]
env_file = "app.env"
[plugins.redis.servers.redis]
url = "{redis}"
[plugins.sql.databases.postgres]
url = "{postgres}"
[plugins.sql.databases.sqlite]
url = "sqlite:///{folder}/app.db"
[plugins.host]
watch = true
[plugins.http.checks.website]
url = "{website}"
component = "website"
[plugins.environment.apps.shop-settings]
component = "shop"
required = ["REDIS_URL"]
env_file = "{folder}/app.env"
[plugins.deployment.apps.shop-release]
component = "shop"
files = ["{folder}/app.env"]
[plugins.data.counts.companies]
url = "sqlite:///{folder}/app.db"
query = "SELECT count(*) FROM company"
component = "companies"
[[notify.routes]]
notifiers = ["console"]
"""


@pytest.mark.alone
def test_a_check_of_eight_probes(record: Recorder, postgres_server: str, tmp_path: Path) -> None:
    (tmp_path / "app.env").write_text("REDIS_URL=redis://cache\n")
    with closing(sqlite3.connect(tmp_path / "app.db")) as made:
        made.executescript("CREATE TABLE company (id INTEGER); INSERT INTO company VALUES (1)")
    walls: list[float] = []
    costs: list[float] = []
    anchors: list[float] = []
    with run_server(RedisServer) as redis, Receiver() as website:
        places = {"redis": redis.url, "postgres": postgres_server, "website": website.url}
        (tmp_path / "config.toml").write_text(CONFIG.format(folder=tmp_path, **places))
        for _ in range(ROUNDS):
            with stopped(walls, costs):
                found = run_cli_json("check", folder=tmp_path, is_forked=False)
            assert (found["status"], len(found["infrastructure"])) == ("UP", 8)
            with stopped([], anchors):
                subprocess.run([sys.executable, "-c", ANCHOR], check=True)
    record("check of 8 probes, at best", min(walls), "s", bar=at_most(2))
    record(f"check of 8 probes, median of {ROUNDS}", median(walls), "s")
    anchor = Anchor("its libraries imported, nothing done", min(anchors))
    what = "check of 8 probes, processor time, at best"
    record(what, min(costs), "s", anchor=anchor, bar=at_most_times(BAR_TIMES))
    assert min(costs) / min(anchors) < LIMIT_TIMES


@contextmanager
def stopped(walls: list[float], costs: list[float]) -> Iterator[None]:
    """Adds the seconds that passed, and the processor's seconds that ended child processes used."""
    begun, before = time.monotonic(), os.times()
    yield
    after = os.times()
    walls.append(time.monotonic() - begun)
    costs.append(sum(after[2:4]) - sum(before[2:4]))
