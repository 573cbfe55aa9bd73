"""The keys of a service that reach the engine as they are: processors, memory, namespaces, …"""

import pytest

from stackctl.compose.document import WindowsOptions
from stackctl.model.specs import PullPolicy
from tests.unit.compose.document_reading import read_service, service_problems


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ("annotations: {a: b, n: 1, e: }", "annotations", {"a": "b", "n": "1", "e": ""}),
        ("annotations: [a=b=c, e]", "annotations", {"a": "b=c", "e": ""}),
        ("cgroup: private", "cgroup", "private"),
        ("cgroupns_mode: host", "cgroup", "host"),
        ("cgroup: host\ncgroupns_mode: host", "cgroup", "host"),
        ("cgroup_parent: m-executor-abcd", "cgroup_parent", "m-executor-abcd"),
        ("cpu_shares: 73", "cpu_shares", 73),
        ("cpu_shares: '73'", "cpu_shares", 73),
        ("cpu_quota: 50000", "cpu_quota", 50_000),
        ("cpu_quota: 50ms", "cpu_quota", 50_000),
        ("cpu_quota: -1", "cpu_quota", -1),
        ("cpu_quota: '-1'", "cpu_quota", -1),
        ("cpu_period: '20000'", "cpu_period", 20_000),
        ("cpu_period: 20ms", "cpu_period", 20_000),
        ("cpu_rt_runtime: 400ms", "cpu_realtime_runtime", 400_000),
        ("cpu_rt_runtime: 95000", "cpu_realtime_runtime", 95_000),
        ("cpu_rt_period: 1400us", "cpu_realtime_period", 1400),
        ("cpuset: 0-3", "cpuset", "0-3"),
        ("cpuset: '0,2-5,7'", "cpuset", "0,2-5,7"),
        ("domainname: example.org", "domainname", "example.org"),
        ("group_add: [mail, 1000, '7', mail]", "groups", ("mail", "1000", "7")),
        ("ipc: shareable", "ipc", "shareable"),
        ("ipc: service:db", "ipc", "service:db"),
        ("pid: host", "pid", "host"),
        ("pid: container:other", "pid", "container:other"),
        ("pid: ''", "pid", ""),
        ("uts: host", "uts", "host"),
        ("userns_mode: host", "userns_mode", "host"),
        ("network_mode: none", "network_mode", "none"),
        ("network_mode: bridge", "network_mode", "bridge"),
        ("network_mode: service:db", "network_mode", "service:db"),
        ("mac_address: 02-42-AC-11-65-43", "mac_address", "02:42:ac:11:65:43"),
        ("mem_swappiness: 0", "memory_swappiness", 0),
        ("mem_swappiness: '60'", "memory_swappiness", 60),
        ("memswap_limit: -1", "memory_swap_bytes", -1),
        ("memswap_limit: '-1'", "memory_swap_bytes", -1),
        ("memswap_limit: 2g\nmem_limit: 1g", "memory_swap_bytes", 2 << 30),
        ("oom_kill_disable: 'true'", "oom_kill_disable", True),
        ("oom_score_adj: -1000", "oom_score_adjustment", -1000),
        ("oom_score_adj: '500'", "oom_score_adjustment", 500),
        ("platform: linux/arm64/v8", "platform", "linux/arm64/v8"),
        ("platform: linux", "platform", "linux"),
        ("runtime: runc", "runtime", "runc"),
        ("storage_opt: {size: 1G}", "storage_options", {"size": "1G"}),
        ("device_cgroup_rules: ['c 1:3 mr', 'a 7:* rmw']", "device_cgroup_rules", None),
    ],
)
def test_keys(body: str, field: str, value: object) -> None:
    found = getattr(read_service(body).container, field)
    assert found == (("c 1:3 mr", "a 7:* rmw") if value is None else value)


@pytest.mark.parametrize(
    ("written", "policy", "seconds", "builds"),
    [
        ("always", PullPolicy.ALWAYS, 0, False),
        ("never", PullPolicy.NEVER, 0, False),
        ("missing", PullPolicy.MISSING, 0, False),
        ("if_not_present", PullPolicy.MISSING, 0, False),
        ("build", PullPolicy.MISSING, 0, True),
        ("refresh", PullPolicy.REFRESH, 0, False),
        ("daily", PullPolicy.REFRESH, 86_400, False),
        ("weekly", PullPolicy.REFRESH, 604_800, False),
        ("every_12h", PullPolicy.REFRESH, 43_200, False),
        ("every_1w2d3h4m5s", PullPolicy.REFRESH, 788_645, False),
        ("refresh\npull_refresh_after: 90m", PullPolicy.REFRESH, 5400, False),
    ],
)
def test_pull_policies(written: str, policy: PullPolicy, seconds: float, builds: bool) -> None:
    service = read_service(f"pull_policy: {written}")
    assert service.container.pull_policy is policy
    assert service.container.pull_refresh_seconds == seconds
    assert service.pull_builds is builds


