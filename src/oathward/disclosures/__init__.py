"""Data of a device that went out under the wrong patient: reported or corrected, followed to whoever got it."""
