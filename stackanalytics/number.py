"""Numbers as messages write them, for readers of JSON: ``json.loads(text, parse_int=whole)``."""


def whole(written: str) -> int | str:
    """Return a whole number; as it is written, where it has more digits than Python reads."""
    try:
        return int(written)
    except ValueError:
        return written
