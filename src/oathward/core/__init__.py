"""The ground floor: words, errors, time, ids, settings, database. Imports nothing of ours."""
