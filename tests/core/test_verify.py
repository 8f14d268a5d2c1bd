"""Nothing is done to the sealed activity log that goes unnoticed (T26)."""

import dataclasses
import json
import random

import pytest
import time_machine
from sqlalchemy import text

from app.accounts.models import User
from app.core import clock, seals, verify
from app.core.db import Database, reading, writing
from app.core.settings import settings, use
from tests.tampering import a_day, disarm, happen, head, kinds, macs, tamper


async def test_an_untouched_log_holds(database: Database, moment: time_machine.Traveller) -> None:
    kept = await a_day(moment)
    await happen(2)
    report = await verify.verify((3, (await macs())[3]))
    assert report.holds, report.as_text()
    assert (report.seals, report.rows, report.waiting, report.head) == (6, 18, 2, kept)
    assert "is as it was sealed" in report.as_text()


async def test_an_empty_log_holds(database: Database) -> None:
    assert (await verify.verify()).holds


async def test_a_log_that_nobody_has_sealed_does_not_hold(database: Database) -> None:
    await happen(1)
    assert kinds(await verify.verify()) == {"unsealed"}


COLUMNS = "SELECT 100, kind, about, by_user_id, at, details FROM activities"
INSERT = "INSERT INTO activities (id, kind, about, by_user_id, at, details)"
SEAL_COLUMNS = "spans, count, total, top, previous, mac, at"

# Name, what somebody does behind the shop's back, and the kind of fault that is found at least.
TAMPERING = [
    ("the kind of a row", ["UPDATE activities SET kind = 'event.returned' WHERE id = 5"], "changed"),
    ("what a row is about", ["UPDATE activities SET about = 'event:9' WHERE id = 5"], "changed"),
    ("who did it", ["UPDATE activities SET by_user_id = 1 WHERE id = 5"], "changed"),
    ("when it was", ["UPDATE activities SET at = (SELECT at FROM activities WHERE id = 4) WHERE id = 7"], "changed"),
    ("the details", ["UPDATE activities SET details = '{\"n\": 7}' WHERE id = 5"], "changed"),
    ("the details emptied", ["UPDATE activities SET details = '{ }' WHERE id = 5"], "changed"),
    ("details that cannot be read", ["UPDATE activities SET details = '3' WHERE id = 5"], "changed"),
    ("a row removed", ["DELETE FROM activities WHERE id = 5"], "gone"),
    (
        "a row removed and its seal made to fit",
        ["DELETE FROM activities WHERE id = 6", "UPDATE activity_seals SET spans = '[[4, 5]]', count = 2 WHERE number = 2"],
        "changed",
    ),
    ("the whole content of a seal removed", ["DELETE FROM activities WHERE id IN (4, 5, 6)"], "gone"),
    (
        "two rows exchanged",
        [
            "UPDATE activities SET id = 100 WHERE id = 5",
            "UPDATE activities SET id = 5 WHERE id = 6",
            "UPDATE activities SET id = 6 WHERE id = 100",
        ],
        "changed",
    ),
    ("an old row put in after the last seal", [f"{INSERT} {COLUMNS} WHERE id = 5"], "unsealed"),
    (
        "an old row put in among the others",
        ["UPDATE activities SET id = 200 WHERE id = 5", "UPDATE activities SET id = 201 WHERE id = 6"],
        "gone",
    ),
    ("a seal removed", ["DELETE FROM activity_seals WHERE number = 3"], "missing"),
    ("the first seal removed", ["DELETE FROM activity_seals WHERE number = 1"], "missing"),
    ("all seals removed", ["DELETE FROM activity_seals"], "unsealed"),
    ("the last seals removed, their rows kept", ["DELETE FROM activity_seals WHERE number > 3"], "unsealed"),
    (
        "two seals exchanged",
        [
            "UPDATE activity_seals SET number = 100 WHERE number = 3",
            "UPDATE activity_seals SET number = 3 WHERE number = 4",
            "UPDATE activity_seals SET number = 4 WHERE number = 100",
        ],
        "chain",
    ),
    (
        "a seal moved to the end",
        ["DELETE FROM activity_seals WHERE number = 6", "UPDATE activity_seals SET number = 6 WHERE number = 3"],
        "missing",
    ),
    ("the mac", ["UPDATE activity_seals SET mac = previous WHERE number = 3"], "changed"),
    ("the mac before", ["UPDATE activity_seals SET previous = mac WHERE number = 3"], "chain"),
    ("the time of a seal", ["UPDATE activity_seals SET at = (SELECT MIN(at) FROM activities) WHERE number = 3"], "changed"),
    ("the count of a seal", ["UPDATE activity_seals SET count = 2 WHERE number = 3"], "changed"),
    ("the total of a seal", ["UPDATE activity_seals SET total = total + 1 WHERE number = 3"], "changed"),
    ("the list of a seal", ["UPDATE activity_seals SET spans = '[[7, 8], [13, 13]]' WHERE number = 3"], "changed"),
    ("a list that cannot be read", ["UPDATE activity_seals SET spans = '{}' WHERE number = 3"], "changed"),
    ("a list without end", ["UPDATE activity_seals SET spans = '[[1, 4000000000000]]' WHERE number = 3"], "changed"),
    (
        "a seal copied to the end",
        [f"INSERT INTO activity_seals (number, {SEAL_COLUMNS}) SELECT 7, {SEAL_COLUMNS} FROM activity_seals WHERE number = 6"],
        "twice",
    ),
]  # fmt: skip


