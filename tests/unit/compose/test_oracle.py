"""The docker client's own reading of format 3 beside ours: its answers are what we recorded."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests import compose_oracle as oracle

# Every key that format 3.13 knows, by section (build, expose and others without effect too).
KEYS = {
    "": "version services networks volumes secrets configs",
    "services.*": """
        build cap_add cap_drop cgroup_parent cgroupns_mode command configs container_name
        credential_spec depends_on deploy devices dns dns_search domainname entrypoint env_file
        environment expose external_links extra_hosts healthcheck hostname image init ipc isolation
        labels links logging mac_address network_mode networks oom_score_adj pid ports privileged
        read_only restart secrets security_opt shm_size stdin_open stop_grace_period stop_signal
        sysctls tmpfs tty ulimits user userns_mode volumes working_dir""",
    "services.*.build": """
        args cache_from context dockerfile extra_hosts isolation labels network shm_size target""",
    "services.*.credential_spec": "config file registry",
    "services.*.deploy": """
        endpoint_mode labels mode placement replicas resources restart_policy rollback_config
        update_config""",
    "services.*.deploy.placement": "constraints max_replicas_per_node preferences",
    "services.*.deploy.resources.limits": "cpus memory pids",
    "services.*.deploy.resources.reservations": "cpus generic_resources memory",
    "services.*.deploy.restart_policy": "condition delay max_attempts window",
    "services.*.deploy.update_config": """
        delay failure_action max_failure_ratio monitor order parallelism""",
    "services.*.deploy.rollback_config": """
        delay failure_action max_failure_ratio monitor order parallelism""",
    "services.*.healthcheck": """
        disable interval retries start_interval start_period test timeout""",
    "services.*.logging": "driver options",
    "services.*.networks.*": "aliases driver_opts ipv4_address ipv6_address",
    "services.*.ports.*": "mode protocol published target",
    "services.*.secrets.*": "gid mode source target uid",
    "services.*.configs.*": "gid mode source target uid",
    "services.*.volumes.*": "bind consistency read_only source target tmpfs type volume",
    "services.*.volumes.*.volume": "nocopy subpath",
    "services.*.volumes.*.bind": "propagation",
    "services.*.volumes.*.tmpfs": "size",
    "networks.*": "attachable driver driver_opts external internal ipam labels name",
    "networks.*.ipam": "config driver",
    "networks.*.ipam.config.*": "subnet",
    "volumes.*": "driver driver_opts external labels name x-cluster-spec",
    "secrets.*": "driver driver_opts external file labels name template_driver",
    "configs.*": "external file labels name template_driver",
}


def key_paths(value: object, path: str = "") -> Iterator[str]:
    """The paths of all keys, each step with its name and as `*`, since names are the user's."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}.{key}".lstrip(".")
            yield from key_paths(inner, f"{path}.{key}")
            yield from key_paths(inner, f"{path}.*")
    elif isinstance(value, list):
        for inner in value:
            yield from key_paths(inner, f"{path}.*")


def test_every_key_of_the_format_is_asked_about() -> None:
    used: set[str] = set()
    for case in oracle.CASES:
        if not oracle.recorded(case).refusal and not case.startswith("odd_"):
            for path in oracle.files(case):
                used |= set(key_paths(yaml.safe_load(path.read_text())))
    wanted = {f"{path}.{key}".lstrip(".") for path, keys in KEYS.items() for key in keys.split()}
    assert wanted - used == set()


@pytest.mark.parametrize("case", oracle.CASES)
def test_the_recorded_answer_is_what_this_client_says(case: str, tmp_path: Path) -> None:
    if oracle.client_version() == oracle.recorded_version():
        assert oracle.ask(case, tmp_path) == oracle.recorded(case)
    else:  # no client, or another one: the recording is what the other tests compare with
        assert any(oracle.recorded(case))
