"""``oathward profile``: for people and as JSON; names that are none are told what was meant."""

import json

import pytest

from oathward.cli.profile import profile
from oathward.core.errors import InputError
from oathward.core.labels import CLASSES
from oathward.deid.profile import builtin_profiles


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
