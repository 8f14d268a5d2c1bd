"""What the clients do: look at a page, hold a place, buy a free ticket, buy a paid one."""

from collections.abc import Iterator

from app.prove.client import Connection, Story, addresses, get, post

ENDINGS = {303: "held", 409: "sold out"}

_addresses = addresses()


class Stumbled(Exception):
    """A step of a purchase was answered with something else; says which."""


def looks_at(path: str, *, login: str = "") -> Story:
    """One page, over and over, packed as for a browser; `login` is the cookie of somebody who is signed in."""
    headers = {"Accept-Encoding": "gzip", "Sec-Fetch-Site": "same-origin"}
    request = get(path, headers | ({"Cookie": f"login={login}"} if login else {}))

    async def look(connection: Connection) -> str:
        return str((await connection.ask(request)).status)

    return look


def sends_a_form(path: str) -> Story:
    """The same form, over and over."""
    request = post(path, {"q-anything": "1"})

    async def send(connection: Connection) -> str:
        return str((await connection.ask(request)).status)

    return send


def holds(slug: str) -> Story:
    """One place, each time as a buyer whom nobody has seen before: another address, and no cookie."""

    async def hold(connection: Connection) -> str:
        request = post(f"/events/{slug}/hold", {f"q-{slug}": "1"}, {"X-Forwarded-For": next(_addresses)})
        status = (await connection.ask(request)).status
        return ENDINGS.get(status, str(status))

    return hold


def buys(slug: str, *, stripe: int = 0) -> Story:
    """The event's page, the hold, the booking's page, the checkout, and the confirmation.

    With the port of a Stripe, its payment page comes before the confirmation, on a connection of its own.
    """
    at_stripe: dict[Connection, Connection] = {}
    buyers = _buyers()

    async def buy(connection: Connection) -> str:
        email, address = next(buyers)
        try:
            await _look(connection, f"/events/{slug}", address)
            booking = await _send(connection, f"/events/{slug}/hold", {f"q-{slug}": "1"}, address)
            await _look(connection, booking, address)
            where = await _send(connection, f"{booking}/checkout", {"email": email, "name": "Bob Keller"}, address)
            if stripe:
                till = at_stripe.setdefault(connection, Connection(stripe))
                await _look(till, where, address)
                back = await _send(till, where, {"act": "pay"}, address)
                where = await _look(connection, back, address, status=303)
            page = await _look(connection, where, address)
        except Stumbled as stumbled:
            return str(stumbled)
        return "bought" if f"{booking}/tickets" in page else "no tickets yet"

    return buy


def _buyers() -> Iterator[tuple[str, str]]:
    for address in _addresses:
        yield f"bob-{address}@example.com", address


async def _look(connection: Connection, path: str, address: str, *, status: int = 200) -> str:
    """The page, or where it leads when it is a redirect."""
    answer = await connection.ask(get(path, {"X-Forwarded-For": address}))
    if answer.status != status:
        raise Stumbled(f"{answer.status} at {_without_codes(path)}")
    return answer.location or answer.body.decode()


async def _send(connection: Connection, path: str, fields: dict[str, str], address: str) -> str:
    """Where the form leads."""
    answer = await connection.ask(post(path, fields, {"X-Forwarded-For": address}))
    if answer.status != 303:
        raise Stumbled(f"{answer.status} at {_without_codes(path)}")
    return answer.location


def _without_codes(path: str) -> str:
    """The path without what differs from booking to booking, so that the same stumbling counts as one."""
    steps = path.partition("?")[0].split("/")
    return "/".join("…" if len(step) > 20 else step for step in steps)
