"""The keys of a service that describe its container."""

import pytest

from stackctl.model.specs import ContainerSpec, Healthcheck, LogDriver, Ulimit
from tests.unit.compose.stack_folder import StackFolder

NAMESPACE = {"com.docker.stack.namespace": "shop"}


def container(stack: StackFolder, body: str) -> ContainerSpec:
    return stack.service(body).task.container


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ("command: echo 'a b' c", "command", ("echo", "a b", "c")),
        ("command: [echo, 'a b']", "command", ("echo", "a b")),
        ("command: ''", "command", ()),
        ("command: []", "command", ()),
        ("command:", "command", None),
        ("entrypoint: /run.sh -x", "entrypoint", ("/run.sh", "-x")),
        ("entrypoint: null", "entrypoint", None),
        ("hostname: web.example.org", "hostname", "web.example.org"),
        ("working_dir: /srv", "working_dir", "/srv"),
        ('user: "1000:1000"', "user", "1000:1000"),
        ("user: www-data", "user", "www-data"),
        ("init: true", "init", True),
        ('init: "false"', "init", False),
        ("tty: yes", "tty", True),
        ("stdin_open: 'on'", "stdin_open", True),
        ("read_only: True", "read_only", True),
        ("privileged: true", "privileged", True),
        ("stop_signal: SIGUSR1", "stop_signal", "SIGUSR1"),
        ("stop_signal: term", "stop_signal", "term"),
        ("stop_signal: '9'", "stop_signal", "9"),
        ("stop_signal: SIGRTMIN+3", "stop_signal", "SIGRTMIN+3"),
        ("stop_grace_period: 1m30s", "stop_grace_period_seconds", 90),
        ("stop_grace_period: 0s", "stop_grace_period_seconds", 0),
        (
            "labels: {a: b, n: 1, f: 1.10, t: true, e: , x-y: z}",
            "labels",
            {"a": "b", "n": "1", "f": "1.1", "t": "true", "e": "", "x-y": "z", **NAMESPACE},
        ),
        ("labels: [a=b=c, e]", "labels", {"a": "b=c", "e": "", **NAMESPACE}),
        ("dns: 8.8.8.8", "dns", ("8.8.8.8",)),
        ("dns: [9.9.9.9, '2620:fe::fe']", "dns", ("9.9.9.9", "2620:fe::fe")),
        ("dns_search: example.org", "dns_search", ("example.org",)),
        ("dns_search: [.]", "dns_search", (".",)),
        ("dns_opt: [use-vc, ndots:2]", "dns_options", ("use-vc", "ndots:2")),
        (
            "cap_add: [net_admin, CAP_SYS_TIME, NET_ADMIN]",
            "cap_add",
            ("CAP_NET_ADMIN", "CAP_SYS_TIME"),
        ),
        ("cap_add: [NET_RAW, all]", "cap_add", ("ALL",)),
        ("cap_drop: [ALL]", "cap_drop", ("ALL",)),
        ("cap_add: [CHOWN]\ncap_drop: [CHOWN, KILL]", "cap_drop", ("CAP_KILL",)),
        ("sysctls: {net.core.somaxconn: 1024}", "sysctls", {"net.core.somaxconn": "1024"}),
        ("sysctls: [net.core.somaxconn=1024]", "sysctls", {"net.core.somaxconn": "1024"}),
        (
            "ulimits: {nproc: 65535, nofile: {soft: 20000, hard: 40000}}",
            "ulimits",
            (
                Ulimit(name="nofile", soft=20000, hard=40000),
                Ulimit(name="nproc", soft=65535, hard=65535),
            ),
        ),
        ("ulimits: {memlock: -1}", "ulimits", (Ulimit(name="memlock", soft=-1, hard=-1),)),
        (
            "ulimits: {memlock: {soft: '5', hard: -1}}",
            "ulimits",
            (Ulimit(name="memlock", soft=5, hard=-1),),
        ),
        ("shm_size: 64M", "shm_size_bytes", 64 << 20),
        ("shm_size: 4096", "shm_size_bytes", 4096),
        (
            "security_opt: ['no-new-privileges:true', apparmor=unconfined]",
            "security_options",
            ("no-new-privileges=true", "apparmor=unconfined"),
        ),
        (
            "security_opt: [no-new-privileges, 'seccomp:unconfined', 'label:disable']",
            "security_options",
            ("no-new-privileges", "seccomp=unconfined", "label=disable"),
        ),
        (
            "logging: {driver: json-file, options: {max-file: 3, max-size: 10m}}",
            "log_driver",
            LogDriver(name="json-file", options={"max-file": "3", "max-size": "10m"}),
        ),
        ("logging: {driver: none}", "log_driver", LogDriver(name="none")),
        (
            "extra_hosts: ['a=10.0.0.1', 'b:10.0.0.2', 'c=::1', 'd:[::1]', 'e=host-gateway']",
            "extra_hosts",
            ("a:10.0.0.1", "b:10.0.0.2", "c:::1", "d:::1", "e:host-gateway"),
        ),
        (
            "extra_hosts: {a: 10.0.0.1, b: [10.0.0.2, 10.0.0.3]}",
            "extra_hosts",
            ("a:10.0.0.1", "b:10.0.0.2", "b:10.0.0.3"),
        ),
        ("extra_hosts: ['a=10.0.0.1,10.0.0.2']", "extra_hosts", ("a:10.0.0.1", "a:10.0.0.2")),
    ],
)
def test_keys(stack: StackFolder, body: str, field: str, value: object) -> None:
    assert getattr(container(stack, body), field) == value


