"""Which code of the second factor was typed. Its slow steps stay outside a writing block, in which it is then used up."""

from typing import NoReturn

from app.accounts import one_time, queries
from app.accounts.actions import second
from app.accounts.actions.second import Proof
from app.core import clock, limits, logs
from app.core.db import reading
from app.core.sealing import unseal


async def by_app(user_id: int, typed: str, *, confirmed: bool = True) -> Proof:
    """A code of the account's app. Raises WrongCode, or TooMany after five tries in five minutes."""
    await _count(user_id)
    return await _of_app(user_id, typed, confirmed=confirmed) or _refuse(user_id)


async def by_app_or_recovery(user_id: int, typed: str) -> Proof:
    """The same, or one of the account's recovery codes that were not used yet."""
    await _count(user_id)
    return await _of_app(user_id, typed) or await _of_recovery(user_id, typed) or _refuse(user_id)


def _refuse(user_id: int) -> NoReturn:
    logs.security("second_factor_failed", user=user_id)
    second.refuse()


async def _count(user_id: int) -> None:
    for key, most, seconds in second.counters(user_id):
        await limits.count(key, most=most, seconds=seconds)


async def _of_app(user_id: int, typed: str, *, confirmed: bool = True) -> Proof | None:
    async with reading() as db:
        app = await queries.authenticator(db, user_id)
    if not app or (app.confirmed_at is not None) != confirmed:
        return None
    try:
        step = one_time.step_of(unseal(app.sealed_secret), typed, now=clock.now())
    except ValueError:
        # SECRET_KEY was changed and the old one is not known: recovery codes, passkeys and the operator's reset still help.
        logs.security("second_factor_unreadable", user=user_id)
        return None
    return None if step is None else Proof(step=step)


async def _of_recovery(user_id: int, typed: str) -> Proof | None:
    async with reading() as db:
        codes = await queries.open_recovery_codes(db, user_id)
    for salt in {code.salt for code in codes}:
        wanted = (await one_time.hashed([typed], salt))[0]
        for code in codes:
            if code.salt == salt and code.code_hash == wanted:
                return Proof(recovery_id=code.id)
    return None
