"""The emergency copy as bytes: its key, what is sealed to it, its file; nothing here needs a database or a keeper.

| file | what |
|---|---|
| ``keys`` | the copy's key file, under a passphrase; its public half with the keys that are trusted |
| ``sealing`` | seal to the copy's key, open with it |
| ``copies`` | the file: sections, signed manifest; written by atomic rename, read a section at a time |
"""
