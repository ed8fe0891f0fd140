"""Plans: the narrower of profile and permission wins; only shape() makes what may leave."""

import copy
import dataclasses
import pickle

import pytest
from tests.shaped import CLOSED, PROFILES, SEEDS, lines, message, plan, segment, shaped

from oathward.core.errors import DeidentificationError, PolicyError
from oathward.core.labels import CLASSES
from oathward.core.reasons import Reason
from oathward.deid.plan import SafeMessage, compile_plan, shape
from oathward.deid.profile import builtin_profiles

PID = segment(
    "PID",
    {
        1: "1",
        3: "4711^^^HOSP^MR~99^^^X^SS",
        5: "SMITH^JOHN^Q",
        7: "19600102",
        8: "M",
        10: "2106-3^White^CDCREC",
        11: "1 Main St^^Town^NY^12345",
        13: "5551234",
        18: "A77",
        19: "123-45-6789",
    },
)
NK1 = segment("NK1", {1: "1", 2: "SMITH^MARY", 3: "SPO", 4: "2 Oak St^^Village", 5: "5554321"})
PV1 = segment("PV1", {1: "1", 2: "I", 3: "ICU^12^A", 7: "900^WOLF^KATE", 19: "V-1", 44: "20260101"})
OBR = segment(
    "OBR", {1: "1", 2: "P-1^X", 3: "F-1^Y", 4: "182777000^monitoring of patient^SCT", 7: "20260102030405"}
)
OBX = segment(
    "OBX",
    {
        1: "1",
        2: "NM",
        3: "147842^MDC_ECG_HEART_RATE^MDC",
        4: "1.1.1.1",
        5: "72",
        6: "264864^MDC_DIM_BEAT_PER_MIN^MDC",
        11: "F",
        14: "20260102030405",
        16: "900^WOLF",
        18: "0011223344556677^^0011223344556677^EUI-64",
    },
)
NTE = "NTE|1||Mr Smith was restless"
ZPD = "ZPD|1|SMITH"
ALL = (PID, NK1, PV1, OBR, OBX, NTE, ZPD)


def test_treatment_differs_in_the_control_id_only():
    before = message(*ALL).segments
    after = shaped(*ALL, profile="treatment").data.split(b"\r")[:-1]
    assert after[1:] == before[1:]
    assert after[0] == before[0].replace(b"|IN-77|", b"|OUT-1|")


def test_treatment_counts_what_nobody_catalogued_or_holds_it():
    safe = shaped(*ALL, profile="treatment")
    assert safe.uncatalogued == 2
    assert "uncatalogued" in safe.kept
    strict = dataclasses.replace(builtin_profiles()["treatment"], uncatalogued="hold")
    with pytest.raises(DeidentificationError) as caught:
        shape(message(*ALL), compile_plan(strict, CLASSES), SEEDS)
    assert caught.value.reason is Reason.UNCATALOGUED
    assert caught.value.where == "segment-1"
    shape(message(*ALL[:-1]), compile_plan(strict, CLASSES), SEEDS)


def test_safe_harbor_leaves_years_states_and_readings():
    safe = shaped(*ALL)
    pseudonym = lines(safe, "PID")[0].split("|")[3]
    assert lines(safe) == [
        "MSH|^~\\&|||||2026||ORU^R01^ORU_R01|OUT-1|P|2.6",
        f"PID|1||{pseudonym}||||1960|M||2106-3|^^^NY^123",
        segment("PV1", {1: "1", 2: "I", 44: "2026"}),
        "OBR|1|||182777000^^SCT|||2026",
        "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|72|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||F|||2026",
    ]


def test_telemetry_leaves_device_and_measurement():
    safe = shaped(*ALL, profile="device-telemetry")
    assert [line[:3] for line in lines(safe)] == ["MSH", "OBR", "OBX"]
    obx = lines(safe, "OBX")[0].split("|")
    assert obx[14] == "20260102030405"
    assert len(obx[18]) == 16
    assert obx[16] == obx[17] == ""
    assert shaped(OBX, profile="device-telemetry").data.decode().split("|")[-1].strip() == obx[18]


