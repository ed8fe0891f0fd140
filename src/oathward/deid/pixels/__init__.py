"""Text burned into the pixels of DICOM images: who is at risk, what is blanked, what is held.

Rules:
- An image is at risk unless its header shows that it is not (``risk``); what is not at risk is not touched, not even decoded.
- What is outside an ultrasound's regions, what a model is known to draw, and what was read and is no clinical marker is
  blanked, in every frame, with the value that stands around it. Every other pixel stays as it was.
- It is read again after that. What can still be read is blanked, a few times; then the image is held. So is one that
  cannot be decoded, or that nobody can read here: reading is I/O and comes in as a function.
- Only decoders under permissive licences: pydicom's own, and the extra ``pixels``.

Deliberately absent: faces, and what a person wrote by hand (reading finds print).
"""
