"""What is in force now, and what was put in force once, are two words on the proposals' pages."""

import re

from tests.unit.policy.test_difference import VENDOR
from tests.unit.proposing.conftest import folder, site  # noqa: F401  fixtures
from tests.unit.web.test_policy_pages import WHY, people, proposed  # noqa: F401  a fixture


def test_of_all_that_were_put_in_force_one_is(people, site):  # noqa: F811  the fixtures
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    ines, address = proposed(people)
    ines.post(f"{address}/propose", {})
    people.person("paul").post(f"{address}/approve", {})
    ines.post(f"{address}/activate", {})

    def told(path):
        return re.findall(r"</svg>\s*((?:put )?in force)</span>", ines.page(path))

    assert told(address) == ["in force"]
    assert told("/policies/proposals") == ["in force"]
    happened = ines.page(address).partition("What happened")[2]
    assert ('<th scope="row">put in force</th>' in happened, "active" in happened) == (True, False)
    ines.post("/policies/back", {**WHY, "sure": "yes"})
    assert told(address) == ["put in force"]
    assert told("/policies/proposals") == ["in force", "put in force"]


def test_an_emergency_puts_in_force_what_was_seen(people):  # noqa: F811  the fixture
    sara = people.person("sara")
    sara.write(VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01"')
    seen = re.search(r'name="digest" value="(\w+)"', sara.post("/policies/edit/emergency").text)[1]
    sara.write("bundle.toml", "Record at the bedside", "Records")  # in another tab
    again = sara.post("/policies/edit/emergency", {**WHY, "sure": "yes", "digest": seen})
    assert (again.status_code, people.active().version) == (200, 1)
    seen = re.search(r'name="digest" value="(\w+)"', again.text)[1]
    sara.post("/policies/edit/emergency", {**WHY, "sure": "yes", "digest": seen})
    assert people.active().version == 2
