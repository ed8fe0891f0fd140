"""Who signs in at the patient portal, and what they may see there: the keeper's own rows, codes, sessions and operations."""
