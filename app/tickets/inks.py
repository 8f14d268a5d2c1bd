"""The inks of an event where no stylesheet reaches: in mails and in the PDF."""

from dataclasses import dataclass

from app.events.rules.looks import HUES, plain_ink


@dataclass(frozen=True)
class Ink:
    """`deep` and `night` carry white text; `bright` carries `on_bright`, for readers whose screen is dark."""

    deep: str
    night: str
    bright: str
    on_bright: str


INKS = {hue: Ink(*plain_ink(hue)) for hue in HUES}

# The house itself is quiet: mails that are about no event use its neutral ink.
HOUSE = Ink("#171c2a", "#171c2a", "#eef0f4", "#171c2a")


def ink(hue: str) -> Ink:
    """The ink of a hue; the house's own for everything else."""
    return INKS.get(hue, HOUSE)