def test_limited_data_set_leaves_dates_and_towns_and_a_pseudonym():
    pid = lines(shaped(*ALL, profile="limited-data-set"), "PID")[0].split("|")
    assert pid[7] == "19600102"
    assert pid[11] == "^^Town^NY^12345"
    assert pid[5] == ""
    assert len(pid[3]) == len(pid[18]) == 16
    assert pid[3] != pid[18]
    assert pid[19:] == []


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("cls", sorted(CLASSES - {"structure", "message.control"}))
def test_a_class_that_is_not_permitted_is_gone_under_every_profile(profile: str, cls: str):
    safe = shaped(*ALL, profile=profile, classes=CLASSES - {cls})
    assert cls not in safe.kept
    assert safe.data.startswith(b"MSH|^~\\&|")


def test_with_nothing_permitted_a_valid_header_is_left():
    for profile in PROFILES:
        assert shaped(*ALL, profile=profile, classes=()).data.split(b"\r")[0] == (
            b"MSH|^~\\&|||||||ORU^R01^ORU_R01|OUT-1|P|2.6"
        )


def test_permission_adds_nothing_to_a_profile():
    for profile in CLOSED:
        assert not any(cls.startswith(("relative.", "staff.")) for cls in shaped(*ALL, profile=profile).kept)


def test_classes_and_profiles_have_their_own_digests():
    made = {plan(p, c).digest for p in PROFILES for c in (CLASSES, frozenset(("structure",)), frozenset())}
    assert len(made) == 12
    assert plan("treatment").digest == plan("treatment").digest
    with pytest.raises(PolicyError, match="shoe"):
        plan("treatment", frozenset(("shoe",)))


def test_seeds_are_asked_for_only_where_a_key_is_used():
    assert not plan("treatment").needs_seeds
    assert plan("safe-harbor").needs_seeds
    assert not plan("safe-harbor", CLASSES - {"patient.identifier"}).needs_seeds
    empty = dataclasses.replace(SEEDS, subject_seed=b"", device_key=b"")
    assert shaped(*ALL, profile="treatment", seeds=empty).data
    with pytest.raises(DeidentificationError):
        shaped(*ALL, profile="safe-harbor", seeds=empty)


def test_one_patient_has_one_pseudonym_in_a_project_and_another_in_another():
    def pseudonym(pid: str, seed: bytes) -> str:
        return lines(shaped(pid, seeds=dataclasses.replace(SEEDS, subject_seed=seed)), "PID")[0].split("|")[3]

    here, there = bytes(32), bytes([1]) * 32
    assert pseudonym("PID|||1", here) == pseudonym("PID|||2^^^OTHER^MR~3", here)
    assert pseudonym("PID|||1", here) != pseudonym("PID|||1", there)


def test_only_shape_makes_a_safe_message():
    safe = shaped(*ALL)
    fields = dict.fromkeys(("data", "removed", "kept", "uncatalogued", "changed", "observations"))
    with pytest.raises(TypeError, match="only shape"):
        SafeMessage(**fields, token=object())
    with pytest.raises(TypeError, match="only shape"):
        SafeMessage(**fields, token=None)
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(safe, data=b"PID|||||SMITH")
    with pytest.raises(dataclasses.FrozenInstanceError):
        safe.data = b"PID|||||SMITH"
    for forge in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="only shape"):
            forge(safe)
    assert "SMITH" not in repr(shaped(*ALL, profile="treatment"))


def test_what_is_printed_of_plans_and_messages_holds_no_value():
    safe = shaped(*ALL, profile="treatment")
    assert "4711" not in repr((safe, plan("safe-harbor"), SEEDS))


def test_ages_up_to_89_stay_and_older_ones_go_with_their_observation():
    young, old = (
        "OBX|1|SN|30525-0^Age^LN||^89|a^Year^UCUM|||||F",
        "OBX|2|NM|30525-0^Age^LN||90|a^Year^UCUM|||||F",
    )
    safe = shaped(young, old, "OBX|3|NM|30525-0^Age^LN||44|a^Year^UCUM|||||F")
    assert [line.split("|")[5] for line in lines(safe, "OBX")] == ["^89", "44"]
