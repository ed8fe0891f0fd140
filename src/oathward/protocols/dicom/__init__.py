"""DICOM files: read as they are encoded, and the part of them that may leave.

Rules:
- What an attribute may become says the table of PS3.15 Annex E (``annex_e``), by option; what that does not list says
  ``catalogue``. The classes that a profile permits narrow it, never the other way round.
- Pixel data is neither read nor copied: what is written is a list of new bytes and of runs of the input.

Deliberately absent: I/O, network services, and the pixels themselves (``deid/pixels``).

Source: DICOM PS3.5 (encoding), PS3.6 (dictionary), PS3.10 (files), PS3.15 Annex E (confidentiality profiles).
"""
