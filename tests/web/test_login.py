"""Signing in: how often one may guess, who is held up by it, and what is left of it in the audit log."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.errors import ConfigError, IntakeError, StoreError
from firstcause.web.login import MAX_AUDITED_FAILURES, MAX_CHECKS, Login, PasswordChecker
from firstcause.web.login_limits import (
    FORGET_AFTER_S,
    FREE_ATTEMPTS,
    MAX_HELD_S,
    MAX_WAIT_S,
    LoginLimits,
    find_network,
)
from firstcause.web.sessions import SessionManager, hash_password
from support.http_server import serve_stage
from support.scenario_app import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

PASSWORD = "four words will do"
HASH = hash_password(PASSWORD)
PAGE = {"accept": "text/html"}


def plan_until_refused(limits: LoginLimits, address: str, now: float) -> list[float]:
    waits: list[float] = []
    try:
        while len(waits) < 1000:
            waits.append(limits.plan(address, f"name {len(waits)}", None, now).wait_s)
    except IntakeError:
        pass
    return waits


def test_guesses_side_by_side_have_one_turn_after_another() -> None:
    """Sixty at once: a few are checked, each later than the one before."""
    waits = plan_until_refused(LoginLimits(), "203.0.113.9", 0.0)
    assert len(waits) < 10
    assert waits[: FREE_ATTEMPTS + 1] == [0.0] * FREE_ATTEMPTS + [1.0]
    assert waits == sorted(waits)
    assert waits[-1] <= MAX_HELD_S


@given(st.lists(st.floats(0, 30), max_size=200))
def test_no_network_gets_more_turns_than_its_waits_allow(pauses: list[float]) -> None:
    limits, now, turns, waits = LoginLimits(), 0.0, [], []
    for number, pause in enumerate(pauses):
        now += pause
        try:
            turns.append(now + limits.plan("203.0.113.9", f"{number}", None, now).wait_s)
        except IntakeError as error:
            waits.append(error.retry_after or 0.0)
    assert all(MAX_HELD_S < wait <= MAX_HELD_S + MAX_WAIT_S for wait in waits)
    gaps = [later - earlier for earlier, later in pairwise(turns[7:])]
    assert all(gap >= MAX_WAIT_S - 1e-6 for gap in gaps)


def test_somebody_elses_guesses_keep_nobody_out() -> None:
    limits = LoginLimits()
    for number in range(300):
        limits.plan(f"198.51.{number}.1", "Anna", None, 0.0)
    plan_until_refused(limits, "203.0.113.9", 0.0)
    # From another network, in the name that was guessed at: a short wait. By her own browser: none.
    assert limits.plan("192.0.2.1", "anna ", None, 0.0).wait_s == MAX_WAIT_S
    assert limits.plan("192.0.2.1", "Bert", None, 0.0).wait_s == 0.0
    assert limits.plan("203.0.113.9", "Anna", "her browser", 0.0).wait_s == 0.0


def test_attempts_are_forgotten_in_time_and_by_the_right_password() -> None:
    limits = LoginLimits()
    plan_until_refused(limits, "203.0.113.9", 0.0)
    assert limits.plan("203.0.113.9", "Z", None, MAX_HELD_S * 2 + FORGET_AFTER_S).wait_s == 0.0
    plan_until_refused(limits, "203.0.113.9", 2000.0)
    limits.forget("203.0.113.9", "", None)
    assert limits.plan("203.0.113.9", "Z", None, 2000.0).wait_s == 0.0


def test_networks() -> None:
    assert find_network("203.0.113.9") == find_network("::ffff:203.0.113.200") == "203.0.113.0/24"
    assert find_network("2001:db8:1:2::3") == find_network("2001:db8:1:ffff::") == "2001:db8:1::/48"
    assert find_network("fe80::1%eth0") == "fe80::/48"
    assert find_network("no address") == "no address"


class Door:
    """A login with a clock of its own, in which waiting costs nothing."""

    def __init__(self, token: str | None = None) -> None:
        self.now = 0.0
        self.audited: list[tuple[str, str, str]] = []
        self.slept: list[float] = []
        sessions = SessionManager(60.0, requires_login=True)
        self.checker = PasswordChecker(token, HASH)
        self.login = Login(sessions, self.checker, self._record, lambda: self.now, self._sleep)

    def _record(self, *entry: str) -> None:
        self.audited.append((entry[0], entry[1], entry[2]))

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def attempt(
        self, secret: str, name: str = "", address: str = "203.0.113.9", browser: str = ""
    ) -> int:
        try:
            await self.login.sign_in(secret, name, address, browser)
        except IntakeError as error:
            return error.status
        return 303


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door("the-token")
    yield door
    door.checker.close()


def test_sixty_guesses_at_once_are_mostly_refused_unchecked(door: Door) -> None:
    async def guess() -> list[int]:
        return list(await asyncio.gather(*(door.attempt(f"wrong {n}") for n in range(60))))

    statuses = asyncio.run(guess())
    assert statuses.count(403) < 10
    assert statuses.count(429) == 60 - statuses.count(403)
    # Meanwhile, from another network, and a moment later from the same one: the right one is taken.
    assert asyncio.run(door.attempt(PASSWORD, address="192.0.2.1")) == 303
    door.now = MAX_WAIT_S
    assert asyncio.run(door.attempt(PASSWORD, "Anna")) == 303
    assert 0 < door.slept[-1] <= MAX_HELD_S


def test_a_flood_of_checks_is_refused_before_it_costs_anything(door: Door) -> None:
    async def flood() -> list[int]:
        guesses = (door.attempt("wrong", f"{n}", f"198.51.{n}.1") for n in range(MAX_CHECKS * 2))
        browser = door.checker.make_browser()
        return list(await asyncio.gather(*guesses, door.attempt(PASSWORD, browser=browser)))

    *guesses, known = asyncio.run(flood())
    assert guesses.count(503) == MAX_CHECKS
    assert known == 303


def test_every_sign_in_is_audited_and_guesses_do_not_fill_the_log(door: Door) -> None:
    async def sign_in_and_out() -> None:
        signed_in = await door.login.sign_in("the-token", " An\x1bna\n", "203.0.113.9", "")
        await door.login.sign_out(signed_in.session_id, "203.0.113.9")
        await door.login.sign_out("never began", "203.0.113.9")

    asyncio.run(sign_in_and_out())
    assert door.audited == [
        ("An na", "signed in", "the page, from 203.0.113.9"),
        ("An na", "signed out", "the page, from 203.0.113.9"),
    ]
    door.audited.clear()
    for _ in range(8):
        door.now += MAX_WAIT_S * 3
        asyncio.run(door.attempt("wrong"))
    assert [what for _, what, _ in door.audited] == [
        "gave a wrong password",
        "gave a wrong password (2 in a row)",
        "gave a wrong password (4 in a row)",
        "gave a wrong password (8 in a row)",
    ]
    assert door.audited[0][2] == "the page, from 203.0.113.0/24"
    door.audited.clear()
    door.now += 100
    for number in range(MAX_AUDITED_FAILURES + 5):
        asyncio.run(door.attempt("wrong", f"{number}", f"198.51.{number}.1"))
    assert len(door.audited) == MAX_AUDITED_FAILURES


def test_people_can_sign_in_while_the_store_is_away(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: str) -> None:
        msg = "the store is away"
        raise StoreError(msg)

    login = Login(SessionManager(60.0, requires_login=True), door.checker, fail)
    assert asyncio.run(login.sign_in("the-token", "Anna", "here", "")).session_id
    assert "audit log: Anna signed in, the page, from here: the store is away" in caplog.text


def test_a_browser_is_known_by_what_we_signed_only(door: Door) -> None:
    browser = door.checker.make_browser()
    assert door.checker.identify_browser(browser) == browser.partition(".")[0]
    other = PasswordChecker("the-token", hash_password(PASSWORD))
    for made_up in ("", ".", "a.b", browser[:-1], "x" + browser, browser.partition(".")[0], "ä.ö"):
        assert door.checker.identify_browser(made_up) is None
    # Another password, or a new hash of the same one: all browsers are strangers again.
    assert other.identify_browser(browser) is None


def sign_in(client: httpx.Client, password: str, name: str, **headers: str) -> httpx.Response:
    page = client.get("/login", headers=PAGE | headers).text
    csrf = page.partition('data-csrf="')[2].partition('"')[0]
    form = {"csrf": csrf, "password": password, "name": name}
    return client.post("/login", data=form, headers=PAGE | headers)


def test_a_session_acts_in_its_own_name_only(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("long-and-random\n")
    with serve_stage(tmp_path, web={"password": HASH, "token_file": "token"}) as (client, stage):
        signed_in = sign_in(client, PASSWORD, "Anna")
        assert "firstcause_browser=" in str(signed_in.headers.get_list("set-cookie"))
        csrf = client.get("/", headers=PAGE).text.partition('data-csrf="')[2].partition('"')[0]
        silence = {"matchers": ["code=A"], "for": "2h", "by": "the boss"}
        mine = client.post("/api/v1/silences", json=silence, headers={"x-csrf-token": csrf}).json()
        assert mine["created_by"] == "Anna"
        client.delete(f"/api/v1/silences/{mine['id']}?by=the+boss", headers={"x-csrf-token": csrf})
        pin = {"by": "the boss"}
        client.post("/api/v1/snapshots/latest/pin", json=pin, headers={"x-csrf-token": csrf})
        # A program with the token says for whom it acts.
        bearer = {"authorization": "Bearer long-and-random"}
        theirs = client.post("/api/v1/silences", json=silence, headers=bearer).json()
        assert theirs["created_by"] == "the boss"
        with stage.app.database.read() as conn:
            from firstcause.store import audit  # noqa: PLC0415

            entries = [(entry["actor"], entry["what"]) for entry in audit.list_entries(conn, 20)]
        assert ("Anna", "signed in") in entries
        assert [actor for actor, _ in entries].count("the boss") == 1


def test_a_forwarded_address_is_believed_of_trusted_proxies_only(tmp_path: Path) -> None:
    for proxies, network in (((), "127.0.0.0/24"), (("127.0.0.0/8",), "203.0.113.0/24")):
        folder = tmp_path / str(len(proxies))
        folder.mkdir()
        with serve_stage(folder, web={"password": HASH, "trusted_proxies": proxies}) as (client, stage):
            forwarded = {"x-forwarded-for": "8.8.8.8, 203.0.113.9"}
            assert sign_in(client, "wrong", "", **forwarded).status_code == 403
            assert network in _list_audit(stage)
            client.cookies.clear()
            page = client.get("/login", headers=PAGE | {"x-forwarded-proto": "https"})
            assert ("Secure" in page.headers["set-cookie"]) == bool(proxies)


def _list_audit(stage: Stage) -> str:
    from firstcause.store import audit  # noqa: PLC0415

    with stage.app.database.read() as conn:
        return str(audit.list_entries(conn, 20))


@pytest.mark.parametrize("wrong", ["*", "proxy.example.org", "10.0.0.1/8", ""])
def test_proxies_are_named_by_network(tmp_path: Path, wrong: str) -> None:
    with pytest.raises((ConfigError, ValueError), match="not a network"):
        Stage(f"sqlite:///{tmp_path}/x.db", tmp_path, web={"trusted_proxies": [wrong]})
