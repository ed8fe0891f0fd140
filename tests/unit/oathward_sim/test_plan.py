"""The plan: everything from the seed, every marker once, the messages as the standards want them."""

import csv
import io
from datetime import UTC, datetime
from itertools import islice, pairwise

import pytest

from oathward.bedside import hl7v2, picture
from oathward.bedside.picture import Told
from oathward_sim import home, monitors, pumps
from oathward_sim.adt import Feed
from oathward_sim.hl7 import header_field, text
from oathward_sim.hospital import AUTHORITY, Choice, build
from oathward_sim.judge import markers_in
from oathward_sim.plan import DEMO_RULES, marker
from oathward_sim.sheets import authority_csv, consent_csv, device_csv
from oathward_sim.traces import Index

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def everything(seed, count=120):
    hospital = build(seed, START)
    feed = Feed(hospital, DEMO_RULES)
    plans = feed.opening() + list(islice(feed.day(), count))
    for number, device in enumerate(hospital.pumps):
        plans += islice(
            pumps.reports(hospital, device, 1 + number, hospital.patients[number], DEMO_RULES), count
        )
    for number, device in enumerate(hospital.monitors):
        plans += islice(
            monitors.reports(hospital, device, 41 + number, hospital.patients[number], DEMO_RULES), count
        )
    return hospital, plans


def test_a_seed_gives_the_same_run_again_and_another_seed_another():
    assert everything(5) == everything(5)
    assert everything(5)[1] != everything(6)[1]


def test_every_message_has_a_marker_and_a_control_id_of_its_own():
    _, plans = everything(7)
    assert len({p.marker for p in plans}) == len(plans)
    assert len({p.control_id for p in plans}) == len(plans)
    for plan in plans:
        assert plan.marker in markers_in(plan.data)
        assert header_field(plan.data, 10).decode() == plan.control_id


def test_markers_run_out_loudly():
    with pytest.raises(ValueError, match="no marker left"):
        marker(97, 0)
    with pytest.raises(ValueError, match="no marker left"):
        marker(1, 10**6)


def test_the_feed_tells_every_kind_of_event_and_nobody_moves_before_being_registered():
    hospital, plans = everything(1, 400)
    told, triggers = set(), set()
    for plan in plans:
        if not plan.type.startswith("ADT"):
            continue
        trigger = plan.type[4:]
        triggers.add(trigger)
        if trigger in {"A02", "A03", "A08", "A24", "A31", "A37", "A40"}:
            assert set(plan.patients) <= told
        told |= set(plan.patients)
    assert {"A01", "A02", "A03", "A04", "A08", "A24", "A28", "A31", "A37", "A40"} <= triggers
    unregistered = {p.mrn for p in hospital.patients if not p.registered}
    assert unregistered
    assert not unregistered & told


def test_a_monitor_report_has_twenty_observations_and_about_2_kb():
    hospital, _ = everything(1, 1)
    plan = next(monitors.reports(hospital, hospital.monitors[0], 41, hospital.patients[0], DEMO_RULES))
    assert plan.data.count(b"\rOBX|") == 20
    assert 2_000 < len(plan.data) < 2_900


def told(plans):
    """What devices tell a clinician: of each report, name -> value and unit."""
    for plan in plans:
        found = Told()
        hl7v2.told(plan.data, plan.control_id, 0, found)
        if found.readings:
            yield {one.name: (one.value.reveal(), one.unit) for one in found.readings}


def test_a_patients_values_drift_belong_together_and_are_ones_a_patient_may_have():
    hospital = build(1, START)
    every = list(
        told(islice(monitors.reports(hospital, hospital.monitors[0], 41, hospital.patients[0], ()), 200))
    )
    rates = [float(one["Heart rate (ECG)"][0]) for one in every]
    assert max(abs(a - b) for a, b in pairwise(rates)) <= 2
    assert 50 <= min(rates) <= max(rates) <= 120
    for one in every:
        assert one["Pulse rate (SpO₂)"] == one["Heart rate (ECG)"]
        low, mean, high = (
            float(one[f"Arterial pressure, {n}"][0]) for n in ("diastolic", "mean", "systolic")
        )
        assert low < mean < high
        assert 35 <= float(one["End-tidal CO₂"][0]) <= 50
        assert 350 <= float(one["QTc"][0]) <= 460
    assert len({one["Cuff pressure, systolic"] for one in every}) <= 3, "a cuff measures now and then"


