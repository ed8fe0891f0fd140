"""Read notices, for people: what recipients were told, what they answered, and whose receipt is missing."""

from __future__ import annotations

from oathward.consent.notices.sql import NoticeRow, missing_count, rows

__all__ = ["NoticeRow", "missing_count", "rows"]
