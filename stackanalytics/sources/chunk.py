"""What every source yields: raw messages with where they came from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some raw messages of one origin, in order.

    ``origin`` names the file or queue, ``first`` the number of the first message's line. Where
    ``problem`` is set, the bytes are no messages but the remains of an input that could not be
    read on, and it says why.
    """

    origin: str
    first: int
    messages: list[bytes]
    problem: str | None = None
