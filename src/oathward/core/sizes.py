"""How sizes are said, everywhere alike: in units of 1,024 (IEC 80000-13)."""

from __future__ import annotations

_BYTES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def size(count_bytes: float) -> str:
    """Write a size: ``1.5 KiB``."""
    for unit, factor in _BYTES:
        if count_bytes >= factor:
            return f"{count_bytes / factor:,.1f} {unit}"
    return f"{count_bytes:,.0f} bytes"