@pytest.mark.asvs("V16.4.2")
@pytest.mark.parametrize("statements, kind", [each[1:] for each in TAMPERING], ids=[each[0] for each in TAMPERING])
async def test_tampering_is_found(database: Database, moment: time_machine.Traveller, statements: list[str], kind: str) -> None:
    await a_day(moment)
    async with writing() as tx:
        tx.add(User(id=1, email="m@example.com", created_at=clock.now()))
    await disarm()
    for statement in statements:
        await tamper(statement)
    report = await verify.verify()
    assert kind in kinds(report), report.as_text()
    assert "is NOT as it was sealed" in report.as_text()


async def test_an_old_row_that_the_worker_sealed_later_is_found(database: Database, moment: time_machine.Traveller) -> None:
    """Put in from outside with the time of yesterday; the worker cannot know, but the seals between then and now do."""
    await a_day(moment)
    await tamper(f"{INSERT} {COLUMNS} WHERE id = 5")
    await seals.seal()
    report = await verify.verify()
    assert kinds(report) == {"late"}
    assert "it was not there yet" in report.as_text()


async def cut_the_tail() -> None:
    await disarm()
    for statement in ("DELETE FROM activity_seals WHERE number > 4", "DELETE FROM activities WHERE id > 12"):
        await tamper(statement)


@pytest.mark.asvs("V16.4.2")
async def test_a_tail_that_was_cut_off_is_found_by_the_head_that_somebody_kept(
    database: Database, moment: time_machine.Traveller
) -> None:
    kept = await a_day(moment)
    await cut_the_tail()
    # Without the head nothing is missing: that is why it is kept outside.
    assert (await verify.verify()).holds
    report = await verify.verify((kept.number, kept.mac))
    assert kinds(report) == {"head"}
    # Nor does a new tail under the old numbers help.
    await a_day(moment, rounds=3)
    assert (await verify.verify()).holds
    assert kinds(await verify.verify((kept.number, kept.mac))) == {"head"}


async def test_seals_made_with_another_key_are_found(database: Database, moment: time_machine.Traveller) -> None:
    """Whoever owns the database and not the key can only guess one."""
    await a_day(moment)
    own = settings()
    await cut_the_tail()
    use(dataclasses.replace(own, secret_key="a-key-that-somebody-has-made-up-0123456789"))
    await a_day(moment, rounds=1)
    use(own)
    report = await verify.verify()
    assert kinds(report) == {"changed"}
    assert len(report.faults) == 1


