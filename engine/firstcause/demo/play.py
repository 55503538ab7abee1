"""Plays the scenario through the real pipeline, and shows what an operator would see."""

from __future__ import annotations

import contextlib
import json
import logging
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import httpx

from firstcause.app.application import Service
from firstcause.config import Settings
from firstcause.daemon.server import listen, web_server
from firstcause.daemon.supervisor import Daemon
from firstcause.demo import scenario
from firstcause.demo.fake_twilio import FakeTwilio
from firstcause.errors import FirstcauseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE = 30.0


def settings_for(folder: Path, twilio_url: str) -> Settings:
    """The application's .env is what the probe reads; firstcause sends with an account of its own."""
    twilio = {
        "env_file": str(folder / "app.env"),
        "api_url": twilio_url,
        "timeout": 5,
        "interval": 2,
        "sms": {
            "account_sid": scenario.OWN_SID,
            "auth_token": scenario.OWN_TOKEN,
            "from_number": scenario.OWN_NUMBER,
            "to": [scenario.ON_CALL],
        },
    }
    return Settings.model_validate(
        {
            "store": {"url": f"sqlite:///{folder / 'demo.db'}"},
            "notify": {
                "group_wait": 3,
                "routes": [{"name": "on call", "notifiers": ["twilio-sms", "console"]}],
            },
            "health": {"interval": 2, "env_file": str(folder / "app.env")},
            "web": {"port": 0},
            "plugins": {"twilio": twilio},
        }
    )


def play(*, once: bool, as_json: bool) -> None:
    """The demo. Errors with one line where a step does not come about."""
    logging.basicConfig(level=logging.CRITICAL)
    started = time.monotonic()
    say = (lambda *_args, **_kinds: None) if as_json else click.secho
    with tempfile.TemporaryDirectory(prefix="firstcause-demo-") as name, FakeTwilio() as twilio:
        folder = Path(name)
        (folder / "app.env").write_text(scenario.env_file(whole=True), encoding="utf-8")
        twilio.add_account(scenario.APP_SID, scenario.APP_TOKEN, [scenario.APP_NUMBER])
        twilio.add_account(scenario.OWN_SID, scenario.OWN_TOKEN, [scenario.OWN_NUMBER])
        with _running(settings_for(folder, twilio.url)) as (daemon, url):
            say(f"firstcause listens on {url}; a Twilio of its own on {twilio.url}\n", dim=True)
            _scenario(daemon, url, twilio, folder, say)
            seconds = round(time.monotonic() - started, 1)
            if as_json:
                sms = [{"to": each.to, "from": each.from_, "body": each.body} for each in twilio.messages]
                found = daemon.incidents(None, 50)
                click.echo(json.dumps({"incidents": found, "sms": sms, "seconds": seconds}, indent=2))
            else:
                say(f"\n{seconds} s, one cause, {len(twilio.messages)} messages.", bold=True)
            if not once:
                _go_on(url)


def _scenario(daemon: Daemon, url: str, twilio: FakeTwilio, folder: Path, say: Callable[..., None]) -> None:
    _until(lambda: daemon.health()["status"] == "UP", "the first health check")
    say("1. All is well. Now a deployment loses the application's Twilio credentials.", bold=True)
    (folder / "app.env").write_text(scenario.env_file(whole=False), encoding="utf-8")
    storm = scenario.storm()
    for part in (storm[:3], storm[3:5], storm[5:]):
        answer = httpx.post(f"{url}/api/v1/events", json=part, timeout=10)
        answer.raise_for_status()
        say(f"   {answer.json()['accepted']:>3} errors reported, first {part[0]['code']}")
        time.sleep(0.3)
    say("2. The phone rings once:", bold=True)
    _until(lambda: len(twilio.messages) >= 1, "the first SMS")
    say(f"   SMS  {twilio.messages[0].body}\n", fg="red")
    number = daemon.incidents("open", 1)[0]["id"]
    say(daemon.debug_as(number, "text"))
    say("3. The credentials are put back.", bold=True)
    (folder / "app.env").write_text(scenario.env_file(whole=True), encoding="utf-8")
    _until(lambda: daemon.incident(number)["status"] == "resolved", "the recovery")
    _until(lambda: len(twilio.messages) >= 2, "the second SMS")  # noqa: PLR2004 - one before, one after
    say(f"   SMS  {twilio.messages[1].body}", fg="green")
    # Nothing more may follow; a third message would be a bug that the demo must show.
    time.sleep(1)


def _until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            msg = f"the demo waited {_PATIENCE:g} s in vain for {what}; please report this"
            raise FirstcauseError(msg)
        time.sleep(0.05)


@contextlib.contextmanager
def _running(settings: Settings) -> Iterator[tuple[Daemon, str]]:
    """The daemon and its web server, on a free port of loopback."""
    service = Service(settings)
    daemon = Daemon(service)
    server = web_server(daemon)
    with listen(settings.web.host, settings.web.port) as bound:
        daemon.start()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        try:
            yield daemon, f"http://{settings.web.host}:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
            daemon.stop()
            service.close()


def _go_on(url: str) -> None:
    click.secho(
        f"\nThe daemon goes on at {url} with this store; Ctrl-C ends it. Try, in another terminal:", bold=True
    )
    click.echo(f"  curl {url}/api/v1/incidents")
    click.echo(f'  curl -d \'{{"code": "REDIS_CONNECTION_ERROR"}}\' {url}/api/v1/events')
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
