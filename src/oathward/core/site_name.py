"""The site's name, pinned when its data folder is made: ``trust/site``.

Rules:
- Every row, key and signature names the site; under another name they would all look foreign or forged.
  So a folder opens only under the name it was made with.
- The pin says which name is right; it proves nothing. What is signed does that.
"""

from __future__ import annotations

from pathlib import Path

from oathward.core.errors import SettingsError
from oathward.core.settings import Settings


def path_of(settings: Settings) -> Path:
    """Give the file of the pin."""
    return settings.data / "trust" / "site"


def check(settings: Settings) -> None:
    """Pass only the name the folder was made with; a folder without a pin passes.

    Raises:
        SettingsError: the settings name another site.
    """
    path = path_of(settings)
    try:
        pinned = path.read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), "cannot be read") from error
    if pinned != settings.site.name:
        raise refusal(pinned)


def refusal(pinned: str) -> SettingsError:
    """Say that the settings name another site than this folder's."""
    return SettingsError(
        "oathward.toml [site] name", f"this data folder is site `{pinned}`; its name cannot change"
    )
