"""The courier process: one feed a link, one recorder, and an eye on policy and consent.

Rules:
- One courier a site: a lock file says so (tier 1); a second one ends at once.
- A new bundle or a changed consent makes every feed read its rows again and decide anew.
- While policy or consents cannot be read, nothing leaves.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections import Counter
from pathlib import Path

from oathward import consent
from oathward.activation import load_active
from oathward.app_types import App
from oathward.core.db import read
from oathward.core.errors import OathwardError, StorageError
from oathward.core.process import Status, told_to_stop
from oathward.core.reasons import Reason
from oathward.courier.carry import carry
from oathward.courier.feed import Feed, settled_error
from oathward.courier.files import FileWire
from oathward.courier.lane import Wire
from oathward.courier.mllp import MllpWire, client_context
from oathward.courier.model import Delivered, Item
from oathward.courier.recheck import Now, refused_now
from oathward.courier.record import Recorder, Settled
from oathward.messages.model import OutboxRow
