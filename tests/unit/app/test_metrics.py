"""The numbers for Prometheus: doors, parts, backlog, disk, keys; and no value of a message in any label."""

import time

import orjson
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.site import Site

from oathward.app import build
from oathward.app.metrics import Collector
from oathward.core.db import write
from oathward.core.ids import uuid7
from oathward.messages import sql as messages
from oathward.messages.model import HeldRow, OutboxRow
from oathward.vault.bodies import BodyRef


@pytest.fixture
def site(tmp_path):
    opened = build(Site.make(tmp_path / "s").settings, "app")
    yield opened
    opened.keeper.close()
    opened.engine.dispose()


def text(site) -> str:
    registry = CollectorRegistry()
    registry.register(Collector(site))
    return generate_latest(registry).decode()


def test_all_that_must_be_watched_is_there(site):
    now_us = int(time.time() * 1e6)
    row = OutboxRow(
        "OUT1", site.site, uuid7(), "ehr", "mon-1", "s1", "k", BodyRef("o", 1, 0, 9, bytes(32)),
        False, "b@1", 0, bytes(32), bytes(32), 0, now_us - 90_000_000,
    )  # fmt: skip
    held = HeldRow(uuid7(), site.site, now_us, "mon-1", "10.0.0.7 -", "device.unknown", "PID-3", "")
    with write(site.engine) as db:
        messages.insert_outbox(db, [row])
        messages.insert_held(db, [held])
    run = site.settings.run_folder
    run.mkdir(exist_ok=True)
    status = {
        "role": "gateway",
        "pid": 1,
        "state": "ready",
        "at_s": time.time(),
        "ports": {"mllp": 1, "fhir": 2},
    }
    (run / "gateway.json").write_bytes(orjson.dumps(status | {"counts": {"message.accepted": 7}}))
    said = text(site)
    for line in (
        'oathward_door_open{door="mllp",role="gateway"} 1.0',
        'oathward_door_open{door="fhir",role="gateway"} 1.0',
        'oathward_events_total{event="message.accepted",role="gateway"} 7.0',
        'oathward_process_ready{role="gateway"} 1.0',
        'oathward_outbox_rows{link="ehr",state="pending"} 1.0',
        'oathward_quarantine_messages{reason="device.unknown"} 1.0',
        "oathward_keeper_answers 1.0",
        'oathward_keys{kind="intake_waiting"} 0.0',
    ):
        assert line in said, line
    value = dict(line.rsplit(" ", 1) for line in said.splitlines() if not line.startswith("#"))
    assert 89 < float(value['oathward_outbox_oldest_seconds{link="ehr"}']) < 120
    assert float(value["oathward_disk_free_bytes"]) > 0
    assert float(value["oathward_ledger_records"]) >= 1
    for secret in (held.message, "10.0.0.7", "PID-3", "s1", row.message):
        assert secret not in said


def test_a_keeper_that_does_not_answer_is_a_number_too(site):
    site.keeper.close()
    assert "oathward_keeper_answers 0.0" in text(site)
