"""What a file is, one format a file, each with the constant ``FORMAT``."""
