"""The Compose file: text in, a stack's spec or all of its problems out. The door is `load`."""
