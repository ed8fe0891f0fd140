"""An emergency copy where there is a witness: made of what the witness has seen, by whoever reads it verified; else none is made."""

import pytest
from tests import emergency
from tests.care import peopled
from tests.site import Site, bundle, local
from tests.unit.vault.keeper.test_witnessing import Outside

from oathward.core.errors import LedgerError, VaultError
from oathward.core.reasons import Reason
from oathward.vault.emergency import copies, keys
from oathward.vault.keeper import checkpoints
from oathward.vault.keeper.copying import making
from oathward.vault.keeper.house import House
from oathward.vault.keeper.witnessing import witness_key


@pytest.fixture
def world(tmp_path):
    site = Site.make(tmp_path / "s", more='[emergency]\npublic_key_file = "emergency.pub"\n')
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
    trust = site.folder / "trust"
    outside = Outside(tmp_path / "w", [trust / "ledger.pub", trust / "tombstones.pub"])
    settings = site.folder / "oathward.toml"
    named = f'[witness]\naddress = "{outside.address}"\npublic_key_file = "{outside.folder / "key.pub"}"\n'
    settings.write_text(settings.read_text() + named)
    (tmp_path / "safe").mkdir()
    with peopled(site, []) as found:
        found.outside = outside
        found.key = emergency.give_key(found.keeper, tmp_path / "safe", witness_key(site.settings))
        emergency.admitted(found.gate)
        yield found
    if outside._thread.is_alive():
        outside.stop()


def witnessed(world):
    """Sign a checkpoint, and have the witness cosign it, as the keeper's house does."""
    house = House(world.keeper)
    house.turn(last=True)
    house.witness()
    assert house.problem is None, house.problem


def test_it_is_made_of_what_the_live_witness_cosigned_and_says_when(world, tmp_path):
    witnessed(world)
    made = making.make(world.keeper, tmp_path, "test")
    assert made.witnessed_s > 0
    assert made.states == {"proved": 1}
    with copies.open_copy(tmp_path / made.file, world.key.trust) as copy:
        assert copy.manifest.witnessed_s == made.witnessed_s
    none = keys.Trust(*(getattr(world.key.trust, n) for n in ("site", "public", "authority", "ledger")), None)
    with pytest.raises(VaultError) as no:  # whoever has no witness's key does not take its word
        copies.open_copy(tmp_path / made.file, none)
    assert no.value.reason is Reason.EMERGENCY_COPY_BROKEN


def test_what_came_after_the_witness_was_gone_is_not_in_it_and_without_any_word_of_it_none_is_made(
    world, tmp_path, monkeypatch
):
    witnessed(world)
    world.outside.stop()
    late = emergency.admitted(world.gate)
    checkpoints.sign_next(world.keeper)
    made = making.make(world.keeper, tmp_path, "test")
    with copies.open_copy(tmp_path / made.file, world.key.trust) as copy:
        held = {one.subject: one.count for one in copy.manifest.sections}
    assert held.get(late.subject, 0) == 0, "what only this machine has signed proves nothing"
    monkeypatch.setattr(making, "LOOK_BACK", 0)
    with pytest.raises(LedgerError) as no:
        making.make(world.keeper, tmp_path, "test")
    assert no.value.reason is Reason.WITNESS_UNAVAILABLE
    assert list(copies.generations(tmp_path)) == [1]
