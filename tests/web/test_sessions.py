"""The door: who may come in, how often one may try, and what a form must bring."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from firstcause.daemon.server import create_web_server
from firstcause.web.sessions import SessionManager, hash_password
from support.firstcause_process import run_cli
from support.http_server import serve_stage
from support.scenario_app import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

PASSWORD = "four words will do"
PAGE = {"accept": "text/html"}


@pytest.fixture(scope="module")
def hash_of_it() -> str:
    return hash_password(PASSWORD)


@contextlib.contextmanager
def locked(folder: Path, secret: str, **web: Any) -> Iterator[httpx.Client]:
    with serve_stage(folder, web={"password": secret, **web}) as (client, _stage):
        yield client


def mark_of(answer: httpx.Response) -> str:
    return answer.text.partition('data-csrf="')[2].partition('"')[0]


def sign_in(client: httpx.Client, password: str = PASSWORD, to: str = "/") -> httpx.Response:
    mark = mark_of(client.get("/login", headers=PAGE))
    form = {"csrf": mark, "password": password, "name": "Anna", "to": to}
    return client.post("/login", data=form, headers=PAGE)


def test_a_locked_page_leads_to_the_login_and_back(tmp_path: Path, hash_of_it: str) -> None:
    with locked(tmp_path, hash_of_it) as client:
        led = client.get("/rules", headers=PAGE)
        assert (led.status_code, led.headers["location"]) == (303, "/login?to=/rules")
        assert client.get("/api/v1/incidents").status_code == 401
        assert client.get("/live").status_code == 401
        assert client.get("/healthz").status_code == 200
        wrong = sign_in(client, "wrong")
        assert (wrong.status_code, "Wrong password" in wrong.text) == (403, True)
        right = sign_in(client, to="/rules")
        assert (right.status_code, right.headers["location"]) == (303, "/rules")
        cookie = right.headers["set-cookie"]
        assert all(each in cookie for each in ("HttpOnly", "SameSite=strict", "Max-Age=43200", "Path=/"))
        assert client.get("/rules", headers=PAGE).status_code == 200
        assert client.get("/api/v1/incidents").status_code == 200


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "evil"])
def test_a_login_leads_nowhere_else(tmp_path: Path, hash_of_it: str, to: str) -> None:
    with locked(tmp_path, hash_of_it) as client:
        assert sign_in(client, to=to).headers["location"] == "/"


def test_a_session_ends_when_it_is_left(tmp_path: Path, hash_of_it: str) -> None:
    with locked(tmp_path, hash_of_it) as client:
        sign_in(client)
        session = client.cookies["firstcause"]
        client.post("/logout", data={"csrf": mark_of(client.get("/", headers=PAGE))})
        taken = {"cookie": f"firstcause={session}", **PAGE}
        assert client.get("/", headers=taken).status_code == 303


def test_a_session_must_bring_its_mark_to_the_api(tmp_path: Path, hash_of_it: str) -> None:
    with locked(tmp_path, hash_of_it) as client:
        sign_in(client)
        without = client.post("/api/v1/check")
        assert (without.status_code, "x-csrf-token" in without.json()["error"]) == (403, True)
        mark = mark_of(client.get("/", headers=PAGE))
        assert client.post("/api/v1/check", headers={"x-csrf-token": mark}).status_code == 200


def test_the_token_opens_the_page_too_and_calls_with_it_need_no_mark(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("long-and-random\n")
    with serve_stage(tmp_path, web={"token_file": "token"}) as (client, _stage):
        assert sign_in(client, "long-and-random").status_code == 303
        bearer = {"authorization": "Bearer long-and-random"}
        assert client.post("/api/v1/check", headers=bearer).status_code == 200


def test_a_form_without_its_mark_changes_nothing(tmp_path: Path) -> None:
    with serve_stage(tmp_path) as (client, _stage):
        client.post("/api/v1/events", json={"code": "REDIS_SLOW"})
        client.get("/", headers=PAGE)
        for data in ({}, {"csrf": "0" * 40}, {"csrf": ""}):
            refused = client.post("/silences/new", data={"matchers": "code=A", "for": "2h", **data})
            assert (refused.status_code, "Reload the page" in refused.text) == (403, True)
        assert client.get("/api/v1/silences").json() == {"silences": []}
        assert client.post("/health/check", content=b"x" * 70_000).status_code == 413


def test_a_session_is_over_after_its_time() -> None:
    now = [0.0]
    door = SessionManager(60.0, requires_login=True, clock=lambda: now[0])
    cookie = f"firstcause={door.begin_session('Anna')[0]}"
    assert (door.identify_browser(cookie).signed_in, door.identify_browser(cookie).name) == (True, "Anna")
    now[0] = 61.0
    assert not door.identify_browser(cookie).signed_in
    assert not door.identify_browser("firstcause=made-up").signed_in
    assert not door.identify_browser('firstcause="; =;;\x00').signed_in


def test_further_names_by_which_we_are_reached(tmp_path: Path) -> None:
    with serve_stage(tmp_path, web={"hosts": ["ops.example.org"]}) as (client, _stage):
        assert client.get("/healthz", headers={"host": "ops.example.org"}).status_code == 200
        refused = client.get("/healthz", headers={"host": "evil.example"})
        assert (refused.status_code, "[web] hosts" in refused.json()["error"]) == (403, True)


def test_a_password_is_enough_to_be_reached_from_outside(tmp_path: Path, hash_of_it: str) -> None:
    web = {"host": "0.0.0.0", "password": hash_of_it}
    stage = Stage(f"sqlite:///{tmp_path}/x.db", tmp_path, web=web)
    create_web_server(stage.app)
    stage.app.close()


def test_the_command_writes_what_the_configuration_takes(tmp_path: Path) -> None:
    run_cli("web", "password", "pw", "--password", PASSWORD, folder=tmp_path)
    assert (tmp_path / "pw").stat().st_mode & 0o777 == 0o600
    (tmp_path / "config.toml").write_text('[web]\npassword_file = "pw"\n')
    run_cli("incidents", folder=tmp_path)
    (tmp_path / "pw").write_text("plain\n")
    wrong = run_cli("incidents", folder=tmp_path, ok=2)
    assert "not an argon2 hash" in wrong.stderr
    assert "plain" not in wrong.stderr
    short = run_cli("web", "password", "pw", "--password", "short", folder=tmp_path, ok=2)
    assert "at least 12 characters" in short.stderr
