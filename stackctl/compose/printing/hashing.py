"""What makes the containers of a service, as one short text: equal texts, equal containers.

Left out is what can change while a container runs on: how many there are, how they are built or
fetched, what they wait for, when they are switched on. Contents of configs and secrets are not
part of it either, as with `docker compose`; on one engine they have a label of their own.
"""

import hashlib
import json

from stackctl.compose.document import Service
from stackctl.compose.printing.services import service_keys

_NOT_OF_CONTAINERS = frozenset(
    ("build", "pull_policy", "pull_refresh_after", "depends_on", "profiles", "develop")
)


def service_hash(service: Service) -> str:
    """64 hexadecimal digits."""
    keys = {
        key: value for key, value in service_keys(service).items() if key not in _NOT_OF_CONTAINERS
    }
    deploy = keys.get("deploy")
    if isinstance(deploy, dict):
        keys["deploy"] = {key: value for key, value in deploy.items() if key != "replicas"}
        if not keys["deploy"]:
            del keys["deploy"]
    text = json.dumps(keys, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