def test_what_only_windows_has_stands_apart() -> None:
    service = read_service("isolation: hyperv\ncpu_count: 2\ncpu_percent: 12.5")
    assert service.windows == WindowsOptions(isolation="hyperv", cpu_count=2, cpu_percent=12.5)
    assert read_service("").windows is None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("annotations: [=b]", "annotations[0]: there is no name; write NAME=value"),
        (
            "cgroup: public",
            "cgroup: must be host, private, service:NAME or container:NAME, not text (public)",
        ),
        ("cgroup: host\ncgroupns_mode: private", "cgroupns_mode: contradicts cgroup"),
        ("cpu_shares: 1", "cpu_shares: must be at least 2, or 0 for the engine's own"),
        ("cpu_quota: 10", "cpu_quota: must be at least 1000 (1ms), or -1 for no limit"),
        ("cpu_quota: soon", "cpu_quota: 'soon': not a duration"),
        ("cpu_period: 5s", "cpu_period: must be from 1000 (1ms) to 1000000 (1s)"),
        (
            "cpu_rt_runtime: 2ms\ncpu_rt_period: 1ms",
            "cpu_rt_runtime: must not be above cpu_rt_period",
        ),
        ("cpuset: 0", "cpuset: must be text, not a number (0); put it in quotes"),
        ("cpuset: 3-1", "cpuset: the range 3-1 ends before it begins"),
        ("cpuset: all", "cpuset: 'all' is no set of processors such as 0-3 or 0,2"),
        ("cpus: 1\ncpu_quota: 5000", "cpu_quota: excludes a limit of cpus"),
        ("cpus: 1\ncpu_period: 5000", "cpu_period: excludes a limit of cpus"),
        ("domainname: a_b c", "domainname: 'a_b c' is no name of a domain"),
        ("group_add: [-1]", "group_add[0]: must be at least 0, not -1"),
        ("group_add: mail", "group_add: must be a list of groups, not text (mail)"),
        ("ipc: shared", "ipc: must be shareable, private, host, none, service:NAME or container:"),
        ("pid: 'service:'", "pid: no name after service:; write service:NAME"),
        ("userns_mode: keep-id", "userns_mode: must be host, not text (keep-id)"),
        ("uts: hots", "uts: must be host, service:NAME or container:NAME, not text (hots); did"),
        ("network_mode: front", "container:NAME, not text (front); name a network of the file"),
        ("uts: host\nhostname: web", "hostname: excludes uts: host; keep one of the two"),
        ("network_mode: service:db\ndns: 1.1.1.1", "dns: excludes network_mode: service:db"),
        ("mac_address: 02:42", "mac_address: '02:42' is no MAC address"),
        ("mem_swappiness: 101", "mem_swappiness: must be at most 100, not 101"),
        ("memswap_limit: 1g", "memswap_limit: has no effect without a limit of memory"),
        (
            "memswap_limit: 1g\nmem_limit: 2g",
            "memswap_limit: counts memory and swap together, and is below the limit of memory",
        ),
        ("oom_score_adj: 1001", "oom_score_adj: must be at most 1000, not 1001"),
        ("platform: linux/", "platform: 'linux/' is no platform such as linux/arm64"),
        ("storage_opt: [size=1]", "storage_opt: must be a mapping, not a list"),
        ("device_cgroup_rules: [c 1:3]", "device_cgroup_rules[0]: 'c 1:3' is no rule for devices"),
        (
            "pull_policy: alway",
            "every_TIME such as every_12h, not text (alway); did you mean always",
        ),
        ("pull_policy: every_", "pull_policy: must be always, never"),
        ("pull_policy: every_99999999w", "a duration cannot be longer than 292 years"),
        ("pull_refresh_after: 1d", "has no effect without pull_policy: refresh"),
        ("cpu_percent: 101", "cpu_percent: must be a number from 0 to 100, not a number (101)"),
        ("cpu_count: -1", "cpu_count: must be at least 0, not -1"),
    ],
)
def test_mistakes(body: str, problem: str) -> None:
    (found,) = service_problems(body)
    assert problem in found
