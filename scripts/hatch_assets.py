"""Hatch build hook: the console's assets are built before a wheel, also an editable one, is put together.

The output is git-ignored, so it is named as an artifact (``pyproject.toml``) and goes into the wheel.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))

import assets


class AssetsHook(BuildHookInterface):  # type: ignore[type-arg]  # generic only in its builder's configuration
    """Build the assets, or find them current."""

    PLUGIN_NAME = "assets"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build; hatch calls this before it collects files, for ``standard`` and ``editable`` wheels alike."""
        del version, build_data
        assets.build()
