"""What people change at the console, by keyboard alone: release from quarantine, giving up, a stuck delivery; and who may not."""

import os
import signal

import pytest
from tests.e2e.browser import needs_chromium, signed_in
from tests.e2e.console_site import SECRETS, about
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient

pytestmark = needs_chromium


@pytest.fixture
def held(tmp_path):
    """A served site with three messages of somebody nobody declared."""
    recipient = Recipient()
    site = Site.make(tmp_path / "s", console=True)
    site.activate(bundle({"ehr": recipient.address}))
    site.start()
    try:
        with Client(site.port()) as client:
            for n in range(3):
                assert client.send(about(f"H{n}", sender="NEW1", value=f"5{n}.25")) == "AA"
        yield site, recipient
    finally:
        site.stop()
        recipient.close()


def tick(console, times: int) -> None:
    """Go to the first box and tick, then to the next ones."""
    for _ in range(times):
        while not console.page.evaluate(
            "() => { const e = document.activeElement; return e.type === 'checkbox' && !e.checked && !('tickAll' in e.dataset) }"
        ):
            console.press("Tab")
        console.press("Space")


def test_held_messages_are_released_by_keyboard_in_the_persons_name(held, chromium, axe):
    site, recipient = held
    site.add(local("new-1", "NEW1"))
    with signed_in(chromium, site) as console:
        console.press("g", "q")
        console.page.wait_for_url("**/quarantine")
        assert "3 messages held" in console.page.inner_text("h1")
        tick(console, 2)
        console.tab_to("Why")
        console.page.keyboard.type("the device was declared")
        console.press("Enter")
        console.page.wait_for_url("**/quarantine/releases/*")
        console.page.wait_for_selector("text=2 released, 0 still held")
        assert [s for s in SECRETS if s in console.page.content()] == []
        assert console.violations(axe) == []
    site.wait(lambda: len(recipient.kept) == 2)
    released = site.records("message.released")
    assert {r["body"]["by"] for r in released} == {"Dana"}
    assert {r["body"]["reason"] for r in released} == {"the device was declared"}
    [opened] = site.records("keeper.opened")
    assert (opened["body"]["person"], opened["body"]["process"].split()[0]) == ("Dana", "gateway")
    [ordered] = site.records("release.ordered")
    assert len(ordered["body"]["messages"]) == 2
    assert site.cli("ledger", "verify")["ok"]


def test_what_the_path_holds_again_stays_held_and_says_why(held, chromium):
    site, recipient = held
    with signed_in(chromium, site) as console:
        console.open("/quarantine?reason=device.unknown")
        console.tab_to("Why")
        console.page.keyboard.type("to see")
        console.tab_to("Release all 3 held for device.unknown")
        console.press("Enter")
        console.page.wait_for_url("**/quarantine/releases/*")
        console.page.wait_for_selector("text=0 released, 3 still held")
        assert "nobody has declared this sender" in console.page.inner_text("main")
    assert recipient.kept == []


@pytest.mark.long  # what is held again, and why, is shown above
def test_a_liar_that_was_unknown_is_listed_as_a_liar_once_its_release_showed_it(held, chromium):
    """Nobody was declared when it came; now its address is that of a device that may not call itself so."""
    site, recipient = held
    site.add(local("mon-9", "MON9"))
    with signed_in(chromium, site) as console:
        console.open("/quarantine?reason=device.unknown")
        console.page.fill("#why", "to see")
        console.page.click("text=Release all 3 held for device.unknown")
        console.page.wait_for_selector("text=0 released, 3 still held")
        assert "device.identity-mismatch" in console.page.inner_text("main")
        console.open("/quarantine?reason=device.unknown")
        assert console.page.inner_text("h1 .count") == "3 messages held"
        assert console.page.query_selector("tbody") is None
        console.open("/quarantine?reason=device.identity-mismatch")
        assert len(console.page.query_selector_all("tbody tr")) == 3
        console.open("/devices/unknown")
        assert "device.unknown" not in console.page.inner_text("main")
        assert "device.identity-mismatch" in console.page.inner_text("main")
    assert set(site.rows("SELECT reason FROM message")) == {("device.identity-mismatch",)}
    again = [r["body"] for r in site.records("message.quarantined") if "was" in r["body"]]
    assert [(b["was"], b["reason"], b["by"]) for b in again] == [
        ("device.unknown", "device.identity-mismatch", "Dana")
    ] * 3
    assert recipient.kept == []
    command = ("quarantine", "release", "--all-with-reason", "device.identity-mismatch", "--why", "again")
    assert not [one for one in site.cli(*command, check=False)["released"] if one["released"]]
    assert len([r for r in site.records("message.quarantined") if "was" in r["body"]]) == 3, (
        "nothing new to say"
    )
    assert site.cli("ledger", "verify")["ok"]


