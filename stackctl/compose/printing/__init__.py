"""The canonical form of a Compose file: document to mapping to YAML or JSON.

What is printed reads back to the same document, wherever the text lies by then: forms are long,
paths absolute, every `$` is doubled.
"""
