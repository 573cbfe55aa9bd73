"""Commands that print a list. They know nothing of flags, so that `fast_path` and typer share them.

Each takes the session, the names given, and `ListOptions`; it returns the exit code.
"""
