"""Settings: what cannot be meant is refused with its place, before anything starts."""

import dataclasses
import getpass
from pathlib import Path

import pytest

from oathward.cli.main import run
from oathward.core.errors import SettingsError
from oathward.core.reasons import Reason
from oathward.core.settings import Settings, Users, load, moved
from oathward.core.settings_check import DAYS_MAX
from oathward.core.users import check_users

REFUSED = {
    "[mllp]\nport = 70000": "oathward.toml [mllp] port",
    "[mllp]\nport = -2": "oathward.toml [mllp] port",
    "[metrics]\nport = 65536": "oathward.toml [metrics] port",
    "[console]\nport = 9464": "oathward.toml [console] port",
    '[console]\nhost = "0.0.0.0"': "oathward.toml [console] host",
    '[console]\nhost = "console.example"': "oathward.toml [console] host",
    '[console]\nhost = "0.0.0.0"\ncertificate = "c"\nkey = "k"': "oathward.toml [console] url",
    '[console]\nurl = "https://console.example/path"': "oathward.toml [console] url",
    '[console]\ncertificate = "c"': "oathward.toml [console] certificate",
    "[fhir]\nport = 2575": "oathward.toml [fhir] port",
    '[fhir]\nurl = "http://gateway.example/fhir"': "oathward.toml [fhir] url",
    "[fhir]\nbody_bytes_max = 0": "oathward.toml [fhir] body_bytes_max",
    "[mllp]\nport = 3000\ntls_port = 3000": "oathward.toml [mllp] tls_port",
    "[mllp]\nport = 9464": "oathward.toml [metrics] port",
    '[mllp]\nhost = "0.0.0.0"\nport = 9464': "oathward.toml [metrics] port",
    "[mllp]\nconnections_max = 0": "oathward.toml [mllp] connections_max",
    "[mllp]\nmessage_time_s_max = -1": "oathward.toml [mllp] message_time_s_max",
    "[mllp]\nidle_s_max = nan": "oathward.toml [mllp] idle_s_max",
    '[mllp]\nundecodable_reply = "AX"': "oathward.toml [mllp] undecodable_reply",
    "[gateway]\ngroup_delay_ms = -0.1": "oathward.toml [gateway] group_delay_ms",
    "[gateway]\nseal_epoch_s = 0": "oathward.toml [gateway] seal_epoch_s",
    "[courier]\nretry_first_s = 61": "oathward.toml [courier] retry_first_s",
    "[courier]\nreply_timeout_s = inf": "oathward.toml [courier] reply_timeout_s",
    "[courier]\nlanes = 0": "oathward.toml [courier] lanes",
    "[keeper]\ncheckpoint_every_s = 0": "oathward.toml [keeper] checkpoint_every_s",
    "[people]\npassword_length_min = 7": "oathward.toml [people] password_length_min",
    "[deid]\nresume_days = 7": "oathward.toml [deid] resume_days",
    '[site]\nname = " "': "oathward.toml [site] name",
    "[mlp]\nport = 1": "oathward.toml mlp",
    "[mllp]\nport = true": "oathward.toml [mllp] port",
    "[mllp": "oathward.toml",
    '[patients]\nauthorities = "HOSP"': "oathward.toml [patients] authorities",
    '[patients.authorities]\nHOSP = "1.2.3"': "oathward.toml [patients] authorities",
    "[patients.authorities]\nHOSP = [1]": "oathward.toml [patients] authorities",
    '[patients.authorities]\nA = ["1.2.3"]\nB = ["1.2.3"]': "oathward.toml [patients] authorities, B",
    '[patients.authorities]\nA = [""]': "oathward.toml [patients] authorities, A",
}
FINE = [
    "",
    "[mllp]\nport = 0\ntls_port = 0\n[metrics]\nport = 0",
    "[mllp]\nport = -1\ntls_port = -1\n[metrics]\nport = -1",
    "[mllp]\nport = 65535",
    '[console]\nhost = "::1"\nport = -1',
    '[patients.authorities]\nHOSP = ["HOSPITAL", "1.2.3"]\nGOV = []',
    '[patients]\nauthorities = { HOSP = ["&1.2.3&ISO"] }',
    '[mllp]\nhost = "10.0.0.1"\nport = 9464',
    "[gateway]\ngroup_delay_ms = 0",
    "[courier]\nretry_first_s = 60",
    "[people]\npassword_length_min = 8",
    '[fhir]\nurl = "https://gateway.example:8443/fhir"\nport = -1',
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path, text):
    (tmp_path / "oathward.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(tmp_path)
    assert caught.value.where == REFUSED[text]
    assert caught.value.why


DEFAULTS = Settings(data=Path())
NUMBERS = [
    (section.name, one.name, getattr(getattr(DEFAULTS, section.name), one.name))
    for section in dataclasses.fields(Settings)[1:]
    for one in dataclasses.fields(getattr(DEFAULTS, section.name))
    if type(getattr(getattr(DEFAULTS, section.name), one.name)) in {int, float}
]
NONSENSE = ("1e300", "nan", "inf", "-inf", "-2", "-1e300", "1" + "0" * 400)


@pytest.mark.parametrize(("section", "name", "usual"), NUMBERS)
def test_no_number_is_so_large_that_nothing_can_count_with_it(tmp_path, section, name, usual):
    for value in NONSENSE:
        (tmp_path / "oathward.toml").write_text(f"[{section}]\n{name} = {value}")
        with pytest.raises(SettingsError) as caught:
            load(tmp_path)
        assert caught.value.where == f"oathward.toml [{section}] {name}"
        assert caught.value.reason is Reason.SETTINGS_INVALID
        assert caught.value.why
    (tmp_path / "oathward.toml").write_text(f"[{section}]\n{name} = {usual}")
    load(tmp_path)


@pytest.mark.parametrize("days", [DAYS_MAX, DAYS_MAX + 1])
@pytest.mark.parametrize(
    ("place", "name", "per_day"),
    [
        ("people", "care_silence_days", 1),
        ("people", "care_ended_days", 1),
        ("people", "unused_days", 1),
        ("people", "assess_hours_max", 24),
        ("people", "rotate_minutes", 1_440),
        ("keeper", "intake_key_days", 1),
        ("keeper", "checkpoint_every_s", 86_400),
    ],
)
def test_a_time_is_at_most_a_hundred_years_in_any_unit(tmp_path, place, name, per_day, days):
    (tmp_path / "oathward.toml").write_text(f"[{place}]\n{name} = {days * per_day}")
    if days == DAYS_MAX:
        assert getattr(getattr(load(tmp_path), place), name) == days * per_day
    else:
        with pytest.raises(SettingsError, match="must be at most"):
            load(tmp_path)


@pytest.mark.parametrize("text", FINE)
def test_what_can_be_meant_is_taken(tmp_path, text):
    (tmp_path / "oathward.toml").write_text(text)
    assert load(tmp_path).data == tmp_path


def test_bytes_that_are_no_text_and_a_folder_instead_of_a_file(tmp_path):
    (tmp_path / "oathward.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load(tmp_path)
    (tmp_path / "oathward.toml").unlink()
    (tmp_path / "oathward.toml").mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize("base", [70_000, 65_531, 0, -1])
def test_a_port_base_leaves_room_for_all(tmp_path, base):
    with pytest.raises(SettingsError, match="--port-base"):
        load(tmp_path, port_base=base)


def test_a_port_base_moves_all(tmp_path):
    settings = moved(load(tmp_path), 65_530)
    assert (settings.mllp.port, settings.mllp.tls_port, settings.metrics.port) == (65_530, 65_531, 65_532)
    assert settings.console.port == 65_534


def test_users_must_exist_where_the_site_is_served(tmp_path):
    settings = load(tmp_path)
    check_users(settings)
    check_users(dataclasses.replace(settings, users=Users(gateway=getpass.getuser())))
    (tmp_path / "oathward.toml").write_text('[users]\ncourier = "nobody-of-that-name"')
    with pytest.raises(SettingsError, match=r"\[users\] courier"):
        check_users(load(tmp_path))


def test_a_command_ends_with_78(tmp_path, capsys):
    (tmp_path / "oathward.toml").write_text("[mllp]\nport = 70000")
    assert run(["init", "--data", str(tmp_path)]) == 78
    assert capsys.readouterr().err.startswith("error[settings.invalid] oathward.toml [mllp] port: must be")
