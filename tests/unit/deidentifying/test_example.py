"""Before and after of a made-up message: nothing that came and nothing that leaves is missing, and it is what a job would write."""

import base64
import os
import socket
import tempfile
from collections import Counter

import orjson
import pytest

from oathward.core import frames
from oathward.core.labels import CLASSES
from oathward.deid.action import days_of
from oathward.deid.plan import compile_plan, shape
from oathward.deid.profile import builtin_profiles, builtin_texts, parse
from oathward.deidentifying.example import fhir, preview
from oathward.deidentifying.example.rows import Reasons, Value, aligned, examples, paired
from oathward.deidentifying.example.story import STORY, Story, of_site
from oathward.deidentifying.format import formats
from oathward.deidentifying.worker import Worker
from oathward.inventory.model import Device, Status
from oathward.protocols.hl7v2.leaves import leaves
from oathward.protocols.hl7v2.reader import decode

PROFILES = builtin_profiles()
EVERY = [(name, kind) for name in PROFILES for kind in examples()]
PERSON = (STORY.family, STORY.given, STORY.number, STORY.phone, STORY.relative, STORY.street)


def worked(profile: str, kind: str, came: bytes, *, text: str = "") -> bytes | None:
    """Send a file through a worker of a job, with the seeds of the example; None where it is held."""
    begun = {
        "authorities": {},
        "folder": "example",
        "authority": STORY.namespace,
        "profile": profile,
        "profile_text": text or builtin_texts()[profile],
        "language": "",
        "pixel_boxes": "",
        "program": "Oathward",
        "project": "p",
        "recorded": "2026-03-01T08:15:00Z",
        "word_key": base64.b64encode(bytes(32)).decode(),
    }
    seed = b"\x01" * 32
    secrets = {
        "seed": base64.b64encode(seed).decode(),
        "device_key": base64.b64encode(b"\x02" * 32).decode(),
        "days": days_of(seed),
        "offset_min": 0,
        "year": 2026,
        "source": "example",
        "known": [],
    }
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target, ours, theirs:
        source.write(came)
        source.flush()
        frames.send(ours, {"seeds": [secrets], "of": [0]})
        head = {"op": "file", "name": examples()[kind].name, "outgoing_id": preview.OUTGOING_ID}
        Worker(begun, None).work(theirs, head, source.fileno(), target.fileno())
        who, _ = frames.receive(ours)
        assert who["format"] == kind
        done, _ = frames.receive(ours)
        return os.pread(target.fileno(), done["bytes"], 0) if not done["held"] else None


def test_every_format_has_an_example():
    assert examples().keys() == formats().keys()


@pytest.mark.parametrize(
    ("name", "kind"), [one for one in EVERY if PROFILES[one[0]].action_of("patient.identifier") != "keep"]
)
def test_the_preview_is_what_a_job_writes_of_the_same_file_with_the_same_seeds(name: str, kind: str):
    found = preview.preview(PROFILES[name], kind)
    written = worked(name, kind, found.came)
    if kind == "fhir" and written is not None:  # what a job says of itself stands behind what came
        body = orjson.loads(written)
        body["entry"] = [one for one in body["entry"] if one["resource"]["resourceType"] != "Provenance"]
        assert orjson.loads(found.left or b"") == body
    else:
        assert found.left == written
    assert bool(found.held) == (found.left is None)


@pytest.mark.parametrize("name", PROFILES)
def test_and_what_a_live_link_sends_of_the_same_message(name: str):
    """The plan a gateway compiles where a link permits every class."""
    found = preview.preview(PROFILES[name], "hl7v2")
    plan = compile_plan(PROFILES[name], CLASSES)
    assert found.left == shape(decode(found.came), plan, preview.seeds_for(PROFILES[name], STORY)).data


