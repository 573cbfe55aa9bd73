"""Where we read a file otherwise than `docker stack` or `docker compose`, on purpose and why.

The two disagree with each other, so one reader cannot agree with both. The documentation's list is
made from this one, and the tests beside Docker's own client name the entry for every difference
they find. AS_HERE stands where a tool does what we do.
"""

from typing import NamedTuple

AS_HERE = "as here"


class Deviation(NamedTuple):
    """One matter; `id` is how tests and people refer to it."""

    id: str
    matter: str
    stack: str  # what `docker stack` does
    compose: str  # what `docker compose` does
    ours: str
    why: str


VALUES = (
    Deviation(
        "quoted-numbers",
        'numbers and booleans in quotes (`replicas: "3"`)',
        "refused, unless a variable brought them",
        AS_HERE,
        "accepted",
        "whether a value comes from a variable should make no difference",
    ),
    Deviation(
        "cpus-as-numbers",
        "`cpus: 0.5` and sizes as numbers",
        "refused: text only",
        AS_HERE,
        "accepted",
        "nothing else can be meant",
    ),
    Deviation(
        "booleans-as-values",
        "`true` and `false` in environment and labels",
        "refused",
        AS_HERE,
        "the text `true` or `false`",
        "nothing else can be meant",
    ),
    Deviation(
        "null-commands",
        "`command:` and `entrypoint:` without a value",
        "refused",
        AS_HERE,
        "the image's own; `[]` and an empty text are no words at all",
        "a later file can take back what an earlier one says",
    ),
    Deviation(
        "dates-are-text",
        "an unquoted date",
        "printed as `2024-01-01 00:00:00 +0000 UTC`",
        "as `docker stack`",
        "the text as it is written",
        "nobody means the other",
    ),
    Deviation(
        "modes-in-octal",
        "file modes when printed",
        "decimal: `288`",
        AS_HERE,
        'octal text: `"0440"`',
        "a mode is read by people, too",
    ),
    Deviation(
        "days-and-weeks",
        "durations in `d` and `w`",
        "refused",
        AS_HERE,
        "accepted",
        "nothing else can be meant",
    ),
    Deviation(
        "unknown-tags",
        "YAML tags that nobody knows; `!reset` and `!override`",
        "all ignored in silence",
        "unknown ones ignored in silence",
        "unknown ones noted; `!reset` and `!override` honoured, in a single file, too",
        "nothing is ignored in silence",
    ),
    Deviation(
        "several-documents",
        "several documents in one file",
        "the first only",
        AS_HERE,
        "merged in their order",
        "what stands behind a `---` must not vanish",
    ),
    Deviation(
        "strict-references",
        "networks, volumes, configs and secrets that are not declared",
        "`config` lets them pass, the deploy stops half way",
        AS_HERE,
        "refused before anything changes",
        "a file is either right or not",
    ),
    Deviation(
        "versions",
        "`version:`",
        "chooses a schema; all files need the same",
        AS_HERE,
        "no effect: every key of every version is known",
        "one format",
    ),
)

VARIABLES = (
    Deviation(
        "dotenv",
        "`.env` beside the first file",
        "not read",
        AS_HERE,
        "read, below the variables of the environment",
        "one file should mean the same for both verbs",
    ),
    Deviation(
        "nested-variables",
        "`${A:-${B}}`, `${A:+b}`, `${A+b}`",
        "the default is taken literally; `+` is an error",
        AS_HERE,
        "the whole grammar of the Compose specification",
        "one grammar",
    ),
    Deviation(
        "lone-dollar",
        "a `$` that begins no variable",
        "an error",
        AS_HERE,
        "stays as it is",
        "it stands in passwords and patterns",
    ),
    Deviation(
        "doubled-dollar",
        "`$` when printed",
        "as it is, so that the print cannot be read again",
        AS_HERE,
        "doubled",
        "what is printed reads back to the same",
    ),
    Deviation(
        "empty-variables",
        "`environment` with an empty value",
        "replaced by the caller's variable, if it is set",
        AS_HERE,
        "empty",
        "empty is a value",
    ),
    Deviation(
        "unset-variables",
        "`environment` with a name alone that is not set",
        "the bare name is sent, which unsets the image's variable",
        AS_HERE,
        "left out",
        "as Compose does it",
    ),
    Deviation(
        "env-file-grammar",
        "`env_file`",
        "each line literally",
        AS_HERE,
        "the grammar of `.env`; `format: raw` reads each line literally",
        "one grammar",
    ),
    Deviation(
        "env-file-merged",
        "`env_file` and `label_file` when printed",
        "printed beside `environment`",
        AS_HERE,
        "only what they say is printed, under `environment` and `labels`",
        "what is printed needs no other file",
    ),
    Deviation(
        "env-file-precedence",
        "`env_file` of a later file against `environment` of an earlier one",
        "the later file wins",
        AS_HERE,
        "`environment` wins over every `env_file`",
        "one rule, whether the keys stand in one file or in two",
    ),
)