def test_a_pump_runs_at_the_rate_of_its_drug_and_its_bag_empties():
    hospital = build(1, START)
    for number, pump in enumerate(hospital.pumps):
        every = list(
            told(islice(pumps.reports(hospital, pump, 1 + number, hospital.patients[number], ()), 20))
        )
        left = [float(one["Volume left to infuse"][0]) for one in every]
        assert left == sorted(left, reverse=True)
        drug = every[0]["Drug"][0]
        concentration, rate = next((c, r) for name, c, r in pumps.DRUGS if name == drug)
        assert float(every[0]["Drug concentration"][0]) == concentration
        assert all(0.8 * rate <= float(one["Infusion rate"][0]) <= 1.2 * rate for one in every)


def test_what_devices_at_home_measure_may_be_so_of_a_marker_that_begins_at_61():
    possible = {
        "Heart rate",
        "Heart rate --resting",
        "Heart rate by Pulse oximetry",
        "Diastolic blood pressure",
        "Body weight",
    }
    assert {code[1] for code, _ in (*home._SINGLES, *home._HOME)} <= possible


def test_no_reading_of_a_simulated_device_is_called_by_a_bare_reference_id():
    hospital = build(1, START)
    plans = [
        *islice(monitors.reports(hospital, hospital.monitors[0], 41, hospital.patients[0], ()), 5),
        *islice(pumps.reports(hospital, hospital.pumps[0], 1, hospital.patients[0], ()), 10),
    ]
    names = {name for one in told(plans) for name in one}
    assert names <= set(picture._NAMES.values()), names - set(picture._NAMES.values())


def test_device_reports_say_what_pcd_01_wants():
    hospital, _ = everything(1, 1)
    data = next(pumps.reports(hospital, hospital.pumps[0], 1, hospital.patients[0], DEMO_RULES)).data
    lines = data.decode().split("\r")
    head = lines[0].split("|")
    assert head[2].split("^")[2] == "EUI-64"
    assert (head[14], head[15]) == ("NE", "AL")
    assert "1.3.6.1.4.1.19376.1.6.1.1.1" in head[20]
    for line in (x.split("|") for x in lines if x.startswith("OBX")):
        assert len(line[4].split(".")) == 4
        assert line[2] or line[18].endswith("^EUI-64")


def test_only_permission_opens_research_and_the_canary_stays_with_care():
    hospital, plans = everything(3)
    permits = {p.mrn for p in hospital.patients if p.permits_research}
    assert permits
    for plan in plans:
        if "research-registry" in plan.must:
            assert set(plan.patients) <= permits
        if hospital.canary.mrn in plan.patients:
            assert plan.must | plan.may == {"ehr"}
        assert "ehr" in plan.must
    # Reverse: with the rule off, the canary would be due at the vendor too.
    assert any(hospital.canary.mrn in p.patients and p.type == "ORU^R01" for p in plans)


def test_consents_vary_and_the_file_says_so():
    hospital = build(1, START)
    assert {p.choice for p in hospital.patients} == set(Choice)
    rows = list(csv.DictReader(io.StringIO(consent_csv(hospital))))
    assert {r["identifier"] for r in rows} < {p.mrn for p in hospital.patients}
    assert {r["authority"] for r in rows} == {AUTHORITY}
    assert {r["permit"] for r in rows} == {"yes", "no"}
    assert [r for r in rows if r["until"] and r["until"] < "2026-05-04"]
    [canary] = [r for r in rows if r["identifier"] == hospital.canary.mrn]
    assert "TREAT" not in canary["purposes"]


def test_the_inventory_lists_every_known_device_and_no_stranger():
    rows = list(csv.DictReader(io.StringIO(device_csv(build(1, START)))))
    assert len(rows) == 21
    assert authority_csv(build(1, START)) == "id,authoritative adt\nADT-FEED,yes\n"
    assert "INFUSER-99" not in {r["id"] for r in rows}


def test_a_message_about_nobody_bears_no_trace_of_anybody():
    # No word of a device, unit, drug or ward may be a word of a name: a hit must always mean a person.
    hospital, _ = everything(1, 1)
    index = Index(hospital.everyone)
    for source, kind, devices in ((1, pumps, hospital.pumps), (41, monitors, hospital.monitors)):
        for number, device in enumerate(devices):
            for plan in islice(kind.reports(hospital, device, source + number, None, DEMO_RULES), 60):
                assert not index.search(plan.data), plan.data


def test_a_hospital_must_have_beds_for_its_devices():
    with pytest.raises(ValueError, match="one for each device"):
        build(1, START, patients=8, pumps=9)


def test_separators_in_a_value_are_escaped():
    assert text("a|b^c~d&e\\f\rg") == "a\\F\\b\\S\\c\\R\\d\\T\\e\\E\\f\\X0D\\g"
