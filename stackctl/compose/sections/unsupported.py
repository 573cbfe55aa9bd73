"""Keys that Compose has and this cut of the reader has not, with advice for each.

They are refused, never dropped: a key that is ignored looks like one that works. None means that
there is nothing shorter to say than that it is not there yet.
"""

_OWN_NAMES = "remove it: services reach each other by their names"
_REMOVE = "remove it for the cluster"

TOP_LEVEL: dict[str, str | None] = {
    "secrets": None,
    "include": "put the services into this file",
    "models": None,
}

SERVICE: dict[str, str | None] = {
    "annotations": "use labels",
    "attach": _REMOVE,
    "blkio_config": None,
    "cgroup": None,
    "cgroup_parent": None,
    "cgroupns_mode": None,
    "container_name": "remove it: a task is named STACK_SERVICE.SLOT",
    "cpu_count": "use deploy.resources.limits.cpus",
    "cpu_percent": "use deploy.resources.limits.cpus",
    "cpu_period": "use deploy.resources.limits.cpus",
    "cpu_quota": "use deploy.resources.limits.cpus",
    "cpu_rt_period": None,
    "cpu_rt_runtime": None,
    "cpu_shares": "use deploy.resources.reservations.cpus",
    "cpus": "use deploy.resources.limits.cpus",
    "cpuset": None,
    "credential_spec": None,
    "depends_on": "remove it: services start in any order, so let the program retry",
    "develop": _REMOVE,
    "device_cgroup_rules": None,
    "devices": None,
    "domainname": "give the whole name as hostname",
    "extends": "write the keys here, or share them with an anchor and <<",
    "external_links": _OWN_NAMES,
    "gpus": None,
    "group_add": None,
    "ipc": None,
    "isolation": None,
    "label_file": "use labels",
    "links": _OWN_NAMES,
    "mac_address": None,
    "mem_limit": "use deploy.resources.limits.memory",
    "mem_reservation": "use deploy.resources.reservations.memory",
    "mem_swappiness": None,
    "memswap_limit": None,
    "models": None,
    "network_mode": "use networks",
    "oom_kill_disable": None,
    "oom_score_adj": None,
    "pid": None,
    "pids_limit": "use deploy.resources.limits.pids",
    "platform": "use a constraint on node.platform.arch",
    "post_start": None,
    "pre_start": None,
    "pre_stop": None,
    "profiles": "remove it, or keep the service in a file of its own",
    "provider": None,
    "pull_policy": None,
    "pull_refresh_after": None,
    "runtime": None,
    "scale": "use deploy.replicas",
    "secrets": "use configs for what may be read by all",
    "storage_opt": None,
    "use_api_socket": None,
    "userns_mode": None,
    "uts": None,
    "volume_driver": "name the driver of the volume under the top-level volumes",
    "volumes_from": "give both services the same named volume",
}

NETWORK: dict[str, str | None] = {
    "enable_ipv4": None,
    "enable_ipv6": None,
}

IPAM: dict[str, str | None] = {"options": None}
IPAM_CONFIG: dict[str, str | None] = {
    "ip_range": None,
    "gateway": "remove it: each node has a gateway of its own",
    "aux_addresses": None,
}

CONFIG: dict[str, str | None] = {
    "environment": 'use content: "${NAME}"',
    "template_driver": None,
    "driver": None,
    "driver_opts": None,
}

SERVICE_NETWORK: dict[str, str | None] = {
    "ipv4_address": "remove it: the manager chooses the addresses of tasks",
    "ipv6_address": "remove it: the manager chooses the addresses of tasks",
    "link_local_ips": None,
    "mac_address": None,
    "driver_opts": None,
    "priority": None,
    "gw_priority": None,
    "interface_name": None,
}

DEPLOY_RESOURCES_RESERVATIONS: dict[str, str | None] = {
    "devices": None,
    "generic_resources": None,
    "pids": "processes can be limited, not reserved: use deploy.resources.limits.pids",
}
