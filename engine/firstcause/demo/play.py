"""Play the demo scenario through the real pipeline and show what an operator would see."""

from __future__ import annotations

import contextlib
import json
import logging
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import httpx

from firstcause.app.application import Application
from firstcause.config import Settings
from firstcause.daemon.server import create_web_server, open_listening_socket
from firstcause.daemon.supervisor import Daemon
from firstcause.demo import scenario
from firstcause.demo.fake_twilio import FakeTwilio
from firstcause.errors import FirstcauseError
from firstcause.resources import shipped_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STEP_TIMEOUT_S = 60.0


def settings_for(folder: Path, twilio_url: str) -> Settings:
    """The application's .env is what the probe reads; firstcause sends with an account of its own."""
    twilio = {
        "env_file": str(folder / "app.env"),
        "api_url": twilio_url,
        "timeout": 5,
        "interval": 1,
        "sms": {
            "account_sid": scenario.OWN_SID,
            "auth_token": scenario.OWN_TOKEN,
            "from_number": scenario.OWN_NUMBER,
            "to": [scenario.ON_CALL],
        },
    }
    settings = Settings.model_validate(
        {
            "notify": {
                "group_wait": 3,
                "routes": [{"name": "on call", "notifiers": ["twilio-sms", "console"]}],
            },
            "rules": {"paths": ["shipped", str(shipped_path("rules") / "sites" / "ai-receptionist")]},
            "health": {"interval": 2, "env_file": str(folder / "app.env")},
            "web": {"port": 0},
            "plugins": {"twilio": twilio},
        }
    )
    # Also where the environment names a store: the demo's errors do not belong there.
    url = f"sqlite:///{folder / 'demo.db'}"
    return settings.model_copy(update={"store": settings.store.model_copy(update={"url": url})})


def play_demo(*, once: bool, as_json: bool) -> None:
    """Play the demo. Fail with one line if a step does not happen in time."""
    logging.basicConfig(level=logging.CRITICAL)
    started = time.monotonic()
    echo = (lambda *_args, **_kinds: None) if as_json else click.secho
    with tempfile.TemporaryDirectory(prefix="firstcause-demo-") as name, FakeTwilio() as twilio:
        folder = Path(name)
        (folder / "app.env").write_text(scenario.env_file(has_credentials=True), encoding="utf-8")
        twilio.add_account(scenario.APP_SID, scenario.APP_TOKEN, [scenario.APP_NUMBER])
        twilio.add_account(scenario.OWN_SID, scenario.OWN_TOKEN, [scenario.OWN_NUMBER])
        with _run_daemon(settings_for(folder, twilio.url)) as (app, url):
            echo(f"firstcause listens on {url}, a simulated Twilio on {twilio.url}\n", dim=True)
            _play_scenario(app, url, twilio, folder, echo)
            seconds = round(time.monotonic() - started, 1)
            if as_json:
                sms = [
                    {"to": message.to, "from": message.from_, "body": message.body}
                    for message in twilio.messages
                ]
                incidents = app.incidents.list_incidents(None, 50)
                click.echo(json.dumps({"incidents": incidents, "sms": sms, "seconds": seconds}, indent=2))
            else:
                echo(f"\n{seconds} s, one cause, {len(twilio.messages)} messages.", bold=True)
            if not once:
                _keep_running(url)


def _play_scenario(
    app: Application, url: str, twilio: FakeTwilio, folder: Path, echo: Callable[..., None]
) -> None:
    _wait_until(lambda: app.health.get_health()["status"] == "UP", "the first health check")
    echo("1. All is well. A deployment loses the application's Twilio credentials.", bold=True)
    storm = scenario.build_storm()
    for part in (storm[:3], storm[3:5], storm[5:]):
        response = httpx.post(f"{url}/api/v1/events", json=part, timeout=10)
        response.raise_for_status()
        echo(f"   {response.json()['accepted']:>3} errors reported, first {part[0]['code']}")
        time.sleep(0.3)
    # The probe reads this file. Written last, so that the cause is always found after its effects.
    (folder / "app.env").write_text(scenario.env_file(has_credentials=False), encoding="utf-8")
    echo("2. The phone rings once:", bold=True)
    _wait_until(lambda: len(twilio.messages) >= 1, "the first SMS")
    echo(f"   SMS  {twilio.messages[0].body}\n", fg="red")
    incident_id = app.incidents.list_incidents("open", 1)[0]["id"]
    echo(app.incidents.render_debug_report(incident_id, "text", datetime.now(UTC)))
    echo("3. The credentials are put back.", bold=True)
    (folder / "app.env").write_text(scenario.env_file(has_credentials=True), encoding="utf-8")
    _wait_until(lambda: app.incidents.get_incident(incident_id)["status"] == "resolved", "the recovery")
    _wait_until(lambda: len(twilio.messages) >= 2, "the second SMS")  # noqa: PLR2004 - one before, one after
    echo(f"   SMS  {twilio.messages[1].body}", fg="green")
    # Nothing more may follow: a third message would be a bug, and the demo must show it.
    time.sleep(1)


def _wait_until(condition: Callable[[], bool], description: str) -> None:
    deadline = time.monotonic() + _STEP_TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            msg = f"the demo waited {_STEP_TIMEOUT_S:g} s for {description}; please report this"
            raise FirstcauseError(msg)
        time.sleep(0.05)


@contextlib.contextmanager
def _run_daemon(settings: Settings) -> Iterator[tuple[Application, str]]:
    """The daemon and its web server, on a free port of loopback."""
    app = Application(settings)
    daemon = Daemon(app)
    server = create_web_server(app)
    with open_listening_socket(settings.web.host, settings.web.port) as listening_socket:
        daemon.start()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening_socket]}, daemon=True)
        thread.start()
        try:
            yield app, f"http://{settings.web.host}:{listening_socket.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
            daemon.stop()
            app.close()


def _keep_running(url: str) -> None:
    click.secho(
        f"\nThe daemon keeps running at {url}; stop it with Ctrl-C. Try in another terminal:",
        bold=True,
    )
    click.echo(f"  curl {url}/api/v1/incidents")
    click.echo(f'  curl -d \'{{"code": "REDIS_CONNECTION_ERROR"}}\' {url}/api/v1/events')
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
