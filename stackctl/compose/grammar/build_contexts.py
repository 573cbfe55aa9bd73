"""Where a build takes its files from: a local folder, or something that the builder fetches.

An additional context may also be another service's image (`service:NAME`), an image of a registry
(`docker-image://`) or a folder in the layout of OCI (`oci-layout://`).
"""

SERVICE_PREFIX = "service:"

_REMOTE_PREFIXES = ("github.com/", "git@")


def is_remote(context: str) -> bool:
    """True for a URL or a repository; a local path begins with none of these."""
    return "://" in context or context.startswith(_REMOTE_PREFIXES)


def is_other_service(context: str) -> bool:
    """True for the image that another service builds."""
    return context.startswith(SERVICE_PREFIX)
