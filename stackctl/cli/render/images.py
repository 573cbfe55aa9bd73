"""Image names as tables show them."""


def without_digest(image: str) -> str:
    """`web:1` from `web:1@sha256:…`; an image known by its digest alone keeps it."""
    name, separator, _ = image.partition("@")
    return name if separator and ":" in name.rpartition("/")[2] else image
