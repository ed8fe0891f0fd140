"""Sites that several tests of a file share."""

import pytest
from tests.site import Site, bundle, local
from tests.wire import Recipient


@pytest.fixture(scope="module")
def recipient():
    recipient = Recipient()
    yield recipient
    recipient.close()


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
