"""The recognisers, one a file, each with the constant ``RECOGNISER``; the file's name is the recogniser's name."""