def test_a_service_without_further_keys_leaves_everything_to_the_image(stack: StackFolder) -> None:
    assert container(stack, "") == ContainerSpec(image="nginx", labels=NAMESPACE)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("test: curl -f x", Healthcheck(test=("CMD-SHELL", "curl -f x"))),
        ("test: [CMD, curl, x]", Healthcheck(test=("CMD", "curl", "x"))),
        ("test: [CMD-SHELL, curl x]", Healthcheck(test=("CMD-SHELL", "curl x"))),
        ("test: [NONE]", Healthcheck(test=("NONE",))),
        ("test: []", Healthcheck()),
        ("disable: true", Healthcheck(test=("NONE",))),
        ("disable: 'true'", Healthcheck(test=("NONE",))),
        ("disable: true, test: [NONE]", Healthcheck(test=("NONE",))),
        ("disable: false, retries: '3'", Healthcheck(retries=3)),
        ("test: null, interval: 3s", Healthcheck(interval_seconds=3)),
        (
            "interval: 1m, timeout: 10s, retries: 3, start_period: 40s, start_interval: 5s",
            Healthcheck(
                interval_seconds=60,
                timeout_seconds=10,
                retries=3,
                start_period_seconds=40,
                start_interval_seconds=5,
            ),
        ),
    ],
)
def test_healthchecks(stack: StackFolder, body: str, expected: Healthcheck) -> None:
    assert container(stack, f"healthcheck: {{{body}}}").healthcheck == expected


