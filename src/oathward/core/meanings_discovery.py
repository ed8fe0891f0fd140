"""What reasons mean where sensors' files, logs and lists are read."""

from __future__ import annotations

from oathward.core.meaning import Meaning
from oathward.core.reasons import Reason

DISCOVERY: dict[Reason, Meaning] = {
    Reason.OBSERVED_TIME: Meaning(
        "a time before or after what can be: the sensor's clock was wrong, or jumped",
        "set the sensor's clock by NTP; what it saw before is not used",
    ),
    Reason.OBSERVED_COLUMNS: Meaning(
        "a log or list whose columns are not those that its format has, or that its header does not name",
        "have it written anew with its header; for lists, say which column is what",
    ),
}
