"""What was paid and what went back, for a manager and for the admin: found, counted, and nobody else's."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col, update

from app.core import clock
from app.core.db import Database, reading, writing
from app.events.models import Event
from app.payments import history
from app.payments.models import Orphan, Payment, Refund
from tests.payments.refund_story import an_event, bobs, given, paid, returned, sign_in_as, valid_tickets
from tests.payments.story import refunds_of
from tests.reading import words

# The clock stands still on a Monday at noon.
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}
pytestmark = pytest.mark.usefixtures("moment")


async def refund_becomes(booking: Any, state: str) -> None:
    ids = [refund.id for refund in await refunds_of(booking)]
    async with writing() as tx:
        await tx.exec(update(Refund).where(col(Refund.id).in_(ids)).values(state=state, ended_at=clock.now()))


async def found(**asked: Any) -> list[str]:
    async with reading() as db:
        views, _pages = await history.history(db, page=1, wish=history.PaymentWish(**asked))
    return sorted(view.booking.email for view in views)


# ---------- what is found ----------


async def test_each_chip_shows_what_it_says(database: Database) -> None:
    event = await an_event()
    for state in ("open", "expired"):
        booking = await paid(event, email=f"{state}@example.com")
        async with writing() as tx:
            await tx.exec(update(Payment).where(col(Payment.booking_id) == booking.id).values(state=state))
    back, stuck, disputed = [await paid(event, email=f"{name}@example.com") for name in ("back", "stuck", "disputed")]
    for booking in (back, stuck):
        await given(booking, 100)
    await refund_becomes(stuck, "failed")
    async with writing() as tx:
        await tx.exec(update(Payment).where(col(Payment.booking_id) == disputed.id).values(dispute="won"))
    shown = {show: await found(show=show) for show in history.SHOWN}
    everybody = ["back@example.com", "disputed@example.com", "stuck@example.com"]
    assert shown == {
        "paid": everybody,
        "open": ["open@example.com"],
        "ended": ["expired@example.com"],
        "refunds": ["back@example.com", "stuck@example.com"],
        "stuck": ["stuck@example.com"],
        "disputes": ["disputed@example.com"],
    }
    assert len(await found()) == 5


@pytest.mark.parametrize("search", ["BOB_B@example.com", "bob_b@", "reference", "%", "_", "nobody", "\\"])
async def test_a_search_finds_a_reference_or_a_part_of_an_address(database: Database, search: str) -> None:
    event = await an_event()
    one = await paid(event, email="bob_b@example.com")
    await paid(event, email="bobxb@example.com")
    wanted = ["bob_b@example.com"] if search[:3].lower() in ("bob", "ref", "_") else []
    assert await found(search=one.reference.lower() if search == "reference" else search) == wanted


async def test_fifty_stand_on_a_page(database: Database) -> None:
    event = await an_event()
    booking = await paid(event)
    now = clock.now()
    async with writing() as tx:
        for n in range(50):
            at = now + timedelta(seconds=n + 1)
            tx.add(
                Payment(
                    booking_id=booking.id or 0,
                    provider="cash",
                    state="void",
                    amount_minor=1,
                    currency="EUR",
                    pay_until=at,
                    created_at=at,
                )
            )
    async with reading() as db:
        first, pages = await history.history(db, page=1, wish=history.PaymentWish(event_id=event.id))
        second, _pages = await history.history(db, page=2, wish=history.PaymentWish(event_id=event.id))
        beyond, _pages = await history.history(db, page=9, wish=history.PaymentWish(event_id=event.id))
        foreign, one = await history.history(db, page=1, wish=history.PaymentWish(event_id=999))
    assert ([len(first), len(second), len(beyond), len(foreign)], pages, one) == ([50, 1, 0, 0], 2, 1)
    assert second[0].payment.state == "captured"


# ---------- the pages ----------


async def test_the_manager_reads_payments_refunds_and_sums(client: httpx.AsyncClient, sign_in: Any) -> None:
    event = await an_event()
    booking, other = await paid(event), await paid(event, email="carol@example.com")
    await given(booking, 500)
    await refund_becomes(booking, "succeeded")
    await given(other, 300)
    await sign_in_as("alice", client, sign_in)
    said = words((await client.get(f"/manager/events/{event.slug}/payments")).text)
    assert booking.reference in said and "carol@example.com" in said
    assert "€5.00 went back on 16 Nov 2026" in said and "€3.00 is on its way back since" in said
    assert "Paid €74.00" in said and "Gone back €5.00" in said and "Still to go back €3.00" in said and "Kept €66.00" in said
    assert f'/manager/events/{event.slug}/payments"' in (await client.get(f"/manager/events/{event.slug}")).text


async def test_a_history_leads_to_the_other_pages_with_what_was_asked(
    client: httpx.AsyncClient, sign_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PER_PAGE", 1)
    event = await an_event()
    await paid(event)
    await paid(event, email="bob2@example.com")
    await sign_in_as("dora", client, sign_in)
    address = "/admin/payments?show=paid&amp;q=bob"
    first, second = [(await client.get(f"/admin/payments?show=paid&q=bob&page={page}")).text for page in ("x", "2")]
    assert f'href="{address}&amp;page=2" rel="next"' in first and "Page 1 of 2" in first
    assert f'href="{address}" rel="prev"' in second and 'rel="next"' not in second


async def test_the_admin_sees_all_events_and_what_no_booking_knows(client: httpx.AsyncClient, sign_in: Any) -> None:
    event, other = await an_event(), await an_event(title="Other Evening", currency="CHF")
    await paid(event)
    await paid(other, email="carol@example.com")
    now = clock.now()
    async with writing() as tx:
        tx.add(Orphan(id="cs_found", amount_minor=1234, currency="EUR", found_at=now))
        for outcome in ("refunded", "unpaid", "expired"):
            tx.add(Orphan(id=f"cs_{outcome}", state="closed", outcome=outcome, found_at=now))
    await sign_in_as("dora", client, sign_in)
    said = words((await client.get("/admin/payments")).text)
    assert "Nine Pianos" in said and "Other Evening" in said and "CHF" in said
    assert "€12.34" in said and "cs_found" in said and "being closed" in said and "ended without money" in said
    assert "No payment fits what you asked for." in words((await client.get("/admin/payments?q=nobody")).text)


@pytest.mark.asvs("V8.2.2", "V8.4.1")
async def test_a_history_is_only_for_its_manager_and_admins(client: httpx.AsyncClient, sign_in: Any) -> None:
    event = await an_event()
    await paid(event)
    await sign_in_as("mallory", client, sign_in)
    for page in ("payments", "refunds"):
        assert (await client.get(f"/manager/events/{event.slug}/{page}")).status_code == 404
    assert (await client.get("/admin/payments")).status_code == 403
    await sign_in_as("dora", client, sign_in)
    assert (await client.get(f"/manager/events/{event.slug}/payments")).status_code == 200


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=99999999999", "page=\u0663", "q=%00", "q=%ff%fe", "show=nothing", "q=" + "x" * 5000]
)
async def test_nonsense_in_the_address_shows_a_history_all_the_same(client: httpx.AsyncClient, sign_in: Any, query: str) -> None:
    await sign_in_as("dora", client, sign_in)
    assert (await client.get(f"/admin/payments?{query}")).status_code == 200


# ---------- a booking that is looked for ----------


async def hits(client: httpx.AsyncClient, address: str, search: str) -> list[str]:
    """The refund pages that a search leads to."""
    html = (await client.get(address, params={"q": search})).text
    panel = html.partition('id="hits"')[2].partition("</section>")[0]
    return re.findall(r"<a [^>]*href=\"([^\"]+)\"", panel)


@pytest.mark.parametrize("price_minor", [1850, 0])
async def test_a_booking_is_found_and_leads_to_its_refund_page(client: httpx.AsyncClient, sign_in: Any, price_minor: int) -> None:
    event = await an_event(price_minor=price_minor)
    booking = await paid(event)
    desk = f"/manager/events/{event.slug}/bookings/{booking.reference}/refund"
    for who, address in (("alice", f"/manager/events/{event.slug}/payments"), ("dora", "/admin/payments")):
        await sign_in_as(who, client, sign_in)
        for search in (booking.reference.lower(), "bob@example.com", "BOB@", f"  {booking.reference} "):
            assert await hits(client, address, search) == [desk], (who, search)
        assert await hits(client, address, "") == []
        nobody = await client.get(address, params={"q": "nobody"})
        assert "No booking has this reference or address." in words(nobody.text)
    assert (await client.get(desk)).status_code == 200


async def test_a_manager_finds_bookings_of_this_event_only(client: httpx.AsyncClient, sign_in: Any) -> None:
    event, other = await an_event(), await an_event(title="Other Evening")
    booking, elsewhere = await paid(event), await paid(other)
    await sign_in_as("alice", client, sign_in)
    address = f"/manager/events/{event.slug}/payments"
    assert await hits(client, address, "bob@") == [f"/manager/events/{event.slug}/bookings/{booking.reference}/refund"]
    assert await hits(client, address, elsewhere.reference) == []
    await sign_in_as("dora", client, sign_in)
    assert len(await hits(client, "/admin/payments", "bob@")) == 2


async def test_twenty_are_found_at_most(client: httpx.AsyncClient, sign_in: Any) -> None:
    event = await an_event(price_minor=0)
    for n in range(21):
        await paid(event, qty=1, email=f"bob{n}@example.com")
    await sign_in_as("alice", client, sign_in)
    address = f"/manager/events/{event.slug}/payments"
    assert len(await hits(client, address, "bob")) == 20
    said = words((await client.get(address, params={"q": "bob"})).text)
    assert "Only the newest 20 are shown." in said and "bob0@example.com" not in said


# ---------- an event that was called off ----------


async def test_the_progress_of_refunds_is_told_and_asked_for_until_it_is_done(client: httpx.AsyncClient, sign_in: Any) -> None:
    event = await an_event()
    booking, other = await paid(event), await paid(event, email="carol@example.com")
    async with writing() as tx:
        await tx.exec(update(Event).where(col(Event.id) == event.id).values(state="called_off", called_off_at=clock.now()))
    for one in (booking, other):
        await returned(one, await valid_tickets(one))
    await refund_becomes(booking, "succeeded")
    await sign_in_as("dora", client, sign_in)
    part = await client.get(f"/manager/events/{event.slug}/refunds", headers=PART)
    assert "1 of 2 paid bookings are done. €37.00 has gone back, €37.00 is still to go back." in words(part.text)
    assert "<html" not in part.text and 'hx-trigger="every 5s"' in part.text
    for page in (f"/manager/events/{event.slug}", f"/admin/events/{event.slug}", f"/manager/events/{event.slug}/payments"):
        assert "1 of 2 paid bookings are done." in words((await client.get(page)).text), page
    await refund_becomes(other, "succeeded")
    whole = (await client.get(f"/manager/events/{event.slug}/refunds")).text
    assert "Everybody who paid has all the money back." in words(whole) and "every 5s" not in whole and "<html" in whole


async def test_when_nobody_had_paid_the_progress_says_so(client: httpx.AsyncClient, sign_in: Any) -> None:
    event = await an_event(state="called_off")
    await sign_in_as("alice", client, sign_in)
    assert "Nobody had paid, so nothing goes back." in words((await client.get(f"/manager/events/{event.slug}/refunds")).text)


# ---------- the buyer ----------


async def test_my_payments_lead_to_receipts_once_money_came(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob, booking = await bobs(await an_event())
    await given(booking, 500)
    await sign_in(client, bob)
    html = (await client.get("/me/payments")).text
    assert f"/bookings/{booking.code}/receipts" in html and "€5.00 is on its way back since 16 Nov 2026" in words(html)
