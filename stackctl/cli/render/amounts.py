"""Amounts of bytes as docker shows them: images and traffic in thousands, memory in 1024s."""

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def render_decimal_bytes(amount: float) -> str:
    """`1.24MB`: three figures that count, four below a thousand bytes."""
    return _render(amount, 1000.0, _DECIMAL, "{:.3g}")


def render_binary_bytes(amount: float) -> str:
    """`12.5MiB`: four figures that count."""
    return _render(amount, 1024.0, _BINARY, "{:.4g}")


def _render(amount: float, step: float, units: tuple[str, ...], form: str) -> str:
    place = 0
    while amount >= step and place < len(units) - 1:
        amount /= step
        place += 1
    text = form.format(amount)
    return f"{int(float(text)) if 'e' in text else text}{units[place]}"
