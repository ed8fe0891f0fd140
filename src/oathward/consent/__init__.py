"""Consent: what each patient allowed or denied, signed as a whole per patient."""
