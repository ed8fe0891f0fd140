"""``oathward demo`` as anyone runs it: a whole site, counted from outside, and nothing left behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oathward_sim.browser import Browser

IN_ALL_S_MAX = 50 - 20
"""Beside its traffic; on a busy machine too."""

PROMISES = {
    "what a patient permits arrives",
    "the patient sees each of their devices",
    "guessing codes is shut",
    "a merge by a pump changes nothing",
    "a merge by a department changes nothing",
    "merges by who may not say so are on record, each with its reason",
    "what a patient withholds of a kind stays, and the rest arrives",
    "a clinician in an emergency gets through",
    "a letter tells the patient of the broken glass",
    "the patient reads of the clinician",
    "the patient reads of the clerk",
    "a clerk's opening waits for a reviewer",
    "a broken glass waits for a reviewer",
}


def start(folder, *options):
    return subprocess.Popen(
        [sys.executable, "-m", "oathward.cli", "demo", *options],
        env=os.environ | {"TMPDIR": str(folder)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def processes_of(folder):
    """Name every process whose command line speaks of this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if str(folder).encode() in words:
            found.append(int(entry.name))
    return found


def gone(folder):
    """Wait until nothing of a demo is left but perhaps its folder."""
    end = time.monotonic() + 20
    while processes_of(folder) and time.monotonic() < end:
        time.sleep(0.1)
    return not processes_of(folder)


@pytest.mark.alone
def test_a_short_demo_loses_doubles_and_leaks_nothing_and_leaves_nothing(tmp_path):
    begun = time.monotonic()
    out, err = (demo := start(tmp_path, "--for", "3", "--json")).communicate(timeout=110)
    seconds = time.monotonic() - begun
    assert demo.returncode == 0, err[-2000:] + out[-2000:]
    said = json.loads(out)
    assert (said["lost"], said["duplicated"], said["disordered"], said["leaked"], said["findings"]) == (
        0,
        0,
        0,
        0,
        [],
    )
    assert sorted(one["path"] for one in said["withdrawals"]) == ["desk", "fhir", "portal"]
    for withdrawal in said["withdrawals"]:
        assert withdrawal["effect_s"] <= withdrawal["effect_s_max"] <= 2.0
        assert withdrawal["stopped"] > 0, "the traffic went on after it"
    promised = {one["what"]: one["kept"] for one in said["promises"]}
    late = promised.pop("a proxy past the end writes nothing")
    assert promised == dict.fromkeys(PROMISES, True)
    assert late is not False, "None: the machine was so slow that no page was open in time"
    assert {one["who"] for one in said["deeds"]} >= {
        *("newcomer", "gives", "hub", "pump", "department", "clinician", "clerk")
    }
    assert said["reviews"]["of_the_clerk"] == said["reviews"]["glasses"] == 1
    assert said["ok"] is said["ledger"]["ok"] is True
    assert said["sent"] == said["accepted"] > 100
    assert said["held"] > 0
    assert said["connections_turned_away"] > 0
    assert set(said["delivered"]) == {"ehr", "home-care", "vendor-cloud", "research-registry"}
    assert all(said["delivered"][r] >= said["due"][r] > 0 for r in said["due"])
    assert said["ledger"]["witnessed_size"] > 0
    assert seconds < said["traffic_s"] + IN_ALL_S_MAX
    assert list(tmp_path.iterdir()) == []
    assert gone(tmp_path)


@pytest.mark.long  # the count of what is lost is tried in tests/unit/oathward_sim/test_home.py
@pytest.mark.alone
def test_a_delivery_dropped_on_purpose_is_reported_as_one_lost(tmp_path):
    out, err = (demo := start(tmp_path, "--for", "2", "--drop-one", "--json")).communicate(timeout=110)
    assert demo.returncode == 1, err[-2000:]
    said = json.loads(out)
    assert (said["lost"], said["duplicated"], said["leaked"]) == (1, 0, 0)
    assert (said["ok"], said["dropped_on_purpose"]) == (False, 1)
    assert [f["kind"] for f in said["findings"]] == ["lost"]


async def says_no(link, said):
    """Be the newcomer, by what the demo prints: follow the link, type the code, say no to research; gives the answer."""
    browser = Browser(link.partition("/enrol")[0])
    await browser.press((await browser.open(link)).form("/enrol"))
    code = said("your code: ").rpartition(" ")[2].strip()
    home = await browser.press(browser.shown.form("/sign-in/code"), code=code)
    assert home.address.endswith("/"), home.text
    choices = await browser.open("/choices")
    choice = await browser.open(choices.link("research-registry"))
    form = choice.form("/choices/")
    [no] = [button for button in form.buttons if button.value == "not-allowed"]
    return await browser.press(form, no)


def test_a_newcomer_is_the_patient_says_no_and_ctrl_c_ends_it_cleanly(tmp_path):
    demo = start(tmp_path)
    try:
        link = read_until(demo, "/enrol?key=").strip()
        read_until(demo, "accepted")
        assert asyncio.run(says_no(link, lambda words: read_until(demo, words))).status == 200
        assert "You said no to research-registry" in read_until(demo, "You said")
        effect = read_until(demo, "were stopped since")
        assert "nothing of yours arrived after it" in effect or "of yours arrived" in effect
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=60)
        assert demo.returncode == 0, err[-2000:] + out[-2000:]
        assert "Lost 0, duplicated 0, leaked 0" in out
        assert list(tmp_path.iterdir()) == []
        assert gone(tmp_path)
    finally:
        demo.kill()


def read_until(demo, words):
    return next(line for line in demo.stdout if words in line)


WHEN = {
    "once its folder is there": (lambda demo, folder: wait_for_a_folder(folder), [signal.SIGTERM]),
    "while it is being made": (
        lambda demo, folder: wait_for_a_folder(folder, "*/data/trust"),
        [signal.SIGHUP],
    ),
    "twice in its traffic": (lambda demo, folder: read_until(demo, "accepted"), [signal.SIGTERM] * 2),
}


def wait_for_a_folder(folder, pattern="*"):
    end = time.monotonic() + 40
    while not list(folder.glob(pattern)) and time.monotonic() < end:
        time.sleep(0.01)
    assert list(folder.glob(pattern))


@pytest.mark.turns(3, "when")  # while it has only just begun; the newcomer above ends one in its traffic
@pytest.mark.parametrize("when", WHEN)
def test_a_demo_that_may_not_count_still_clears_away(tmp_path, when):
    wait, numbers = WHEN[when]
    demo = start(tmp_path)
    try:
        wait(demo, tmp_path)
        for number in numbers:
            demo.send_signal(number)
            time.sleep(0.3)
        _, err = demo.communicate(timeout=60)
        assert demo.returncode == 130, err[-2000:]
        assert "Traceback" not in err
        assert list(tmp_path.iterdir()) == []
        assert gone(tmp_path)
    finally:
        demo.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL])
def test_a_killed_demo_leaves_no_process_behind(tmp_path, number):
    demo = start(tmp_path)
    try:
        for line in demo.stdout:
            if "data folder" in line:
                break
        assert processes_of(tmp_path)
    finally:
        demo.send_signal(number)
        demo.communicate(timeout=20)
    assert gone(tmp_path)
