"""Every view as people meet it: on a phone, in the dark, by keyboard alone, and with what attackers write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from support.firstcause_process import wait_until
from support.http_server import serve_stage
from support.npm_packages import install_packages
from support.scenario_app import NO_STORMS
from web.browser.conftest import Toolbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from playwright.sync_api import Browser, BrowserContext, Page

VIEWS = (
    "/",
    "/incidents",
    "/incidents/TWILIO",
    "/incidents/TWILIO/ack",
    "/incidents/TWILIO/silence",
    "/companies/acme",
    "/health",
    "/trends?range=1h&metric=redis.latency_ms",
    "/snapshots",
    "/snapshots?before=1&after=latest",
    "/snapshots/1",
    "/catalog",
    "/catalog/TWILIO_API_FAILURE",
    "/rules",
    "/rules/file?name=rules/policy/causes.yaml&line=12",
    "/settings",
    "/docs",
    "/remedies/refresh-redis-cache",
    "/nothing-here",
)

EVIL = "<script>document.title='owned'</script> \x1b[31mred\x1b[0m \u202egnp.exe <img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def toolbox() -> Toolbox:
    return Toolbox()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, toolbox: Toolbox) -> Iterator[httpx.Client]:
    """A store with a known incident, an unknown one, and a snapshot."""
    with serve_stage(tmp_path_factory.mktemp("views"), toolbox, health={"interval": 1}, rules=NO_STORMS) as (
        client,
        _stage,
    ):
        events = [
            {
                "code": "TWILIO_API_FAILURE",
                "message": EVIL,
                "details": {EVIL: EVIL},
                "stack": f"{EVIL}\n  at x",
            },
            {"code": "SMS_DELIVERY_FAILURE", "tenant": "acme", "service": "clients-via"},
            {"message": EVIL, "tenant": EVIL[:150], "service": "<b>bold</b>"},
        ]
        client.post("/api/v1/events", json=events).raise_for_status()
        wait_until(lambda: len(opened(client)) == 3, "the incidents")
        wait_until(lambda: client.get("/api/v1/health").json()["snapshot_id"], "a snapshot")
        yield client


def opened(client: httpx.Client) -> dict[str, str]:
    """The numbers of the open incidents by their codes."""
    listed = client.get("/api/v1/incidents?status=open").json()["incidents"]
    return {each["root"]["code"]: each["id"] for each in listed}


def url(served: httpx.Client, path: str) -> str:
    """TWILIO stands for the number of that incident."""
    if "TWILIO/" in f"{path}/":
        path = path.replace("TWILIO", opened(served)["TWILIO_API_FAILURE"], 1)
    return f"{str(served.base_url).rstrip('/')}{path}"


def test_what_attackers_write_is_shown_and_does_nothing(served: httpx.Client, page: Page) -> None:
    for path in ("/", "/incidents/TWILIO", "/companies/acme", "/trends?range=1h", "/catalog"):
        page.goto(url(served, path))
        expect(page.locator("main h1")).to_be_visible()
        assert "owned" not in page.title()
        assert page.locator("main script, main img").count() == 0
        text = page.locator("body").inner_text()
        assert not {"\x1b", "\u202e"} & set(text), path
    page.goto(url(served, "/incidents/TWILIO"))
    expect(page.locator(".quote")).to_contain_text("<script>document.title='owned'</script> ⟨ESC⟩[31mred")
    expect(page.locator(".quote")).to_contain_text("⟨U+202E⟩gnp.exe")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_is_wider_than_a_phone_and_none_complains(
    served: httpx.Client, browser: Browser, scheme: str
) -> None:
    made = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)  # type: ignore[arg-type]
    tab = made.new_page()
    complaints: list[str] = []
    tab.on(
        "console", lambda said: complaints.append(f"{tab.url} {said.text}") if said.type == "error" else None
    )
    tab.on("pageerror", lambda error: complaints.append(f"{tab.url} {error}"))
    grounds = set()
    for path in VIEWS:
        tab.goto(url(served, path))
        expect(tab.locator("main")).to_be_visible()
        widths = tab.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert widths[0] <= widths[1], (path, widths)
        grounds.add(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    made.close()
    assert grounds == {{"light": "rgb(246, 247, 249)", "dark": "rgb(15, 19, 24)"}[scheme]}
    assert [each for each in complaints if "404" not in each] == []


def test_by_keyboard_alone(served: httpx.Client, page: Page) -> None:
    page.goto(url(served, "/"))
    expect(page.locator("[data-row]")).to_have_count(3)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.locator("[data-row] h2 a").nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("[data-row] h2 a").nth(1)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Root cause")).to_be_visible()
    page.keyboard.press("c")
    expect(page.locator("#toast")).to_have_text("Copied")
    page.keyboard.press("a")
    expect(page.get_by_role("dialog")).to_be_visible()
    # The page is live: something is swapped in just as the dialog closes.
    opened_again = page.evaluate(
        """() => {
            const dialog = document.querySelector("#dialog");
            dialog.close();
            document.dispatchEvent(new Event("htmx:after:swap"));
            return dialog.open;
        }"""
    )
    assert not opened_again
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("a")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("u")
    expect(page.locator("[data-row]")).to_have_count(3)


def test_each_probe_is_tested_by_one_click(served: httpx.Client, page: Page) -> None:
    page.goto(url(served, "/health"))
    for name, button, says in (
        ("twilio", "Test twilio connection now", "UP in"),
        ("redis", "Test redis connection now", "answers slowly (REDIS_SLOW)"),
        ("companies", "Re-scan companies", "212"),
    ):
        card = page.locator(f"#probe-{name}")
        card.get_by_role("button", name=button).click()
        expect(card.locator(".test-result")).to_contain_text(says)
        expect(card.locator(".test-result")).to_contain_text(" ms")


def test_a_remedy_says_what_it_does_and_runs_only_then(
    served: httpx.Client, page: Page, toolbox: Toolbox
) -> None:
    page.goto(url(served, "/health"))
    page.get_by_role("link", name="refresh-redis-cache").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("DEL cache:*")
    dialog.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert toolbox.flushed == 0
    page.get_by_role("link", name="refresh-redis-cache").click()
    page.get_by_role("dialog").get_by_role("button", name="Run it").click()
    expect(page.locator("main")).to_contain_text("the cache is fresh")
    assert toolbox.flushed == 1
    page.goto(url(served, "/settings"))
    expect(page.locator("section", has=page.locator("#audit"))).to_contain_text("remedy refresh-redis-cache")


def test_snapshots_side_by_side_and_pinned(served: httpx.Client, page: Page) -> None:
    page.goto(url(served, "/snapshots"))
    # The newest but one: old ones leave the page, as there is another each second.
    before = page.get_by_role("radio", name=re.compile("^Before: snapshot")).nth(1)
    number = before.get_attribute("value")
    row = page.locator(f"#snapshot-{number}")
    before.check()
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#difference")).to_contain_text(f"from {number} to")
    row.get_by_role("link", name="Pin as good").click()
    page.get_by_role("dialog").get_by_role("button", name="Pin it").click()
    expect(row).to_contain_text("pinned by")
    page.get_by_role("link", name="Unpin").click()
    page.get_by_role("dialog").get_by_role("button", name="Unpin").click()
    expect(row).not_to_contain_text("pinned by")


def test_the_catalog_is_searched_as_one_types(served: httpx.Client, page: Page) -> None:
    page.goto(url(served, "/catalog"))
    page.keyboard.press("/")
    page.keyboard.type("twilio api")
    expect(page.locator("#results")).to_contain_text("TWILIO_API_FAILURE")
    expect(page.locator("#results")).not_to_contain_text("REDIS_SLOW")


def test_charts_are_drawn(served: httpx.Client, page: Page) -> None:
    page.goto(url(served, "/trends?range=1h"))
    expect(page.locator("[data-chart] canvas")).to_have_count(2)


def test_without_scripts_everything_can_still_be_done(served: httpx.Client, browser: Browser) -> None:
    made = browser.new_context(java_script_enabled=False)
    tab = made.new_page()
    tab.goto(url(served, "/incidents/TWILIO"))
    tab.get_by_role("link", name="Silence").click()
    tab.get_by_role("button", name="Silence").click()
    expect(tab.locator("main h1")).to_be_visible()
    tab.goto(url(served, "/settings"))
    tab.get_by_role("link", name="End it").click()
    tab.get_by_role("button", name="End it").click()
    expect(tab.get_by_text("Nothing is silenced.")).to_be_visible()
    tab.goto(url(served, "/health"))
    tab.get_by_role("button", name="Re-scan companies").click()
    expect(tab.locator("main")).to_contain_text("212")
    made.close()


@pytest.fixture(scope="module")
def axe() -> Iterator[Path]:
    with install_packages("axe-core@4.14.1") as modules:
        yield modules / "axe-core" / "axe.min.js"


@pytest.mark.parametrize(("scheme", "rules"), [("light", ""), ("dark", "runOnly: ['color-contrast']")])
def test_no_serious_finding_of_axe_on_any_view(
    served: httpx.Client, browser: Browser, axe: Path, scheme: str, rules: str
) -> None:
    made = browser.new_context(bypass_csp=True, color_scheme=scheme)  # type: ignore[arg-type]
    tab = made.new_page()
    serious = []
    for path in VIEWS:
        tab.goto(url(served, path))
        expect(tab.locator("main")).to_be_visible()
        tab.add_script_tag(path=axe)
        found = tab.evaluate(f"axe.run(document, {{resultTypes: ['violations'], {rules}}})")
        serious += [
            (path, each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"])
            for each in found["violations"]
            if each["impact"] in {"serious", "critical"}
        ]
    made.close()
    assert serious == []


def test_a_locked_door_opens_by_password(tmp_path: Path, context: BrowserContext, page: Page) -> None:
    from firstcause.web.sessions import hash_password  # noqa: PLC0415

    lock = {"password": hash_password("four words will do")}
    with serve_stage(tmp_path, web=lock) as (client, _stage):
        page.goto(url(client, "/settings"))
        page.get_by_label("Your name").fill("Anna")
        page.get_by_label("Password").fill("four words will do")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
        (cookie,) = [each for each in context.cookies() if each["name"] == "firstcause"]
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Strict", False)
        page.get_by_role("button", name="Sign out Anna").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
