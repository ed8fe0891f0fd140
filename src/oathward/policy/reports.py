"""What a patient may report as wrong, and what a report can come to: one code each, with its words for staff.

Rules:
- A code stands in records and in the keeper's store; what a patient reads of it stands in the portal's texts.
- ``maker`` is about data that go to a device's maker without passing here; ``looked`` may name the record of an opening.

Deliberately absent: what the patient wrote (sealed under the patient's key), and who may read it (``rules/*.cedar``).
"""

from __future__ import annotations

from collections.abc import Mapping

KINDS: Mapping[str, str] = {
    "data": "Data are wrong",
    "device": "A device is not theirs",
    "looked": "Somebody looked who should not have",
    "maker": "A device sends to its maker",
    "other": "Something else",
}
"""Code -> how staff's page says it."""

OUTCOMES: Mapping[str, str] = {
    "mended": "It was wrong and is mended",
    "stopped": "It was wrong and is stopped",
    "explained": "It is right; the patient was told why",
    "passed-on": "Passed on to who can act on it",
    "nothing-found": "Looked into; nothing wrong was found",
}
"""Code -> how staff's page says it."""
