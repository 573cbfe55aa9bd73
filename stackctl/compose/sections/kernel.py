"""What the kernel grants or limits: capabilities, ulimits, sysctls, signals, security options.

The names are checked against what Linux knows, because an engine says so only when a task starts.
"""

import json
import re

from stackctl.compose.problems import shown
from stackctl.compose.read import ReadError, read_bytes
from stackctl.compose.sections.paths import absolute_path
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import filled_text, integer, named_values, text
from stackctl.model.specs import Ulimit

ALL = "ALL"
UNLIMITED = -1

# Names as in the manual pages capabilities(7), setrlimit(2) and signal(7).
_CAPABILITY_NAMES = """
    AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE
    DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN
    MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID
    SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE
    SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM
"""
_ULIMIT_NAMES = """
    core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack
"""
_SIGNAL_NAMES = """
    ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT RTMAX RTMIN SEGV
    STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU UNUSED URG USR1 USR2 VTALRM WINCH XCPU XFSZ
"""
_CAPABILITIES = frozenset(_CAPABILITY_NAMES.split())
_ULIMITS = frozenset(_ULIMIT_NAMES.split())
_SIGNALS = frozenset(_SIGNAL_NAMES.split())
_REALTIME_SIGNAL = re.compile(r"RTMIN\+(?:[1-9]|1[0-5])|RTMAX-(?:[1-9]|1[0-4])")
_SIGNAL_NUMBER_MAX = 64
_SECURITY_OPTIONS = (
    "apparmor",
    "label",
    "no-new-privileges",
    "seccomp",
    "systempaths",
    "writable-cgroups",
)
_SECCOMP_WORDS = ("unconfined", "builtin")
_SECCOMP_BYTES_MAX = 1 << 20


def read_capabilities(value: Value) -> tuple[str, ...]:
    """Capabilities with their prefix, sorted, each once; ALL stands for all others."""
    found: set[str] = set()
    for item in value.items("a list of capabilities"):
        name = text(item).upper().removeprefix("CAP_")
        if name not in _CAPABILITIES and name != ALL:
            hint = item.reading.log.near(name.lower(), map(str.lower, _CAPABILITIES))
            item.problem(f"unknown capability {shown(text(item))!r}", hint)
        found.add(ALL if name == ALL else f"CAP_{name}")
    return (ALL,) if ALL in found else tuple(sorted(found))


def without_added(dropped: tuple[str, ...], added: tuple[str, ...]) -> tuple[str, ...]:
    """The capabilities to drop: one that is also added stays, as in Swarm."""
    return tuple(name for name in dropped if name not in added)


def read_ulimits(value: Value) -> tuple[Ulimit, ...]:
    """Ulimits sorted by name; one number is both the soft and the hard limit."""
    limits: list[Ulimit] = []
    for name, inner in sorted(value.entries().items()):
        if name not in _ULIMITS:
            hint = inner.reading.log.near(name, _ULIMITS)
            inner.key_problem(f"unknown ulimit {shown(name)!r}", hint)
        soft, hard = _soft_and_hard(inner)
        if hard != UNLIMITED and (soft > hard or soft == UNLIMITED):
            inner.problem(f"the soft limit {soft} is above the hard limit {hard}")
        limits.append(Ulimit(name=name, soft=soft, hard=hard))
    return tuple(limits)


def read_sysctls(value: Value) -> dict[str, str]:
    """Kernel parameters by name."""
    found: dict[str, str] = {}
    for entry in named_values(value):
        if not entry.content:
            entry.problem(f"sysctl {shown(entry.name)} has no value")
        found[entry.name] = entry.content or ""
    return found


def read_signal(value: Value) -> str:
    """A signal by name, with or without SIG, or by number."""
    written = text(value)
    name = written.upper().removeprefix("SIG")
    if written.isascii() and written.isdecimal():
        known = 1 <= int(written[:4]) <= _SIGNAL_NUMBER_MAX
    else:
        known = name in _SIGNALS or _REALTIME_SIGNAL.fullmatch(name) is not None
    if not known and isinstance(value.written, str):
        hint = value.reading.log.near(name.lower(), map(str.lower, _SIGNALS))
        value.problem(f"unknown signal {shown(written)!r}", hint)
    return written


def read_security_options(value: Value) -> tuple[str, ...]:
    """Security options as the engine takes them; a seccomp profile's file becomes its content."""
    return tuple(_security_option(item) for item in value.items("a list of security options"))


def _soft_and_hard(value: Value) -> tuple[int, int]:
    limit = integer(minimum=UNLIMITED)
    if not value.is_mapping():
        both = limit(value)
        return both, both
    fields = Fields(value)
    soft = fields.read("soft", limit, None)
    hard = fields.read("hard", limit, None)
    fields.finish()
    if soft is None or hard is None:
        value.problem("needs both soft and hard")
        return 0, 0
    return soft, hard


def _security_option(item: Value) -> str:
    written = filled_text(item)
    name, sign, content = written.partition("=")
    if not sign:
        name, sign, content = written.partition(":")
    if name not in _SECURITY_OPTIONS:
        hint = item.reading.log.near(name, _SECURITY_OPTIONS)
        if isinstance(item.written, str):
            item.problem(f"unknown security option {shown(name)!r}", hint)
        return written
    if name == "seccomp" and content not in _SECCOMP_WORDS:
        content = _seccomp_profile(item, content)
    return f"{name}={content}" if sign else name


def _seccomp_profile(item: Value, written: str) -> str:
    try:
        path = item.reading.base / absolute_path(written, item.reading)
        profile = json.loads(read_bytes(path, bytes_max=_SECCOMP_BYTES_MAX))
    except ReadError as error:
        item.problem(str(error))
    except (ValueError, RecursionError) as error:
        item.problem(f"{shown(written)!r} is no seccomp profile: {shown(str(error))}")
    else:
        return json.dumps(profile, separators=(",", ":"))
    return ""
