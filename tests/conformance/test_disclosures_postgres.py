"""Wrong patient on PostgreSQL: reported, taken back, late and erased, as elsewhere."""

import pytest
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.web import test_patients_page
from tests.unit.web.test_disclosures_page import (  # noqa: F401  its tests and fixtures run here too
    mrn,
    nothing_known,
    sent,
    test_a_device_that_takes_a_result_back_is_noticed_and_its_messages_are_found,
    test_late_it_is_a_finding_once_and_an_erased_patient_leaves_no_row,
    test_reported_it_names_who_got_it_and_is_settled_once,
)

pytestmark = needs_postgres


@pytest.fixture
def world(postgres_url, tmp_path):  # noqa: F811  the fixture
    with test_patients_page.opened(tmp_path / "s", f'[database]\nurl = "{postgres_url}"\n') as found:
        yield found