@pytest.mark.parametrize(
    ("body", "column", "problem"),
    [
        ("image:", 0, ""),
        ("user: 1000", 11, "user: must be text, not a number (1000); put it in quotes"),
        ("working_dir: [a]", 18, "working_dir: must be text, not a list"),
        ("command: [sleep, 5]", 22, "command[1]: must be text, not a number (5); put it in quotes"),
        (
            "command: it's",
            14,
            "command: a ' is not closed; write $$ for a dollar sign, and a list to avoid quoting",
        ),
        ("command: {a: b}", 14, "command: must be text or a list of texts, not a mapping"),
        (
            "hostname: -x",
            15,
            "hostname: '-x' is no hostname: letters, digits and - in parts joined by dots",
        ),
        (
            "hostname: '{{.Node.Nome}}'",
            15,
            (
                "hostname: unknown template {{.Node.Nome}}; "
                "known are .Service.ID, .Service.Name, .Node.ID, .Node.Hostname, "
                ".Task.ID, .Task.Name, .Task.Slot"
            ),
        ),
        ("tty: maybe", 10, "tty: must be true or false, not text (maybe)"),
        ("tty: 1", 10, "tty: must be true or false, not a number (1)"),
        ("init:", 5, "init: has no value; true or false is expected; give one or remove the key"),
        ("stop_signal: SIGTREM", 18, "stop_signal: unknown signal 'SIGTREM'; did you mean term?"),
        ("stop_signal: '99'", 18, "stop_signal: unknown signal '99'"),
        (
            "stop_grace_period: 10",
            24,
            (
                "stop_grace_period: must be a duration with a unit, "
                "not a number (10); write 10s for seconds"
            ),
        ),
        ("stop_grace_period: -1s", 24, "stop_grace_period: '-1s': a duration cannot be negative"),
        ("labels: {a: [b]}", 17, "labels.a: must be text, a number or a boolean, not a list"),
        (
            "labels: {a: .inf}",
            17,
            "labels.a: must be a finite number, not a number (.inf); put it in quotes",
        ),
        ("labels: ['=b']", 14, "labels[0]: there is no name; write NAME=value"),
        ("labels: {'': b}", 14, "labels.: there is no name; write NAME=value"),
        ("labels: [1]", 14, "labels[0]: must be text, not a number (1); put it in quotes"),
        ("labels: text", 13, "labels: must be a mapping or a list of NAME=value, not text (text)"),
        (
            "labels: {stackctl.x: y}",
            14,
            "labels.stackctl.x: label stackctl.x is reserved for stackctl itself",
        ),
        ("dns: example.org", 10, "dns: 'example.org' is no IP address"),
        ("dns: [1.1.1.1, 1.1.1]", 20, "dns[1]: '1.1.1' is no IP address"),
        (
            "cap_add: [NET_ADMN]",
            15,
            "cap_add[0]: unknown capability 'NET_ADMN'; did you mean net_admin?",
        ),
        ("cap_drop: ALL", 15, "cap_drop: must be a list of capabilities, not text (ALL)"),
        ("ulimits: {nofil: 5}", 15, "ulimits.nofil: unknown ulimit 'nofil'; did you mean nofile?"),
        ("ulimits: {nofile: {soft: 5}}", 23, "ulimits.nofile: needs both soft and hard"),
        (
            "ulimits: {nofile: {soft: 5, hard: 4}}",
            23,
            "ulimits.nofile: the soft limit 5 is above the hard limit 4",
        ),
        ("ulimits: {nofile: -2}", 23, "ulimits.nofile: must be at least -1, not -2"),
        ("sysctls: {a.b: }", 15, "sysctls.a.b: sysctl a.b has no value"),
        ("shm_size: 64X", 15, "shm_size: '64X': not a size in bytes such as 50M, 1.5G or 65536"),
        ("shm_size: -1", 15, "shm_size: must be at least 0, not -1"),
        (
            "security_opt: [sccomp=x]",
            20,
            "security_opt[0]: unknown security option 'sccomp'; did you mean seccomp?",
        ),
        ("logging: {drivr: x}", 15, "logging.drivr: unknown key; did you mean driver?"),
        (
            "logging: {options: {a: [b]}}",
            28,
            "logging.options.a: must be text, a number or a boolean, not a list",
        ),
        ("extra_hosts: [a]", 19, "extra_hosts[0]: no address for a; write NAME=ADDRESS"),
        (
            "extra_hosts: ['=1.1.1.1']",
            19,
            "extra_hosts[0]: '' cannot be the name of a host; write NAME=ADDRESS",
        ),
        ("extra_hosts: {a: b}", 22, "extra_hosts.a: 'b' is neither an IP address nor host-gateway"),
        (
            "healthcheck: {test: ''}",
            19,
            "healthcheck.test: is empty; write a command, or disable: true",
        ),
        (
            "healthcheck: {test: [curl]}",
            26,
            (
                "healthcheck.test[0]: must be CMD, CMD-SHELL or NONE; "
                'as in ["CMD", "curl", "-f", "URL"]'
            ),
        ),
        ("healthcheck: {test: [NONE, x]}", 32, "healthcheck.test[1]: nothing can follow NONE"),
        ("healthcheck: {test: [CMD]}", 25, "healthcheck.test: CMD needs a program to run"),
        (
            "healthcheck: {test: [CMD-SHELL, a, b]}",
            25,
            "healthcheck.test: CMD-SHELL takes one text, the command of the shell",
        ),
        (
            "healthcheck: {start_interval: 5s}",
            35,
            "healthcheck.start_interval: has no effect without start_period; add start_period:",
        ),
        (
            "healthcheck: {interval: 100us}",
            29,
            "healthcheck.interval: must be at least 1ms, or 0s to inherit",
        ),
        ("healthcheck: {retries: -1}", 28, "healthcheck.retries: must be at least 0, not -1"),
        (
            "healthcheck: {retries: three}",
            28,
            "healthcheck.retries: must be a whole number, not text (three)",
        ),
        ("expose: [x]", 14, "expose[0]: 'x' is no port and no range of ports"),
        ("expose: ['80/http']", 14, "expose[0]: the protocol is 'http', not tcp, udp or sctp"),
    ][1:],
)
def test_mistakes_point_at_the_value(
    stack: StackFolder, body: str, column: int, problem: str
) -> None:
    assert stack.service_problems(body) == [f"4:{column}: services.web.{problem}"]


