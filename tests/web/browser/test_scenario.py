"""The seed's scenario, watched from quiet to incident to fixed, by somebody who never reloads the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from firstcause.demo import scenario
from support.firstcause_process import run_cli, wait_until
from web.browser.conftest import Scene, playing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page, Route


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with playing(tmp_path_factory.mktemp("scene")) as made:
        yield made


def test_watched_live_from_quiet_to_incident_to_fixed(scene: Scene, page: Page) -> None:
    page.goto(scene.url)
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.get_by_role("heading", level=1)).to_have_text("Yes. All is well.")
    scene.deploy(whole=False)
    scene.report(*scenario.build_storm())
    incident = page.get_by_role("link", name="Twilio API connection failed").first
    expect(incident).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("1 cause.")
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page.locator("[data-row]")).to_contain_text("TWILIO_ACCOUNT_SID is not set")
    expect(page.locator("[data-row]")).to_contain_text("3 of 3 companies")
    wait_until(lambda: scene.twilio.messages, "the one SMS")
    # From the first screen one click to the cause and the fix.
    incident.click()
    expect(page.get_by_role("heading", name="Root cause")).to_be_in_viewport()
    expect(page.get_by_role("heading", name="How to fix it")).to_be_in_viewport()
    expect(page.locator(".cause-card")).to_contain_text("TWILIO_ACCOUNT_SID is not set")
    expect(page.locator(".steps")).to_contain_text("compare TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
    test = page.get_by_role("button", name="Test twilio connection now")
    test.click()
    expect(page.locator(".test-result")).to_contain_text("DOWN in")
    _acted_on(page)
    scene.deploy(whole=True)
    expect(page.locator(".head")).to_contain_text("resolved")
    test.click()
    expect(page.locator(".test-result")).to_contain_text("UP in")
    page.get_by_role("link", name="Now", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Yes. All is well.")


def test_a_page_whose_scripts_arrive_late_is_live_all_the_same(scene: Scene, page: Page) -> None:
    held_back: list[Route] = []

    def hold_back(route: Route) -> None:
        held_back.append(route)

    page.route(re.compile("hx-sse|app[.]js"), hold_back)
    page.goto(scene.url, wait_until="commit")
    began = "document.readyState !== 'loading' && typeof htmx === 'object'"
    wait_until(lambda: page.evaluate(began) and len(held_back) == 2, "htmx, without the scripts behind it")
    page.evaluate("new Promise(resolve => setTimeout(resolve))")
    for route in held_back:
        route.continue_()
    expect(page.locator("#live")).to_have_text("Live")


def _acted_on(page: Page) -> None:
    """Steps that were ticked stay so; an acknowledgement is asked once."""
    first = page.locator(".steps input").first
    first.check()
    page.reload()
    expect(first).to_be_checked()
    page.get_by_role("link", name="Acknowledge").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Your name").fill("Anna")
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".head")).to_contain_text("Acknowledged by Anna")


def test_copy_debug_info_is_what_the_command_prints(scene: Scene, page: Page) -> None:
    page.goto(f"{scene.url}/incidents/1")

    def same() -> bool:
        # Errors that come late are still counted, so both are asked again where they differ.
        page.get_by_role("button", name="Copy Debug Info").click()
        expect(page.locator("#toast")).to_have_text("Copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith("CRITICAL  P0  Twilio API connection failed\n")
        return bool(copied == run_cli("debug", "1", folder=scene.folder).stdout)

    wait_until(same, "the report to be the same twice")


def test_every_rule_is_a_link_to_its_file_and_line(scene: Scene, page: Page) -> None:
    page.goto(f"{scene.url}/incidents/1")
    link = page.locator(".cause-card .place")
    rule, place = str(link.inner_text()).split()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(place.partition(":")[0])
    expect(page.locator(".marked")).to_be_in_viewport()
    expect(page.locator(".marked")).to_contain_text(f"id: {rule}")


def test_the_drawing_says_in_words_what_it_shows(scene: Scene, page: Page) -> None:
    page.goto(f"{scene.url}/incidents/1")
    expect(page.locator(".graph .root .name")).to_have_text("twilio")
    page.get_by_text("Show as a list").click()
    expect(page.locator("#graph-list")).to_contain_text("twilio: root")


def test_send_a_test_rings_the_phone(scene: Scene, page: Page) -> None:
    sent = len(scene.twilio.messages)
    page.goto(f"{scene.url}/settings")
    page.get_by_role("link", name="Send a test").click()
    page.get_by_role("dialog").get_by_role("button", name="Send it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delivered")
    assert "DRILL" in scene.twilio.messages[sent].body.upper()
    page.goto(f"{scene.url}/settings")
    expect(page.locator("section", has=page.locator("#audit"))).to_contain_text("sent a drill")
    expect(page.locator("section", has=page.locator("#audit"))).to_contain_text("Anna")
