"""The other emergency, whole: a served site makes copies by itself; with it down one is read; back again, the reading is on record."""

import json
import os
import socket
import subprocess
import sys

import pytest
import typer
from tests.care import adt
from tests.site import Site, bundle, local
from tests.wire import oru

from oathward.cli.main import run
from oathward.core.clock import Clock
from oathward.protocols.hl7v2.mllp import wrap

PASSPHRASE = "a lamp in every corridor"
SECTION = '[emergency]\npublic_key_file = "emergency.pub"\nfolder = "{folder}"\nevery_minutes = 0.02\n'


def send(site, raw):
    with socket.create_connection(("127.0.0.1", site.port()), 5) as talk:
        talk.sendall(wrap(raw))
        answer = talk.recv(4_096)
    assert b"MSA|AA" in answer or b"MSA|CA" in answer, answer


def command(*arguments, **more):
    """Run a command as whoever has the stick does: nothing of the site is named."""
    environment = {k: v for k, v in os.environ.items() if k != "OATHWARD_DATA"}
    return subprocess.run(
        [sys.executable, "-m", "oathward.cli", "emergency", *map(str, arguments)],
        capture_output=True, check=False, text=True, env=environment, **more,
    )  # fmt: skip


def test_a_copy_is_made_by_itself_read_with_the_site_gone_and_what_was_read_is_on_record(tmp_path):
    folder, stick = tmp_path / "copies", tmp_path / "stick"
    folder.mkdir()
    stick.mkdir()
    (stick / "words").write_text(PASSPHRASE + "\n")
    site = Site.make(tmp_path / "site", more=SECTION.format(folder=folder))
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
    site.cli("emergency", "key", "--out", str(stick / "key"), "--passphrase-file", str(stick / "words"))
    site.start()
    try:
        at = f"{Clock().now():%Y%m%d%H%M%S}+0000"
        send(site, adt("A01", said=at))
        send(site, oru("C1", mrn="5550001", value="77").replace(b"20260504081500+0000", at.encode()))

        def newest():
            files = sorted(folder.glob("copy-*.oathward"))
            done = files and command("verify", "--copy", folder, "--key", stick / "key", "--json")
            told = json.loads(done.stdout) if done and done.returncode == 0 else {}
            return (
                told
                if told.get("states") == {"proved": 1} and records(site)[-1]["body"]["opened"] == 3
                else None
            )

        told = site.wait(newest, 40)
        assert told["patients"] == 1
        assert told["age_s"] < 60
    finally:
        site.stop()
    away = tmp_path / "away"
    site.folder.rename(away)  # the main system is gone
    asked = ("--key", stick / "key", "--passphrase-file", stick / "words")
    who = ("--reader", "Nurse Okoro", "--reason", "treatment")
    listed = command("read", "--copy", folder, *asked, *who, cwd="/")
    assert listed.returncode == 0, listed.stderr
    assert "Quixotella Zebulonova" in listed.stdout
    assert "EMERGENCY COPY, READ-ONLY. Made" in listed.stdout
    [subject] = [word for word in listed.stdout.split() if word.count("-") == 4 and len(word) == 36]
    shown = command("read", "--copy", folder, *asked, *who, "--patient", subject)
    assert "Heart rate (ECG): 77 /min" in shown.stdout, shown.stdout
    (stick / "wrong").write_text("another lamp altogether")
    no = command("read", "--copy", folder, "--key", stick / "key", "--passphrase-file", stick / "wrong", *who)
    assert (no.returncode, no.stdout) == (77, "")
    assert "emergency.passphrase" in no.stderr
    away.rename(site.folder)
    recorded = site.cli("emergency", "reconcile", str(folder / "readings.log"), *map(str, asked))
    assert (recorded["recorded"], recorded["broken"]) == (2, "")
    assert site.cli("emergency", "reconcile", str(folder / "readings.log"), *map(str, asked))["recorded"] == 0
    read = site.records("copy.read")
    assert [(one["subject"], one["body"]["reader"], one["body"]["purpose"]) for one in read] == [
        ("", "Nurse Okoro", "ETREAT"),
        (subject, "Nurse Okoro", "ETREAT"),
    ]
    compared = site.cli("emergency", "compare", "--copy", str(folder))
    assert compared["patients"] == {subject: "same"}


def records(site):
    return site.records("copy.made") or [{"body": {"opened": 0}}]


def test_help_names_every_part(capsys):
    assert run(["emergency", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("key", "make", "verify", "read", "reconcile", "compare"))


def test_what_is_not_there_is_said_before_anybody_types(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(typer, "prompt", lambda *_a, **_k: pytest.fail("asked, and there is nothing to read"))
    (tmp_path / "copy").write_text("no matter what")
    for copy, key, said in (
        ("copy", "no-key", "no-key"),
        ("no-copy", "copy", "no such copy"),
        (".", "copy", "holds no copy"),
    ):
        code = run(["emergency", "read", "--copy", str(tmp_path / copy), "--key", str(tmp_path / key)])
        assert (code, said in capsys.readouterr().err) == (66, True)