async def test_without_the_mac_a_changed_row_would_go_unnoticed(
    database: Database, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_day(moment)
    await disarm()
    await tamper("UPDATE activities SET details = '{\"n\": 7}' WHERE id = 5")
    assert kinds(await verify.verify()) == {"changed"}
    monkeypatch.setattr(verify._Look, "_fits", lambda self, seal, own: True)
    assert (await verify.verify()).holds


async def test_one_byte_in_each_of_a_hundred_rows_ten_removed_ten_exchanged_and_the_tail_cut(
    sqlite_database: Database, moment: time_machine.Traveller
) -> None:
    """T26 with its figures: each change by itself, undone before the next; 121 of 121 are found."""
    chosen = random.Random(26)
    kept = await a_day(moment, rounds=40, each=5)
    await disarm()
    found = 0
    for number in chosen.sample(range(1, 195), 100):
        column = chosen.choice(["kind", "about", "at", "details"])
        before = await one(f"SELECT CAST({column} AS BLOB) FROM activities WHERE id = {number}")
        place = chosen.randrange(len(before))
        flipped = before[:place] + bytes([before[place] ^ (1 << chosen.randrange(8))]) + before[place + 1 :]
        await tamper(f"UPDATE activities SET {column} = CAST(:value AS TEXT) WHERE id = {number}", value=flipped)
        found += "changed" in kinds(await verify.verify())
        await tamper(f"UPDATE activities SET {column} = CAST(:value AS TEXT) WHERE id = {number}", value=before)
    assert (await verify.verify()).holds
    for number in chosen.sample(range(1, 195), 10):
        await tamper(f"UPDATE activities SET id = 1000 WHERE id = {number}")
        found += "gone" in kinds(await verify.verify())
        await tamper(f"UPDATE activities SET id = {number} WHERE id = 1000")
    for number in chosen.sample(range(1, 195), 10):
        await exchange(number, number + 5)
        found += "changed" in kinds(await verify.verify())
        await exchange(number, number + 5)
    assert (await verify.verify()).holds
    await tamper("DELETE FROM activity_seals WHERE number > 30")
    await tamper("DELETE FROM activities WHERE id > 150")
    found += "head" in kinds(await verify.verify((kept.number, kept.mac)))
    assert found == 121


async def exchange(one_id: int, other: int) -> None:
    for old, new in ((one_id, 1000), (other, one_id), (1000, other)):
        await tamper(f"UPDATE activities SET id = {new} WHERE id = {old}")


async def one(statement: str) -> bytes:
    async with reading() as db:
        value = (await (await db.connection()).execute(text(statement))).scalar_one()
    assert isinstance(value, bytes)
    return value


# ---------- keys ----------


async def rotate(own: str, *former: str) -> None:
    use(dataclasses.replace(settings(), secret_key=own, secret_key_old=",".join(former)))


async def test_after_a_change_of_the_key_the_former_one_still_checks(database: Database, moment: time_machine.Traveller) -> None:
    old, new = settings().secret_key, "another-key-that-only-the-tests-know-012345"
    await a_day(moment, rounds=2)
    await rotate(new)
    report = await verify.verify()
    assert kinds(report) == {"key", "changed"}
    assert "SECRET_KEY_OLD" in report.as_text()
    await rotate(new, old)
    await a_day(moment, rounds=2)
    report = await verify.verify()
    assert report.holds, report.as_text()
    assert report.former_key == 2
    assert "2 of the seals were made under a former SECRET_KEY." in report.as_text()
    # A key that has leaked makes no seals after the new one came into use.
    await rotate(old)
    await a_day(moment, rounds=1)
    await rotate(new, old)
    assert kinds(await verify.verify()) == {"changed"}


async def test_the_key_is_not_the_secret_itself_and_stands_nowhere(database: Database) -> None:
    await happen(1)
    await seals.seal()
    [key] = seals.keys()
    assert key != settings().secret_key.encode()
    found = await head()
    assert key.hex() not in json.dumps(dataclasses.asdict(found))
