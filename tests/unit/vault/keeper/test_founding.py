"""The first people of a site: enough of them, once, and with no password of ours."""

import pytest
from tests import founded
from tests.founded import FIRST, first_documents
from tests.unit.vault.keeper.test_opening import records, refused

from oathward.core.db import connect
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.vault.keeper.proof import admin_proof

ME = admin_proof("ada")


def test_a_site_is_founded_once_and_its_people_are_invited(site, admin):
    engine = connect(site.database_url)
    assert admin.state()["founded"] is False
    assert refused(lambda: admin.changes.founding_invitations(ME)) is Reason.CONFLICT
    founded.found(admin, engine, 1)
    assert admin.state()["founded"] is True
    keys = admin.changes.founding_invitations(ME)
    assert set(keys) == set(FIRST)
    assert len(set(keys.values())) == len(FIRST)
    assert refused(lambda: admin.changes.found(first_documents(1), ME)) is Reason.CONFLICT
    (record,) = records(site, "site.founded")
    assert record["body"]["people"] == sorted(FIRST)
    assert not any(key in str(record) for key in keys.values())


TOO_FEW = {
    "one person": {"adam": Role.ADMINISTRATOR},
    "no administrator": {"paul": Role.PRIVACY_OFFICER, "sara": Role.SECURITY_ANALYST},
    "nobody to approve": {"adam": Role.ADMINISTRATOR, "ines": Role.INTEGRATION_ENGINEER},
    "nobody to approve the approver's role": {"adam": Role.ADMINISTRATOR, "clara": Role.CLINICIAN},
    "a role nobody is granted": {"adam": Role.ADMINISTRATOR, "paul": Role.PRIVACY_OFFICER, "x": Role.SETUP},
}


@pytest.mark.parametrize("name", TOO_FEW)
def test_people_who_could_not_run_a_site_are_refused(site, admin, name):
    assert refused(lambda: admin.changes.found(first_documents(1, TOO_FEW[name]), ME)) is Reason.INPUT_INVALID
    assert admin.state()["founded"] is False


def test_the_smallest_site_that_works(site, admin):
    three = {"adam": Role.ADMINISTRATOR, "ines": Role.INTEGRATION_ENGINEER, "paul": Role.PRIVACY_OFFICER}
    founded.found(admin, connect(site.database_url), 1, three)
    assert admin.state()["founded"] is True