MERGING = (
    Deviation(
        "merge-test",
        "`healthcheck.test` in two files",
        "appended",
        AS_HERE,
        "replaced",
        "two commands joined are none",
    ),
    Deviation(
        "merge-false",
        "`false`, `0` and empty text in a later file",
        "cannot take back true, a number or a text",
        AS_HERE,
        "win",
        "the later file wins",
    ),
    Deviation(
        "merge-ports",
        "`ports` in two files",
        "by published port, sorted; of unpublished ones a single one is left",
        AS_HERE,
        "by address, published port, target and protocol",
        "no port is lost",
    ),
    Deviation(
        "merge-mounts-by-target",
        "`configs` and `secrets` in two files",
        "by source: two uses of one are one",
        AS_HERE,
        "by target",
        "one config may be two files",
    ),
    Deviation(
        "merge-lists",
        "lists in two files (`dns`, `cap_add`, `extra_hosts`, …)",
        "appended, with what they share twice",
        AS_HERE,
        "appended, each item once where an item has an identity",
        "twice means nothing",
    ),
    Deviation(
        "merge-aliases",
        "`aliases` of one network in two files",
        "replaced",
        AS_HERE,
        "appended, each once",
        "as every list of names",
    ),
    Deviation(
        "merge-objects",
        "a network, volume, config or secret in two files",
        "the later one replaces the earlier as a whole",
        AS_HERE,
        "merged key by key",
        "adding a label must not lose the driver",
    ),
    Deviation(
        "merge-fragments",
        "a file that is only valid together with another",
        "refused",
        AS_HERE,
        "checked after the merge",
        "an override may be short",
    ),
    Deviation(
        "file-order",
        "the order of services when printed",
        "by name",
        "by name",
        "as the files have them",
        "people find their file again",
    ),
)