def test_expose_is_accepted_without_effect(stack: StackFolder) -> None:
    plain = stack.service("")
    assert stack.service('expose: [80, "90-95", "53/udp"]') == plain


def test_a_seccomp_profile_travels_as_its_content(stack: StackFolder) -> None:
    stack.write("profile.json", '{ "defaultAction": "SCMP_ACT_ERRNO" }')
    options = container(stack, "security_opt: ['seccomp:profile.json']").security_options
    assert options == ('seccomp={"defaultAction":"SCMP_ACT_ERRNO"}',)


def test_a_seccomp_profile_must_exist_and_be_json(stack: StackFolder) -> None:
    stack.write("profile.json", "not json")
    body = "security_opt: [seccomp=profile.json, seccomp=missing.json]"
    first, second = stack.service_problems(body)
    assert first.startswith("4:20: services.web.security_opt[0]: 'profile.json' is no seccomp")
    assert "missing.json: No such file or directory" in second


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            "image:",
            "3:5: services.web.image: has no value; text is expected; give one or remove the key",
        ),
        ("image: ''", "3:5: services.web.image: invalid image reference '': is empty"),
        ("image: 5", "3:12: services.web.image: must be text, not a number (5); put it in quotes"),
        (
            "image: Nginx",
            (
                "3:12: services.web.image: invalid image reference 'Nginx': "
                "'Nginx' must be in lower case"
            ),
        ),
        (
            "tty: true",
            "2:3: services.web: no image is given; add image: with a name that can be pulled",
        ),
        (
            "build: .",
            (
                "3:5: services.web.build: no image is given, and the deploy does not build; "
                "deploy with --build, or add image: with a name that every node can pull"
            ),
        ),
    ],
)
def test_a_service_needs_an_image(stack: StackFolder, lines: str, problem: str) -> None:
    assert stack.problems(f"services:\n  web:\n    {lines}\n") == [problem]


def test_a_later_file_may_switch_a_health_check_off(stack: StackFolder) -> None:
    body = "healthcheck: {test: [CMD, curl], interval: 5s, disable: true}"
    check = stack.service(body).task.container.healthcheck
    assert check is not None
    assert check.test == ("NONE",)
    (note,) = stack.notes(stack.service_text(body))
    assert note.startswith("4:19: services.web.healthcheck.test: is not used, because disable is")


def test_an_operator_of_the_shell_is_noted(stack: StackFolder) -> None:
    (note,) = stack.notes(stack.service_text("command: migrate && serve"))
    assert note.startswith("4:5: services.web.command: && is an ordinary word without a shell")
