"""A patient's copy: as a FHIR Bundle, as a page to print, as PDF."""
