"""What a plain YAML scalar means: the rules of go-yaml, which reads Compose files everywhere else.

PyYAML's own rules are those of YAML 1.1 and would turn `22:22` into 1342, `no` into false and
`1e3` into text. Here only true/false are booleans, dates stay text, octal is `0644` or `0o644`,
and a number that fits no 64 bits is a float.
"""

import math
import re

Written = str | int | float | bool | None

_NAMED: dict[str, Written] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_NUMBER_START = re.compile(r"[-+0-9.]")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_OCTAL = re.compile(r"[-+]?0[oO]?([0-7]+)", re.ASCII)
_HEXADECIMAL = re.compile(r"[-+]?0[xX]([0-9a-fA-F]+)", re.ASCII)
_BINARY = re.compile(r"[-+]?0[bB]([01]+)", re.ASCII)

# A longer text is no number that any program could use; and Python refuses to read its digits.
_NUMBER_LENGTH_MAX = 400


def resolve_plain(text: str) -> Written:
    """The value of an unquoted, untagged scalar."""
    if text in _NAMED:
        return _NAMED[text]
    if not _NUMBER_START.match(text) or len(text) > _NUMBER_LENGTH_MAX:
        return text
    # go-yaml drops underscores from everything but a fraction without a leading digit.
    digits = text if text.startswith(".") else text.replace("_", "")
    integer = _integer(digits)
    if integer is not None:
        return integer
    if _FLOAT.fullmatch(digits):
        number = float(digits)
        return text if math.isinf(number) else number
    return text


def go_text(value: float | bool | str) -> str:
    """The text that Go makes of a value where Compose wants text: 1.10 is `1.1`, 1e6 `1e+06`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, float):
        return str(value)
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign = "-" if value < 0 else ""
    digits, exponent = _shortest_digits(abs(value))
    if -4 <= exponent < 6:
        return sign + _fixed(digits, exponent)
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _integer(digits: str) -> int | None:
    if _DECIMAL.fullmatch(digits):
        number = int(digits)
    else:
        for pattern, base in ((_OCTAL, 8), (_HEXADECIMAL, 16), (_BINARY, 2)):
            match = pattern.fullmatch(digits)
            if match:
                number = int(match[1], base) * (-1 if digits.startswith("-") else 1)
                break
        else:
            return None
    return number if -(2**63) <= number < 2**64 else None


def _shortest_digits(value: float) -> tuple[str, int]:
    """The shortest digits that read back as `value`, and the exponent of the first of them."""
    mantissa, _, exponent_text = f"{value!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    exponent = int(exponent_text or 0) + len(whole) - 1
    digits = whole + fraction
    leading_zeros = len(digits) - len(digits.lstrip("0"))
    return digits.strip("0"), exponent - leading_zeros


def _fixed(digits: str, exponent: int) -> str:
    if exponent < 0:
        return f"0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    fraction = digits[exponent + 1 :]
    return f"{whole}.{fraction}" if fraction else whole
