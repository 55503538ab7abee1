"""check and what follows from it, as a person runs them while a server comes and goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from support.firstcause_process import Receiver, run_cli, run_cli_json, run_daemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def website() -> Iterator[Receiver]:
    with Receiver() as up:
        yield up


@pytest.fixture
def folder(tmp_path: Path, website: Receiver) -> Path:
    (tmp_path / "config.toml").write_text(
        f'[plugins.http.checks.website]\nurl = "{website.url}"\ncomponent = "website"\nexpect_status = 200\n'
        '[health]\nenv_file = "app.env"\ninterval = "1s"\n[[notify.routes]]\nnotifiers = ["console"]\n'
    )
    (tmp_path / "app.env").write_text("REDIS_URL=redis://cache\n")
    return tmp_path


def test_check_compares_with_the_last_time_all_was_well(folder: Path, website: Receiver) -> None:
    first = run_cli("check", folder=folder).stdout
    assert "no state is known to be good yet" in first
    assert "this one is good, and the next is compared with it" in first
    assert "website  UP" in first
    well = run_cli_json("check", folder=folder)
    assert set(well) == {
        "status", "infrastructure", "snapshot_id", "checked_at", "comparison", "time_since_last_good",
        "last_known_good", "last_known_good_at", "message", "conditions",
    }  # fmt: skip
    assert set(well["infrastructure"]["website"]) >= {"status", "latency_ms", "detail"}
    assert set(well["comparison"]) == {
        "is_regression", "regressions", "changes", "time_since_last_good", "last_known_good",
        "suggested_rollback", "message",
    }  # fmt: skip
    assert (well["comparison"]["is_regression"], well["comparison"]["last_known_good"]) == (False, "1")
    assert well["last_known_good"] == "1"
    website.status = 500
    (folder / "app.env").write_text("")
    worse = run_cli("check", folder=folder, ok=1).stdout
    assert "worse than the last known good state: REDIS_URL is no longer set" in worse
    assert "to roll back: set REDIS_URL again" in worse
    found = run_cli_json("diff", "good", "latest", folder=folder, ok=1)
    # A busy machine may be slower too.
    assert {one["name"] for one in found["regressions"]} - {"website.latency_ms"} == {"REDIS_URL", "website"}
    assert set(found["changes"][0]) >= {"category", "component", "before", "after", "severity"}
    assert next(one for one in found["changes"] if one["name"] == "REDIS_URL")["likelihood"] > 0.5
    assert "worse than snapshot 2: REDIS_URL" in run_cli("diff", "2", "3", folder=folder, ok=1).stdout
    assert "as good as snapshot 1" in run_cli("diff", "1", "2", folder=folder).stdout


def test_snapshots_are_listed_shown_and_pinned(folder: Path) -> None:
    assert "no snapshot yet" in run_cli("snapshots", folder=folder).stdout
    for _ in range(2):
        run_cli("check", folder=folder)
    listed = run_cli_json("snapshots", folder=folder)["snapshots"]
    assert [(one["id"], one["last_known_good"]) for one in listed] == [("2", True), ("1", False)]
    pinned = run_cli_json("snapshot", "1", "--pin", "--by", "ann", folder=folder)
    assert (pinned["pinned_by"], pinned["last_known_good"]) == ("ann", True)
    assert "last known good, pinned by ann" in run_cli("snapshots", folder=folder).stdout
    assert run_cli_json("snapshot", "good", folder=folder)["id"] == "1"
    assert not run_cli_json("snapshot", "1", "--unpin", folder=folder)["last_known_good"]
    whole = run_cli_json("snapshot", "latest", folder=folder)
    assert set(whole) >= {"infrastructure", "data", "errors", "performance", "configuration", "alerts"}
    assert whole["configuration"]["REDIS_URL"] != "redis://cache"
    shown = run_cli("snapshot", "latest", folder=folder).stdout
    assert "website  UP" in shown
    assert "settings: 1 of " in shown
    run_cli("report", "CHECKOUT_BROKEN", "--severity", "WARNING", "--wait", folder=folder)
    run_cli("check", folder=folder)
    shown = run_cli("snapshot", "latest", folder=folder).stdout
    assert "1 warnings" in shown
    assert "never seen before: CHECKOUT_BROKEN" in shown
    assert "active: CHECKOUT_BROKEN" in shown


def test_trend_and_forecast_of_what_was_measured(folder: Path) -> None:
    for _ in range(3):
        run_cli("check", folder=folder)
    assert "website.http_status: 200 now" in run_cli("trend", "website.http_status", folder=folder).stdout
    found = run_cli_json("trend", "errors", "--minutes", "5", folder=folder)
    assert (found["count"], found["max"]) == (5, 0)
    said = run_cli("forecast", "website.latency_ms", "--limit", "1000", folder=folder).stdout
    assert said == "website.latency_ms has no trend that leads to 1000\n"
    assert run_cli_json("forecast", "website.latency_ms", "--limit", "9", folder=folder)["reached_at"] is None


def test_wrong_calls_are_one_clear_line(folder: Path) -> None:
    run_cli("check", folder=folder)
    for call, says in (
        (("snapshot", "99"), "no snapshot '99'"),
        (("diff", "good", "x"), "no snapshot 'x'"),
        (("snapshot", "1", "--pin", "--unpin"), "exclude each other"),
        (("trend", "website.latncy_ms"), "did you mean 'website.latency_ms'"),
        (("trend", "errors", "--minutes", "0"), "--minutes"),
        (("forecast", "website.latency_ms"), "give one"),
        (("check", "nothing"), "no probe 'nothing'"),
    ):
        assert says in run_cli(*call, folder=folder, ok=2).stderr, call


def test_the_daemon_takes_snapshots_and_answers_over_http(folder: Path, website: Receiver) -> None:
    with run_daemon(folder) as running, httpx.Client(base_url=running.url, timeout=30) as client:

        def snapshots() -> list[dict[str, object]]:
            found: list[dict[str, object]] = client.get("/api/v1/snapshots").json()["snapshots"]
            return found

        wait_until(lambda: len(snapshots()) >= 2, "two snapshots")
        good = client.get("/api/v1/snapshots/good").json()
        assert good["infrastructure"]["website"]["status"] == "UP"
        website.status = 503
        down = client.post("/api/v1/check")
        assert (down.status_code, down.json()["comparison"]["is_regression"]) == (200, True)
        assert client.get("/api/v1/diff").json()["is_regression"]
        assert client.post("/api/v1/snapshots/latest/pin", json={"by": "ann"}).json()["pinned_by"] == "ann"
        assert client.post("/api/v1/snapshots/good/pin", json={"undo": True}).json()["pinned_by"] is None
        health = client.get("/api/v1/trend", params={"metric": "health", "minutes": 5}).json()
        assert {each["value"] for each in health["points"]} == {0, 1}
        forecast = {"metric": "website.latency_ms", "limit": "1e9"}
        assert client.get("/api/v1/forecast", params=forecast).json()["limit"] == 1e9
        for path, status in (
            ("/api/v1/snapshots/99999", 404),
            ("/api/v1/trend?metric=nope", 404),
            ("/api/v1/trend", 422),
            ("/api/v1/trend?metric=errors&minutes=nan", 422),
        ):
            assert client.get(path).status_code == status, path
