"""``oathward profile``: for people and as JSON; names that are none are told what was meant."""

import json

import pytest
from tests.site import Site, bundle

from oathward.cli.profile import profile
from oathward.core.errors import InputError
from oathward.core.labels import CLASSES
from oathward.deid.profile import builtin_profiles, builtin_texts
from oathward.inventory.model import Device


def told(capsysbinary: pytest.CaptureFixture[bytes]) -> dict:
    return json.loads(capsysbinary.readouterr().out)


def test_all_profiles_are_listed(capsysbinary: pytest.CaptureFixture[bytes]):
    profile(as_json=True)
    assert [row["name"] for row in told(capsysbinary)["profiles"]] == sorted(builtin_profiles())
    profile()
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert [line.partition(":")[0] for line in lines] == sorted(builtin_profiles())


@pytest.mark.parametrize("name", builtin_profiles())
def test_a_profile_is_told_whole(name: str, capsysbinary: pytest.CaptureFixture[bytes]):
    profile(name, as_json=True)
    found = told(capsysbinary)
    assert {row["cls"] for row in found["classes"]} == CLASSES
    assert found["not_claimed"]
    profile(name)
    text = capsysbinary.readouterr().out.decode()
    assert "Not claimed: " in text
    assert all(f"({cls})" in text for cls in CLASSES)


def test_two_profiles_are_compared(capsysbinary: pytest.CaptureFixture[bytes]):
    profile("safe-harbor", "research", as_json=True)
    found = {row["cls"]: row for row in told(capsysbinary)["differences"]}
    assert found["observation.time"]["direction"] == "other"
    assert found["device.identity"]["direction"] == "more"
    assert "patient.name" not in found
    profile("safe-harbor", "research")
    assert "time of event" in capsysbinary.readouterr().out.decode()
    profile("research", "research")
    assert "do the same" in capsysbinary.readouterr().out.decode()


@pytest.mark.parametrize("names", [("safe-harbour", None), ("research", "safe-harbour")])
def test_a_name_that_is_none_is_told_what_was_meant(names: tuple[str, str | None]):
    with pytest.raises(InputError, match="safe-harbor"):
        profile(*names)


@pytest.mark.parametrize("kind", ["hl7v2", "fhir", "dicom", "text"])
def test_before_and_after_of_a_made_up_patient(kind: str, capsysbinary: pytest.CaptureFixture[bytes]):
    profile("research", example=kind, as_json=True)
    found = told(capsysbinary)
    rows = found["rows"]
    assert found["format"] == kind
    assert {"changed", "removed"} <= {row["what"] for row in rows}
    assert all(row["why"] for row in rows)
    profile("research", example=kind)
    text = capsysbinary.readouterr().out.decode()
    assert "[name]" in text
    assert "before" in text
    assert "patient.identifier" in text


def test_what_is_held_is_said(capsysbinary: pytest.CaptureFixture[bytes]):
    profile("safe-harbor", example="text")
    assert "Held: nothing of it leaves (decision.nothing-left)." in capsysbinary.readouterr().out.decode()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "research", "example": "hl7"}, "hl7v2"),
        ({"example": "fhir"}, "name a profile"),
        ({"name": "research", "other": "safe-harbor", "example": "fhir"}, "not of two"),
    ],
)
def test_an_example_is_of_one_profile_and_a_format_there_is(arguments: dict, said: str):
    with pytest.raises(InputError, match=said):
        profile(**arguments)


def test_a_sites_own_profiles_and_words(tmp_path, capsysbinary: pytest.CaptureFixture[bytes]):
    own = builtin_texts()["research"].replace('name = "research"', 'name = "ours"')
    more = '[patients.authorities]\nMERCY = ["urn:oid:2.16.840.1.99"]'
    site = Site.make(tmp_path / "s", more=more)
    site.activate({**bundle({}), "profiles/ours.toml": own.encode()})
    site.add(Device("mon-4", kind="monitor", make="Acme", senders=frozenset({"CENTRAL|ICU"})))
    profile("ours", example="hl7v2", data=str(site.folder), as_json=True)
    before = told(capsysbinary)["before"]
    assert "|CENTRAL|ICU|" in before
    assert "^^^MERCY&2.16.840.1.99&ISO^MR" in before
    with pytest.raises(InputError, match="no such profile"):
        profile("ours")


def test_the_made_up_patient_is_written_as_files_into_a_folder_with_nothing_in_it(
    tmp_path, capsysbinary: pytest.CaptureFixture[bytes]
):
    profile(write=tmp_path / "new" / "mixed", as_json=True)
    written = sorted((tmp_path / "new" / "mixed").iterdir())
    assert [path.name for path in written] == sorted(told(capsysbinary)["written"])
    assert all(b"Testperson" in path.read_bytes() for path in written)
    with pytest.raises(InputError, match="empty folder"):
        profile(write=tmp_path / "new" / "mixed")
    with pytest.raises(InputError, match="of no profile"):
        profile("research", write=tmp_path / "other")
    assert not (tmp_path / "other").exists()
