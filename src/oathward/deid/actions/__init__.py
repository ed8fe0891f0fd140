"""The actions, one a file, each with the constant ``ACTION``; the file's name is the action's name."""
