"""A command written as one text, split into words as `docker stack deploy` splits it.

Quotes and backslashes work, nothing is expanded, and operators are ordinary words, because no
shell runs. Own code: `shlex` keeps a backslash inside double quotes that Docker drops. Two things
are better than in Docker: a backslash at the end of a line joins lines, and `#` is an ordinary
character (Docker drops the rest of the text from there on).
"""

_BLANKS = " \t\r\n"

# Alone, each of these shows that the writer expected a shell.
SHELL_SIGNS = frozenset(
    ("&&", "||", "|", ";", "&", ">", ">>", "<", "<<", "2>", "2>&1", "&>", "(", ")", "#")
)


def split_words(text: str) -> tuple[str, ...]:
    """The words of `text`. Raises `ValueError` for an open quote or a backslash at the end."""
    words: list[str] = []
    word: list[str] | None = None  # None between words: '' is a word, a blank is not
    quote = ""
    characters = iter(text.replace("\\\r\n", "").replace("\\\n", ""))
    for character in characters:
        if character == "\\" and quote != "'":
            escaped = next(characters, None)
            if escaped is None:
                raise ValueError("ends with a backslash")
            word = _appended(word, escaped)
        elif quote:
            if character == quote:
                quote = ""
            else:
                word = _appended(word, character)
        elif character in "'\"":
            quote = character
            word = [] if word is None else word
        elif character in _BLANKS:
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = _appended(word, character)
    if quote:
        raise ValueError(f"a {quote} is not closed")
    if word is not None:
        words.append("".join(word))
    return tuple(words)


def _appended(word: list[str] | None, character: str) -> list[str]:
    if word is None:
        return [character]
    word.append(character)
    return word
