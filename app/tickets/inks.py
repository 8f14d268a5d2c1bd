"""The inks of an event where no stylesheet reaches: in mails and in the PDF. The stylesheet mixes the same colours from oklch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ink:
    """`deep` and `night` carry white text; `bright` carries `on_bright`, for readers whose screen is dark."""

    deep: str
    night: str
    bright: str
    on_bright: str


INKS = {
    "poppy": Ink("#b71a18", "#450404", "#febfb7", "#26120f"),
    "amber": Ink("#8c5509", "#331b01", "#fec48a", "#231506"),
    "lemon": Ink("#73630a", "#282201", "#ead154", "#1d1804"),
    "moss": Ink("#4e7009", "#192701", "#b5e377", "#141b09"),
    "fern": Ink("#0c7741", "#022a13", "#7ceda5", "#0a1d11"),
    "teal": Ink("#0d726c", "#022825", "#25efe3", "#011d1b"),
    "sky": Ink("#0b6c92", "#012535", "#99dbfe", "#051b26"),
    "cobalt": Ink("#1e59cd", "#051d4e", "#b9d2fe", "#0f1828"),
    "iris": Ink("#6346c7", "#22154b", "#cecafe", "#171627"),
    "plum": Ink("#8e32a7", "#330d3e", "#eebcfe", "#1f1323"),
    "magenta": Ink("#a81f7a", "#3e062b", "#feb9de", "#24111c"),
    "rose": Ink("#b51446", "#440315", "#febdc4", "#261114"),
}

# The house itself is quiet: mails that are about no event use its neutral ink.
HOUSE = Ink("#171c2a", "#171c2a", "#eef0f4", "#171c2a")


def ink(hue: str) -> Ink:
    """The ink of a hue; the house's own for everything else."""
    return INKS.get(hue, HOUSE)
