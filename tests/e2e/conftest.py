"""Sites and browsers that several tests of a file share."""

import pytest
from tests.e2e.browser import axe_source, browser
from tests.site import Site, bundle, local
from tests.wire import Recipient


@pytest.fixture(scope="module")
def recipient():
    recipient = Recipient()
    yield recipient
    recipient.close()


@pytest.fixture(scope="module")
def chromium():
    with browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def axe():
    return axe_source()


@pytest.fixture(scope="module")
def site(tmp_path_factory, recipient):
    """A served site with one device (by address) and one care recipient."""
    site = Site.make(
        tmp_path_factory.mktemp("site"), mllp="message_time_s_max = 1.0\nmessage_size_bytes_max = 100000"
    )
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local())
    site.start()
    yield site
    site.stop()
