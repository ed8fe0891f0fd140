"""A message about several patients whose one part was held for one link: released once, to exactly that link and part."""

import time

from tests.e2e.test_main_job import two_patients
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient

OTHER = b"10000002"
"""MRN of the second patient: where it is also the reading, a link without identity may not have that part."""


def limited(files):
    """The registry's link gets a limited data set: no identity."""
    link = files["links/registry.toml"].decode().replace('"treatment"', '"limited-data-set"')
    link = link.replace("carries_identity = true", 'carries_identity = false\nproject = "registry"')
    link = link.replace('"TREAT"', '"HRESCH"').replace('"pass"', '"remove"').replace('"care-team"', '"hold"')
    return files | {"links/registry.toml": link.encode()}


def test_the_held_part_is_released_once_to_its_link(tmp_path):
    ehr, registry = Recipient(), Recipient()
    site = Site.make(tmp_path / "s")
    files = bundle({"ehr": ehr.address, "registry": registry.address})
    site.activate(limited(files))
    site.add(local())
    site.start()
    try:
        with Client(site.port()) as client:
            assert client.send(two_patients("11.25", OTHER.decode())) == "AA"
        site.wait(lambda: ehr.values() == [b"11.25", OTHER])
        site.wait(lambda: registry.values() == [b"11.25"])
        [(message, links)] = site.rows("SELECT message, links FROM quarantine")
        assert links == "1:registry"
        before = len(site.records("message.accepted"))

        site.activate(files)  # mended: the registry may have identity now
        done = site.cli("quarantine", "release", message, "--why", "the registry's link was mended")
        assert [(one["released"], one["links"]) for one in done["released"]] == [(True, ["registry"])]
        site.wait(lambda: registry.values() == [b"11.25", OTHER])
        [accepted] = site.records("message.accepted")[before:]
        assert [answer[:2] for answer in accepted["body"]["answers"]] == [["registry", "permit"]]
        assert site.rows(
            "SELECT message FROM ledger_record WHERE kind = 'message.accepted' ORDER BY idx DESC LIMIT 1"
        ) == [(f"{message}.1",)]

        again = site.cli("quarantine", "release", message, "--why", "once more", check=False)
        assert not (again and any(one["released"] for one in again.get("released", [])))
        time.sleep(0.5)
        assert ehr.values() == [b"11.25", OTHER], "each part once"
        assert registry.values() == [b"11.25", OTHER]
        assert len(set(registry.ids())) == 2
        assert site.cli("ledger", "verify")["ok"]
    finally:
        site.stop()
        ehr.close()
        registry.close()
