"""The MLLP door: ``listener`` (who may connect), ``connection`` (one sender's bytes and acknowledgements)."""
