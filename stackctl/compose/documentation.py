"""The documents about Compose files that are made from the code: verdicts and deviations.

`make docs` writes them, and a test compares what is written with what is made.
"""

from collections.abc import Iterable, Sequence

from stackctl.compose import deviating_keys, deviations
from stackctl.compose.verdicts.rules import Kind, Rule, Verdict
from stackctl.compose.verdicts.table import SECTIONS

_VERDICTS_HEAD = """\
# Compose files: what becomes of each key

stackctl reads every key that Compose knows: format 3.0 to 3.13 and the current Compose
specification. This is the table in which `deploy` and `lint` look keys up (`make docs` writes it).

- **honoured**: done as Compose says; a remark tells what is worth knowing.
- **emulated**: done in another way, which is said.
- **refused**: an error with file, line and column, the reason, and what to write instead.
  `stackctl deploy --lenient` leaves refused keys out and says so.

`stackctl lint -c FILE` shows it for your own files. In a path, `*` is a name of your choice and
`[]` an item of a list; of several rows for one key the first that fits counts. Keys that begin with
`x-` are your own and nobody looks at them, but for those in the table. What stackctl reads in
another way than Docker's tools stands in [compose-deviations.md](compose-deviations.md).

The right column is what the commands for one host go by (`stackctl up`), and
`stackctl lint --target local` looks keys up in it.
"""

_DEVIATIONS_HEAD = """\
# Compose files: where stackctl differs from Docker's tools

`docker stack` and `docker compose` read the same file differently, so one reader cannot agree with
both. Each entry is on purpose. The tests compare what stackctl reads with what
`docker stack config` says, and name an entry for every difference. The list is made from the code
(`make docs`).
"""

_TITLES = (
    ("Values", deviations.VALUES),
    ("Variables", deviations.VARIABLES),
    ("Several files", deviations.MERGING),
    ("Keys", deviating_keys.KEYS),
)


def verdicts_document() -> str:
    """The content of docs/compose.md."""
    parts = [_VERDICTS_HEAD]
    for section in SECTIONS:
        ordered = sorted(section.rules, key=lambda rule: rule.pattern)  # stable: rows stay in turn
        rows = ((_key(rule), _words(rule.cluster), _local_words(rule)) for rule in ordered)
        parts.append(
            f"## {section.title}\n\n" + _table(("Key", "In a cluster", "On one host"), rows)
        )
    return "\n".join(parts)


def deviations_document() -> str:
    """The content of docs/compose-deviations.md."""
    parts = [_DEVIATIONS_HEAD]
    for title, entries in _TITLES:
        header = ("Entry", "Matter", "`docker stack`", "`docker compose`", "stackctl", "Why")
        rows = (
            (f"`{each.id}`", each.matter, each.stack, each.compose, each.ours, each.why)
            for each in entries
        )
        parts.append(f"## {title}\n\n" + _table(header, rows))
    return "\n".join(parts)


def _key(rule: Rule) -> str:
    words = f" {rule.when.words}" if rule.when else ""
    parts = f" (and {', '.join(f'`{part}`' for part in rule.parts)})" if rule.parts else ""
    return f"`{rule.pattern}`{words}{parts}"


def _words(verdict: Verdict) -> str:
    kind = f"**{verdict.kind.value}**" if verdict.kind is Kind.REFUSED else verdict.kind.value
    if verdict.firm:
        kind += " (with `--lenient`, too)"
    text = ": ".join(filter(None, (kind, verdict.text)))
    return f"{text}; {verdict.fix}" if verdict.fix else text


def _local_words(rule: Rule) -> str:
    is_long = bool(rule.local.text)
    return "the same" if is_long and rule.local == rule.cluster else _words(rule.local)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (header, ["---"] * len(header), *rows)
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
