"""The files of the wider world: how they are named, written and read."""
