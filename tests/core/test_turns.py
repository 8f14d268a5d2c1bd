"""One at a time, fair, and quick for whoever carries many."""

import asyncio

from app.core.turns import Turns


async def at_work(turns: Turns, name: str, done: list[str], *, ahead: bool = False) -> None:
    async with turns.turn(ahead=ahead):
        done.append(name)
        await asyncio.sleep(0)


async def lined_up(turns: Turns, *names: str) -> tuple[list[str], list[asyncio.Task[None]]]:
    """Everybody waits in this order; names in capitals go ahead."""
    done: list[str] = []
    tasks = []
    for name in names:
        tasks.append(asyncio.create_task(at_work(turns, name, done, ahead=name.isupper())))
        await asyncio.sleep(0)
    return done, tasks


async def test_turns_come_in_the_order_of_arrival() -> None:
    turns = Turns()
    async with turns.turn():
        done, tasks = await lined_up(turns, "a", "b", "c")
        assert done == []
    await asyncio.gather(*tasks)
    assert done == ["a", "b", "c"]


async def test_whoever_goes_ahead_takes_every_other_turn() -> None:
    turns = Turns()
    async with turns.turn():
        done, tasks = await lined_up(turns, "a", "b", "GROUP")
    await asyncio.gather(*tasks)
    assert done == ["GROUP", "a", "b"]
    async with turns.turn(ahead=True):
        done, tasks = await lined_up(turns, "a", "b", "GROUP")
    await asyncio.gather(*tasks)
    assert done == ["a", "GROUP", "b"]


async def test_whoever_goes_away_holds_up_nobody() -> None:
    turns = Turns()
    async with turns.turn():
        done, tasks = await lined_up(turns, "a", "b", "c")
        tasks[1].cancel()
    # The turn has been given to the first of them, who goes away before taking it.
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert done == ["c"]
    async with asyncio.timeout(1):
        async with turns.turn():
            pass


async def test_a_mistake_gives_the_turn_back() -> None:
    turns = Turns()
    try:
        async with turns.turn():
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    async with asyncio.timeout(1):
        async with turns.turn():
            pass
