"""What somebody should look at, until when: raised, deduplicated, assigned, due, suppressed, cleared; each change a record."""
