"""The operator's command: somebody wrote in who has no account, or cannot sign in."""

from collections.abc import Callable

from app.core import clock, db, migrate
from app.core.settings import settings
from app.privacy import flows, queries


async def erase(email: str, *, ask: Callable[[str], str]) -> str:
    """Erases whoever has the address, once the operator has typed it again; gives a sentence.

    Raises Refused while something of theirs is live.
    """
    await migrate.upgrade(settings().database_url)
    db.connect(settings().database_url)
    try:
        async with db.reading() as reader:
            person = await queries.person(reader, email, now=clock.now())
            if not await queries.is_known(reader, person):
                return "The shop knows nobody with this address."
        whom = "an account" if person.user else "a guest"
        warning = f"This erases {whom} for ever. What the books need stays, without the address.\n"
        if ask(f"{warning}Type the address again to go on: ").strip().lower() != person.emails[0]:
            return "Nothing was changed."
        await flows.erase_address(email)
        return "Erased."
    finally:
        await db.disconnect()
