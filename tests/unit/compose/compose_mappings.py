"""Compose files of every shape, as plain mappings: what the printing tests draw from.

Each strategy knows the forms that a key may have, short and long. Keys that exclude each other are
drawn together in one place, so that nearly every file drawn is a good one.
"""

import string
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Drawn = st.SearchStrategy[Any]

ODD_TEXTS = ("yes", "1e3", "08", "22:22", "~", "null", "a: b", "#", "a\nb\n", "$", "${X:-y}", "ü ")
NAMES = ("a", "web", "db-1", "cache_2")

texts = st.one_of(
    st.sampled_from(ODD_TEXTS),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12),
).filter(lambda text: "{{" not in text)
words = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
names = st.sampled_from(NAMES)
booleans = st.sampled_from((True, False, "true", "no"))
numbers = st.integers(1, 500)
durations = st.sampled_from(("5s", "1m30s", "1h", "90s", "0.5s", "1500ms", "2d", "1h0.001s"))
sizes = st.sampled_from((8_000_000, "16M", "1.5gb", "64 MiB", "7340033b"))
paths = st.sampled_from(("/srv", "/a/b", "/with space", "/é"))
folders = st.sampled_from(("./here", "../up", "/absolute", "."))
addresses = st.sampled_from(("10.1.2.3", "192.168.0.9", "fd00::7"))
images = st.sampled_from(
    ("busybox", "nginx:1.25", "registry.example:5000/a/b:1@sha256:" + "0" * 64)
)


def lists(item: Drawn, *, most: int = 3) -> Drawn:
    return st.lists(item, min_size=1, max_size=most, unique_by=repr)


def mappings(key: Drawn, value: Drawn) -> Drawn:
    return st.dictionaries(key, value, min_size=1, max_size=3)


def some(**keys: Drawn) -> Drawn:
    return st.fixed_dictionaries({}, optional=keys)


def with_some(required: Mapping[str, Drawn], /, **keys: Drawn) -> Drawn:
    return st.fixed_dictionaries(dict(required), optional=keys)


def one_or_list(item: Drawn) -> Drawn:
    return st.one_of(item, lists(item))


