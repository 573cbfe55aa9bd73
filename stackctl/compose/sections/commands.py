"""Commands: a text that is split into words, or the words themselves."""

from stackctl.compose.grammar.shell_words import SHELL_SIGNS, split_words
from stackctl.compose.sections.reading import Value
from stackctl.compose.sections.scalars import text


def read_command(value: Value) -> tuple[str, ...] | None:
    """The words of a command; None (null) is the image's own, () is none at all."""
    if value.is_null:
        return None
    if not isinstance(value.written, str):
        return tuple(text(item) for item in value.items("text or a list of texts"))
    try:
        words = split_words(value.written)
    except ValueError as error:
        value.problem(str(error), "write $$ for a dollar sign, and a list to avoid quoting")
        return ()
    sign = next((word for word in words if word in SHELL_SIGNS), None)
    if sign is not None:
        value.note(f'{sign} is an ordinary word without a shell; for one, write ["sh", "-c", "…"]')
    return words