def values(data: bytes | None, kind: str) -> Counter[str]:
    """Every value of a document, read without the rows."""
    if data is None:
        return Counter()
    if kind == "hl7v2":
        return Counter(text for _, inside in leaves(decode(data)) for _, text in inside.values())
    if kind == "fhir":
        body = orjson.loads(data)
        found = [entry["resource"] for entry in body["entry"]]
        return Counter(text for one in found for _, text in fhir._texts(one, ()))
    if kind == "text":
        return Counter()
    from pydicom import dcmread
    from pydicom.filebase import DicomBytesIO

    read = dcmread(DicomBytesIO(data))
    return Counter(
        str(one.value) if one.VM < 2 else "\\".join(map(str, one.value))
        for one in read.iterall()
        if one.VR != "SQ" and one.value
    )


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_every_value_that_came_and_every_value_that_leaves_stands_in_a_row(name: str, kind: str):
    found = preview.preview(PROFILES[name], kind)
    rows = [row for row in found.rows if not row.place.startswith("(0002,")]
    if kind == "text":
        assert "".join(run.before for run in found.runs) == found.came.decode()
        assert "".join(run.after for run in found.runs) == (found.left or b"").decode()
        assert [row.before for row in rows] == [run.before for run in found.runs if run.what != "kept"]
        return
    assert Counter(row.before for row in rows if row.before) == values(found.came, kind)
    assert Counter(row.after for row in rows if row.after) == values(found.left, kind)


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_every_row_says_what_happened_and_why(name: str, kind: str):
    for row in preview.preview(PROFILES[name], kind).rows:
        assert row.why
        assert row.cls in CLASSES
        assert (
            row.what
            == (
                "added"
                if not row.before
                else "removed"
                if not row.after
                else "kept"
                if row.before == row.after
                else "changed"
            )
            or kind == "text"
        )
        gone = "is removed" in row.why.partition(";")[0] and "list" not in row.why
        assert not (gone and row.what in ("kept", "changed")), row


@pytest.mark.parametrize("name", sorted(PROFILES.keys() - {"treatment"}))
def test_nothing_of_the_person_is_left_where_a_profile_says_so(name: str):
    for kind in examples():
        left = preview.preview(PROFILES[name], kind).left or b""
        assert [word for word in PERSON if word.encode() in left] == []


def test_a_profile_that_holds_what_nobody_catalogued_holds_the_example():
    text = builtin_texts()["research"].replace('uncatalogued = "remove"', 'uncatalogued = "hold"')
    found = preview.preview(parse("research", text), "hl7v2")
    assert found.held == "deid.uncatalogued"
    assert found.left is None
    assert {row.what for row in found.rows} == {"removed"}
    assert {row.why for row in found.rows} == {preview.HELD}


def test_a_site_is_told_in_its_own_words():
    devices = [
        Device("adt-1", authoritative_adt=True, senders=frozenset({"ADT|HQ"})),
        Device("mon-9", kind="monitor", status=Status.RETIRED, make="Gone"),
        Device(
            "mon-7",
            kind="monitor",
            make="Müller & Co|x",
            model="M^7",
            location="ICU North",
            senders=frozenset({"CENTRAL|ICU"}),
            equipment=frozenset({"00AA11BB22CC33DD"}),
        ),
    ]
    story = of_site(devices, {"MERCY": ["urn:oid:2.16.840.1.99"]})
    assert (story.application, story.facility, story.unit) == ("CENTRAL", "ICU", "00AA11BB22CC33DD")
    assert (story.namespace, story.oid, story.ward) == ("MERCY", "2.16.840.1.99", "ICU North")
    for kind in examples():
        found = preview.preview(PROFILES["treatment"], kind, story)
        assert bool(found.held) == (kind == "text")  # no job lets a text leave as it is
        told = " ".join(row.before for row in found.rows)
        words = ("00AA11BB22CC33DD", "Müller & Co|x", "M^7", "CENTRAL") if kind in ("hl7v2", "dicom") else ()
        assert [word for word in words if word not in told] == [], kind


def test_a_site_that_names_nothing_has_the_example_as_it_is():
    assert of_site([], {}) == STORY
    assert of_site([Device("x", kind="pump")], {}).unit == "x"
    assert isinstance(STORY, Story)


def test_what_came_is_paired_with_what_it_became():
    def alike(one: str, other: str) -> int:
        return 0 if one[0] != other[0] else 1 + sum(a == b for a, b in zip(one, other, strict=False))

    assert aligned(["a1", "b1", "b2"], ["a1", "b2"], alike) == [("a1", "a1"), ("b1", None), ("b2", "b2")]
    assert aligned(["a1"], [], alike) == [("a1", None)]
    assert aligned([], ["z"], alike) == [(None, "z")]
    assert aligned(["a1"], ["c1"], alike) == [("a1", None), (None, "c1")]


def test_what_was_added_stands_behind_what_came():
    old, new = Value("PID-1", "structure", "1"), Value("PID-2", "patient.name", "new")
    rows = list(paired({"-1": old}, {"-1": old, "-2": new}, Reasons(PROFILES["research"])))
    assert [(row.place, row.what) for row in rows] == [("PID-1", "kept"), ("PID-2", "added")]