named_texts = st.one_of(
    mappings(words, st.one_of(texts, numbers, st.booleans(), st.floats(-1e9, 1e9))),
    lists(st.builds("{}={}".format, words, texts)),
)
commands: Drawn = st.one_of(
    st.none(), st.just([]), lists(texts), st.sampled_from(("run 'a b' c", ""))
)
# Numbers without bounds are words in JSON, so these do not come back.
bounded = st.floats(allow_nan=False, allow_infinity=False)
extensions = st.recursive(
    st.one_of(texts, st.none(), st.booleans(), st.integers(), bounded),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(texts, inner, max_size=2)),
    max_leaves=4,
)
files = st.one_of(
    names,
    with_some(
        {"source": names, "target": paths},
        uid=words.filter(str.isdecimal) | st.just("7"),
        gid=st.just("9"),
        mode=st.sampled_from((0o400, 0o777, "0440", 0)),
    ),
)
told = st.one_of(
    files,
    st.fixed_dictionaries(
        {"source": names, "x-on-change": st.sampled_from(("SIGHUP", "usr1", "12"))}
    ),
)
ports = st.one_of(
    st.integers(1, 65535),
    st.sampled_from(
        ("80", "8080:80", "9000-9003:80", "70-72:60-62/udp", "127.0.0.1:5:5", "[::1]:6:7/sctp")
    ),
    with_some(
        {"target": st.integers(1, 65535) | st.just("90")},
        published=st.sampled_from((0, 8443, "8000", "7000-7002", "")),
        protocol=st.sampled_from(("tcp", "UDP", "sctp")),
        mode=st.sampled_from(("host", "ingress")),
        host_ip=st.sampled_from(("0.0.0.0", "::", "10.0.0.1")),
        name=texts,
        app_protocol=words,
    ),
)
mounts = st.one_of(
    st.sampled_from(
        ("/anonymous", "a:/named:Z", "./x:/bound:ro", "~/y:/home:rw,rslave,z", "w:/v:nocopy")
    ),
    with_some(
        {"type": st.just("bind"), "source": folders, "target": paths},
        read_only=booleans,
        consistency=st.just("cached"),
        bind=some(
            propagation=st.just("rshared"),
            create_host_path=booleans,
            recursive=st.just("readonly"),
            selinux=st.sampled_from("zZ"),
        ),
    ),
    with_some(
        {"type": st.just("volume"), "target": paths},
        source=names,
        volume=some(nocopy=booleans, subpath=words, labels=named_texts),
    ),
    with_some(
        {"type": st.just("tmpfs"), "target": paths},
        tmpfs=some(size=sizes, mode=st.sampled_from((0o700, "1777"))),
    ),
    with_some(
        {"type": st.just("image"), "source": images, "target": paths}, image=some(subpath=words)
    ),
)
device_requests = lists(
    with_some(
        {"capabilities": lists(words)},
        driver=words,
        options=mappings(words, words),
    ).flatmap(
        lambda request: st.one_of(
            st.just(request),
            st.just({**request, "count": "all"}),
            st.just({**request, "count": 2}),
            st.just({**request, "device_ids": ["0", "1"]}),
        )
    )
)
hook = {
    "user": words,
    "privileged": booleans,
    "working_dir": paths,
    "environment": named_texts,
}
hooks = lists(with_some({"command": lists(texts)}, **hook))
policies = some(
    parallelism=st.integers(0, 5),
    delay=durations,
    failure_action=st.sampled_from(("pause", "continue")),
    monitor=durations,
    max_failure_ratio=st.sampled_from((0, 0.25, "0.5", 1)),
    order=st.sampled_from(("start-first", "stop-first")),
)
services_that_stay = some(
    mode=st.just("replicated"),
    replicas=st.one_of(st.integers(0, 9), st.just("4")),
    labels=named_texts,
    endpoint_mode=st.sampled_from(("vip", "dnsrr")),
    placement=some(
        **{
            "constraints": lists(st.sampled_from(("node.role==manager", "node.labels.a != b c"))),
            "preferences": lists(st.just({"spread": "node.labels.zone"})),
            "max_replicas_per_node": st.integers(0, 4),
            "x-prefer": st.just(["node.labels.ssd == true"]),
            "x-anti-affinity": st.sampled_from((["db"], {"required": ["db"], "preferred": ["a"]})),
            "x-rebalance": st.sampled_from(("auto", "never")),
            "x-stay-with-volumes": booleans,
            "x-other": extensions,
        }
    ),
    resources=some(
        limits=some(
            cpus=st.sampled_from((1.5, "2", "0.001", 3)),
            memory=st.sampled_from(("2G", "3g")),
            pids=st.integers(-1, 100),
        ),
        reservations=some(
            cpus=st.sampled_from(("0.001", 0.001)),
            memory=st.sampled_from(("7M", 8_000_000)),
            devices=device_requests,
            generic_resources=st.just([{"discrete_resource_spec": {"kind": "fpga", "value": 2}}]),
        ),
    ),
    restart_policy=some(
        condition=st.sampled_from(("any", "on-failure", "none")),
        delay=durations,
        max_attempts=st.integers(0, 9),
        window=st.sampled_from(("0s", "49h")),
        **{"x-replace-lost": booleans},
    ),
    update_config=policies,
    rollback_config=policies,
)
deploy = st.one_of(
    services_that_stay,
    some(mode=st.just("replicated-job"), replicas=st.integers(0, 3)),
    some(mode=st.just("global"), labels=named_texts),
)
healthcheck = st.one_of(
    st.just({"disable": True}),
    with_some(
        {"test": st.sampled_from(("curl $x", ["CMD", "a b"], ["CMD-SHELL", "a || b"], ["NONE"]))},
        interval=durations,
        timeout=durations,
        retries=numbers,
    ),
    with_some({"start_period": durations}, start_interval=durations),
)
build = st.one_of(
    folders,
    with_some(
        {"context": st.one_of(folders, st.just("https://example.org/a.git#main"))},
        dockerfile=words,
        args=st.one_of(named_texts, mappings(words, st.none())),
        additional_contexts=mappings(
            words, st.sampled_from(("./x", "docker-image://a", "service:b"))
        ),
        cache_from=lists(texts),
        no_cache=booleans,
        pull=booleans,
        target=words,
        platforms=lists(words),
        provenance=st.sampled_from((True, "false", "mode=max")),
        sbom=booleans,
        secrets=lists(files),
        shm_size=sizes,
        ssh=st.sampled_from((["default"], ["a=/x"], {"default": None, "b": "/y"})),
        tags=lists(words),
        labels=named_texts,
        extra_hosts=st.just(["a=10.0.0.1"]),
        ulimits=st.just({"nofile": {"soft": 5, "hard": 9}}),
    ),
)
watch = with_some(
    {"path": folders, "action": st.sampled_from(("sync", "sync+restart")), "target": paths},
    ignore=one_or_list(texts),
    include=one_or_list(texts),
    initial_sync=booleans,
)
networks = st.one_of(
    lists(names),
    mappings(
        names,
        st.one_of(
            st.none(),
            some(
                aliases=lists(words),
                ipv4_address=st.just("10.9.8.7"),
                ipv6_address=st.just("fd00::9"),
                link_local_ips=st.just(["169.254.8.8"]),
                mac_address=st.just("02:42:ac:11:65:43"),
                driver_opts=mappings(words, texts),
                priority=numbers,
                gw_priority=numbers,
                interface_name=st.just("eth9"),
            ),
        ),
    ),
)
own_network = st.one_of(
    st.fixed_dictionaries({"networks": networks}),
    st.fixed_dictionaries(
        {"network_mode": st.sampled_from(("host", "none", "bridge", "service:db", "container:z"))}
    ),
    st.just({}),
)
own_processor = st.one_of(
    some(
        cpu_quota=st.sampled_from((1000, "5ms", -1)),
        cpu_period=st.sampled_from((2000, "10ms")),
        cpu_shares=st.integers(2, 500),
    ),
    some(cpuset=st.just("0-1,3")),
)
own_pulling = st.one_of(
    some(
        pull_policy=st.sampled_from(("always", "never", "missing", "build", "daily", "every_3d4h"))
    ),
    with_some({"pull_policy": st.just("refresh")}, pull_refresh_after=durations),
)
service_keys = with_some(
    {"image": images},
    annotations=named_texts,
    attach=booleans,
    blkio_config=some(
        weight=st.integers(10, 1000),
        weight_device=st.just([{"path": "/dev/a", "weight": 20}]),
        device_read_bps=st.just([{"path": "/dev/a", "rate": "1mb"}]),
        device_write_iops=st.just([{"path": "/dev/a", "rate": 9}]),
    ),
    build=build,
    cap_add=lists(st.sampled_from(("NET_ADMIN", "cap_chown", "sys_time"))),
    cap_drop=lists(st.sampled_from(("ALL", "KILL", "SYS_TIME"))),
    cgroup=st.sampled_from(("host", "private")),
    cgroup_parent=texts,
    command=commands,
    configs=lists(told),
    container_name=st.just("only_one"),
    credential_spec=st.just({"registry": "x"}),
    depends_on=st.one_of(
        lists(names),
        mappings(
            names,
            with_some(
                {
                    "condition": st.sampled_from(
                        ("service_healthy", "service_completed_successfully")
                    )
                },
                restart=booleans,
                required=booleans,
            ),
        ),
    ),
    deploy=deploy,
    develop=st.fixed_dictionaries({"watch": lists(watch)}),
    device_cgroup_rules=st.just(["c 1:3 mr"]),
    devices=lists(
        st.sampled_from(
            ("/dev/a", "/dev/b:/dev/c:r", "vendor.example/class=one", {"source": "/dev/d"})
        )
    ),
    dns=one_or_list(addresses),
    dns_opt=lists(words),
    dns_search=one_or_list(words),
    domainname=words,
    entrypoint=commands,
    environment=named_texts,
    expose=lists(st.sampled_from(("80", 81, "82/udp", "90-95"))),
    external_links=lists(st.sampled_from(("redis", "redis:cache"))),
    extra_hosts=st.sampled_from((["a=10.0.0.1", "b:::1"], {"c": "10.0.0.2"}, ["d=host-gateway"])),
    group_add=lists(st.sampled_from(("audio", 1000))),
    healthcheck=healthcheck,
    hostname=st.just("host.example"),
    init=booleans,
    ipc=st.sampled_from(("host", "shareable", "service:db")),
    isolation=words,
    labels=named_texts,
    links=lists(st.sampled_from(("db", "db:database"))),
    logging=some(driver=words, options=mappings(words, st.one_of(texts, numbers))),
    mem_swappiness=st.integers(0, 100),
    models=st.one_of(lists(names), mappings(names, some(endpoint_var=words, model_var=words))),
    oom_kill_disable=booleans,
    oom_score_adj=st.integers(-1000, 1000),
    pid=st.just("host"),
    platform=st.sampled_from(("linux", "linux/arm64/v8")),
    ports=lists(ports),
    post_start=hooks,
    pre_start=lists(some(command=commands, image=images, per_replica=booleans, **hook)),
    pre_stop=hooks,
    privileged=booleans,
    profiles=lists(st.sampled_from(("debug", "test"))),
    provider=with_some({"type": words}, options=mappings(words, st.one_of(texts, lists(texts)))),
    read_only=booleans,
    restart=st.sampled_from(("no", "always", "unless-stopped", "on-failure:3")),
    runtime=words,
    secrets=lists(told),
    security_opt=st.just(["no-new-privileges:true", "label=disable"]),
    shm_size=sizes,
    stdin_open=booleans,
    stop_grace_period=durations,
    stop_signal=st.sampled_from(("SIGUSR1", "9", "RTMIN+3")),
    storage_opt=mappings(words, texts),
    sysctls=mappings(words, words),
    tmpfs=one_or_list(
        st.sampled_from(("/run", "/tmp:size=1m,mode=755,ro", "/o:uid=5,ro,exec", "/p:noatime"))
    ),
    tty=booleans,
    ulimits=st.sampled_from(({"nproc": 5}, {"nofile": {"soft": 1, "hard": -1}, "core": 0})),
    use_api_socket=booleans,
    user=words,
    userns_mode=st.just("host"),
    uts=st.just("host"),
    volumes=lists(mounts),
    volumes_from=lists(st.sampled_from(("db", "a:ro", "container:z"))),
    working_dir=paths,
    **{"x-note": extensions},
)
services = st.tuples(service_keys, own_network, own_processor, own_pulling).map(
    lambda drawn: {key: value for part in drawn for key, value in part.items()}
)
external = st.fixed_dictionaries({"external": st.just(True)}, optional={"name": words})
network = st.one_of(
    st.none(),
    external,
    some(
        name=words,
        labels=named_texts,
        driver=words,
        driver_opts=mappings(words, st.one_of(texts, numbers)),
        internal=booleans,
        attachable=booleans,
        enable_ipv4=booleans,
        enable_ipv6=booleans,
        ipam=some(
            driver=words,
            options=mappings(words, texts),
            config=lists(
                with_some(
                    {"subnet": st.just("10.7.0.0/16")},
                    ip_range=st.just("10.7.1.0/24"),
                    gateway=st.just("10.7.0.1"),
                    aux_addresses=st.just({"router": "10.7.0.2"}),
                )
            ),
        ),
        **{"x-note": extensions},
    ),
)
volume = st.one_of(
    st.none(),
    external,
    some(
        name=words,
        labels=named_texts,
        driver=words,
        driver_opts=mappings(words, st.one_of(texts, numbers)),
        **{"x-note": extensions},
    ),
)
config = st.one_of(
    external,
    with_some({"content": texts}, name=words, labels=named_texts, **{"x-note": extensions}),
    with_some({"environment": st.just("HOME")}, template_driver=words),
)
secret = st.one_of(external, with_some({"environment": st.just("HOME")}, labels=named_texts))
model = with_some({"model": words}, name=words, context_size=numbers, runtime_flags=lists(texts))

compose_files = with_some(
    {"services": mappings(names, services)},
    version=st.just("3.8"),
    networks=mappings(names, network),
    volumes=mappings(names, volume),
    configs=mappings(names, config),
    secrets=mappings(names, secret),
    models=mappings(names, model),
    **{"x-top": extensions},
)