def test_giving_up_is_asked_twice_and_done_in_the_persons_name(held, chromium, axe):
    site, _ = held
    with signed_in(chromium, site) as console:
        console.press("g", "q")
        console.page.wait_for_url("**/quarantine")
        tick(console, 1)
        console.tab_to("Why")
        console.page.keyboard.type("a test device")
        console.tab_to("Give up ticked")
        console.press("Enter")
        console.page.wait_for_selector("text=This cannot be undone")
        assert site.records("message.discarded") == [], "only asked so far"
        assert console.violations(axe) == []
        console.tab_to("I know")
        console.press("Space")
        console.tab_to("Give up 1 message")
        console.press("Enter")
        console.page.wait_for_url("**/quarantine")
        assert "2 messages held" in console.page.inner_text("h1")
    [record] = site.records("message.discarded")
    assert (record["body"]["by"], record["body"]["reason"]) == ("Dana", "a test device")


@pytest.mark.long  # an order that comes through is shown above
def test_without_a_gateway_an_order_waits_and_nothing_is_released(held, chromium, axe):
    site, recipient = held
    gateway = site.status("gateway")["pid"]
    os.kill(gateway, signal.SIGSTOP)  # it lives and takes nothing
    try:
        with signed_in(chromium, site) as console:
            console.open("/quarantine?reason=device.unknown")
            console.page.fill("#why", "to see")
            console.page.click("text=Release all 3 held")
            console.page.wait_for_url("**/quarantine/releases/*")
            assert "on its way" in console.page.inner_text("h1")
            assert console.violations(axe) == []
            os.kill(gateway, signal.SIGCONT)
            console.page.wait_for_selector("text=0 released, 3 still held")  # the page loads itself anew
    finally:
        os.kill(gateway, signal.SIGCONT)
    assert recipient.kept == []


def test_a_session_to_look_only_can_change_nothing(held, chromium):
    site, _ = held
    with signed_in(chromium, site, look=True, forgiven=("403",)) as console:
        console.open("/quarantine")
        assert console.page.query_selector("button.grave") is None
        [message] = [m for (m,) in site.rows("SELECT message FROM quarantine ORDER BY message LIMIT 1")]
        for path in ("/quarantine/release", "/quarantine/discard"):
            status = console.page.evaluate(
                """async ([path, message]) => {
                    const token = document.querySelector("input[name=token]").value;
                    const body = new URLSearchParams({token, message, reason: "try", sure: "yes"});
                    return (await fetch(path, {method: "POST", body})).status;
                }""",
                [path, message],
            )
            assert status == 403, path
    assert site.records("message.discarded") == site.records("release.ordered") == []


def test_an_adoption_that_is_refused_keeps_what_was_said(held, chromium):
    site, _ = held
    with signed_in(chromium, site, forgiven=("status of 422",)) as console:
        console.open("/devices/unknown")
        page = console.page
        page.get_by_role("link", name="Adopt").first.click()
        page.fill("[name=id]", "new-1")
        page.fill("[name=kind]", "monitor")
        page.check("[name=types][value='ORU^R01']")
        page.fill("[name=reason]", "on the ward since today")
        page.get_by_role("button", name="Adopt").click()
        page.wait_for_selector("text=Not adopted")
        assert page.is_checked("[name=types][value='ORU^R01']")
        assert page.input_value("[name=reason]") == "on the ward since today"
        page.check("[name=pin]")
        page.get_by_role("button", name="Adopt").click()
        page.wait_for_url("**/devices/new-1?adopted=yes")
