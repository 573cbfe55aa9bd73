"""Readers of the sections of a Compose file: positioned tree to typed document."""