KEYS = (
    Deviation(
        "every-key",
        "keys that `docker stack` does not know (`name`, `include`, `extends`, `profiles`, long "
        "`depends_on`, `scale`, …)",
        "refused",
        AS_HERE,
        "read; the table of verdicts says what becomes of each",
        "one format",
    ),
    Deviation(
        "nothing-ignored",
        "keys that cannot be honoured",
        "ignored, some with a warning that names no service, some in silence",
        "those of a cluster are ignored in silence",
        "an error with its place; with `--lenient` a note with its place",
        "a key that is ignored looks like one that works",
    ),
    Deviation(
        "cluster-volumes",
        "`x-cluster-spec` and mounts of `type: cluster`",
        "volumes of a CSI driver",
        "not looked at",
        "refused; printed as it is written",
        "nodes have no CSI drivers",
    ),
    Deviation(
        "tmpfs",
        "`tmpfs`",
        "dropped in silence",
        AS_HERE,
        "mounted; printed as a mount of `volumes`",
        "it is asked for",
    ),
    Deviation(
        "one-letter-volumes",
        "`v:/data`",
        "read as a Windows drive: an anonymous volume at `v:/data`",
        "as `docker stack`",
        "the volume `v`",
        "nodes run Linux",
    ),
    Deviation(
        "mount-options",
        "unknown options of a mount",
        "ignored",
        "ignored",
        "refused; `cached`, `delegated` and `consistent` have no effect on Linux",
        "`rO` must not be writable",
    ),
    Deviation(
        "mount-blocks",
        "`bind.create_host_path`, `bind.selinux`, `tmpfs.mode`",
        "dropped in silence",
        AS_HERE,
        "read",
        "nothing is dropped in silence",
    ),
    Deviation(
        "missing-folders",
        "the missing folder of a bind mount",
        "the task is refused",
        "made",
        "made in a cluster with `bind.create_host_path: true` only",
        "in a cluster a missing folder nearly always means the wrong node",
    ),
    Deviation(
        "port-ranges",
        "a range of published ports over one port",
        AS_HERE,
        "the engine chooses one of the range",
        "each port of the range is published",
        "in a cluster there is no engine to choose",
    ),
    Deviation(
        "repeated-ports",
        "the same port twice",
        'refused as `[80, 80]`, accepted as `[80, "80"]`',
        AS_HERE,
        "counts once, noted",
        "it means the same",
    ),
    Deviation(
        "port-addresses",
        "`127.0.0.1:80:80` in a cluster",
        "published on every address, with a warning",
        AS_HERE,
        "refused in a cluster",
        "it would publish what was meant to be hidden",
    ),
    Deviation(
        "hosts-without-address",
        "`extra_hosts` without an address",
        "dropped in silence",
        AS_HERE,
        "an error",
        "nothing is dropped in silence",
    ),
    Deviation(
        "restart-no",
        '`restart: "no"`',
        "restarts",
        AS_HERE,
        "does not restart",
        "no means no",
    ),
    Deviation(
        "restart-delay",
        "`restart_policy` without `delay`",
        "five seconds before every restart",
        "the engine's back-off",
        "the first restart at once, then longer and longer pauses",
        "most crashes happen once",
    ),
    Deviation(
        "constraint-keys",
        "a constraint on a key that no node has by nature",
        "tasks wait for ever",
        "not used",
        "an error",
        "a misspelt key is a mistake in the file",
    ),
    Deviation(
        "networks-in-use",
        "networks that no service is on",
        AS_HERE,
        AS_HERE,
        "not made, noted",
        "probably a mistake",
    ),
    Deviation(
        "default-forms",
        "values that are the default anyway (`mode: ingress`, `protocol: tcp`), when printed",
        "printed",
        "printed",
        "left out",
        "what is left says something",
    ),
    Deviation(
        "one-spelling",
        "spellings of one value (`NET_ADMIN`, `64M`, `500ms`, `disable: true`, short and long "
        "forms, paths from the file's folder) when printed",
        "as they are written, but for ports and mounts",
        "the long form of most",
        "one spelling for each meaning: `CAP_NET_ADMIN`, bytes, seconds, long forms, whole paths",
        "files that mean the same are printed alike",
    ),
    Deviation(
        "extensions-printed",
        "`x-` keys of networks and volumes when printed",
        "dropped",
        AS_HERE,
        "printed",
        "what is printed reads back to the same",
    ),
    Deviation(
        "printed-whole",
        "`oom_score_adj`, and `isolation` and `shm_size` of a build, when printed",
        "missing",
        AS_HERE,
        "printed",
        "what is printed reads back to the same",
    ),
    Deviation(
        "checked-early",
        "what no engine takes (a service without an image, a `healthcheck.test` that begins with "
        "another word than CMD, CMD-SHELL or NONE)",
        "`config` lets them pass, the deploy stops half way",
        "the same at the start of containers",
        "refused with their place",
        "a file is either right or not",
    ),
    Deviation(
        "names-printed",
        "names of networks, volumes, configs and secrets when printed",
        "as they are given",
        AS_HERE,
        "written out: `STACK_KEY`",
        "one sees what the cluster will call them",
    ),
)

DEVIATIONS: tuple[Deviation, ...] = (*VALUES, *VARIABLES, *MERGING, *KEYS)
