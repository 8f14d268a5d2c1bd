"""The operator's command `prove`: what it can be told, and what it says."""

import argparse
import asyncio
import os
import secrets
from collections.abc import Callable

from app.core import logs
from app.core.settings import read, settings, use
from app.prove.run import Wish, prove
from app.prove.storm import MOST_BUYERS


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    parser.add_argument(
        "--buyers", type=_number(MOST_BUYERS), default=2000, metavar="N", help="how many try to get one place each"
    )
    parser.add_argument("--places", type=_number(MOST_BUYERS), default=500, metavar="N", help="how many places there are")
    parser.add_argument("--clients", type=_number(1000), default=256, metavar="N", help="how many buyers are there at once")
    parser.add_argument(
        "--paid", type=_number(MOST_BUYERS, least=0), metavar="N", help="how many buy it; half of the places by default"
    )
    parser.add_argument(
        "--here", action="store_true", help="in the shop's own database: the event is removed at the end, nobody buys"
    )
    parser.add_argument("--json", action="store_true", help="the result for programs")


def run(told: argparse.Namespace) -> int:
    """Needs no settings at all; with them, it proves on the same kind of database as the shop's. Gives the exit code."""
    use(read({"SECRET_KEY": secrets.token_hex(32), **os.environ}))
    logs.configure(settings().log_format)
    half = 0 if told.here else min(told.buyers, told.places) // 2
    buying = half if told.paid is None else told.paid
    wish = Wish(buyers=told.buyers, places=told.places, clients=told.clients, buying=buying, here=told.here)
    report = asyncio.run(prove(wish, settings().database_url))
    print(report.as_json() if told.json else report.as_text())  # noqa: T201 - for whoever ran the command
    return 0 if report.proves else 1


def _number(most: int, *, least: int = 1) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"a whole number from {least} to {most}")
        return int(text)

    return number
