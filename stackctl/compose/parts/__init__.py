"""Structs of the typed document for what only Compose has, each family in a module of its own."""
