"""Notices to recipients: what a patient allows a link now, told to whoever had something of this patient there."""
