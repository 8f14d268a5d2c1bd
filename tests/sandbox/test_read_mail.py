"""The shop sends over SMTP; people read in a browser."""

from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from app.core import mail
from app.sandbox.mailbox import Mailbox
from tests.stage import World


def letter(to: str = "Bob@example.org", subject: str = "Your ticket – Gallery") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Teatro Test <tickets@example.org>", f"Bob <{to}>", subject
    made["Date"] = "Sat, 12 Dec 2026 20:30:00 +0000"
    made["List-Unsubscribe"] = "<https://example.org/unsubscribe/x>"
    made.set_content("Grüße,\nyour code is 7K2M-9QXD\n")
    page = '<!doctype html><html><head><title>x</title></head><body><img src="cid:qr"><a href="/x">go</a></body></html>'
    made.add_alternative(page, "html")
    made.get_payload()[1].add_related(b"picture", "image", "png", cid="<qr>")  # type: ignore[index,union-attr]
    made.add_attachment(b"%PDF-ticket", maintype="application", subtype="pdf", filename="your ticket.pdf")
    return made


async def test_a_mail_with_an_attachment_arrives_whole(world: World) -> None:
    await mail.send(letter(), smtp_url=f"smtp://127.0.0.1:{world.smtp_port}")
    (kept,) = await world.sandbox.mailbox.messages(to="bob@example.org")
    assert (kept.subject, kept.to) == ("Your ticket – Gallery", ("bob@example.org",))
    assert "7K2M-9QXD" in kept.text
    assert [(file.name, file.content) for file in kept.attachments if not file.content_id] == [
        ("your ticket.pdf", b"%PDF-ticket")
    ]
    assert await world.sandbox.mailbox.messages(to="carol@example.org") == []


async def test_bob_reads_his_mail_in_the_browser(world: World) -> None:
    await mail.send(letter(), smtp_url=f"smtp://127.0.0.1:{world.smtp_port}")
    (kept,) = await world.sandbox.mailbox.messages()
    listed = await world.browser.get("/sandbox/mail")
    assert f"/sandbox/mail/{kept.id}" in listed.text
    assert "Test mode" in listed.text

    page = await world.browser.get(f"/sandbox/mail/{kept.id}")
    assert page.status_code == 200
    for words in (
        "Your ticket – Gallery",
        "Bob &lt;Bob@example.org&gt;",
        "https://example.org/unsubscribe/x",
        "your ticket.pdf",
        "Grüße",
    ):
        assert words in page.text

    html = await world.browser.get(f"/sandbox/mail/{kept.id}/html")
    assert '<head><base target="_top">' in html.text
    assert 'src="data:image/png;base64,' in html.text
    assert "frame-ancestors 'self'" in html.headers["Content-Security-Policy"]
    assert "script" not in html.headers["Content-Security-Policy"]

    text = await world.browser.get(f"/sandbox/mail/{kept.id}/text")
    assert text.headers["Content-Type"].startswith("text/plain")
    number = next(number for number, file in enumerate(kept.attachments) if file.name == "your ticket.pdf")
    file = await world.browser.get(f"/sandbox/mail/{kept.id}/attachments/{number}")
    assert file.content == b"%PDF-ticket"
    assert "filename*=UTF-8''your%20ticket.pdf" in file.headers["Content-Disposition"]


async def test_the_list_shows_the_newest_first_and_one_address(world: World) -> None:
    empty = await world.browser.get("/sandbox/mail")
    assert "No mails yet" in empty.text
    for number in range(51):
        to = "carol@example.org" if number == 0 else "bob@example.org"
        await mail.send(letter(to, f"Letter {number}"), smtp_url=f"smtp://127.0.0.1:{world.smtp_port}")
    listed = (await world.browser.get("/sandbox/mail")).text
    assert listed.index("Letter 50") < listed.index("Letter 49")
    assert "/sandbox/mail?page=2" in listed
    assert "Letter 0<" in (await world.browser.get("/sandbox/mail?page=2")).text
    only = (await world.browser.get("/sandbox/mail", params={"to": "Carol@example.org"})).text
    assert "Letter 0<" in only and "Letter 50" not in only
    assert "No mails to this address" in (await world.browser.get("/sandbox/mail?to=nobody@example.org")).text


async def test_what_is_not_there_is_a_page_that_leads_back(world: World) -> None:
    for path in ("/sandbox/mail/nothing", "/sandbox/mail/nothing/attachments/0", "/sandbox/nothing", "/sandbox/mail?page=x"):
        page = await world.browser.get(path)
        assert page.status_code in (400, 404), path
        assert "Back to the shop" in page.text


async def test_a_server_that_refuses_keeps_nothing(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path)
    port = await mailbox.start()
    mailbox.refuse()
    with pytest.raises(aiosmtplib.SMTPException):
        await mail.send(letter(), smtp_url=f"smtp://127.0.0.1:{port}")
    await mail.send(letter(), smtp_url=f"smtp://127.0.0.1:{port}")
    assert len(await mailbox.messages()) == 1
    await mailbox.stop()
    with pytest.raises((aiosmtplib.SMTPException, OSError)):
        await mail.send(letter(), smtp_url=f"smtp://127.0.0.1:{port}")


async def test_mails_survive_a_restart_and_a_torn_index(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path)
    port = await mailbox.start()
    await mail.send(letter(), smtp_url=f"smtp://127.0.0.1:{port}")
    await mailbox.stop()
    with (tmp_path / "index.jsonl").open("a") as index:
        index.write('{"id": "half')
    (kept,) = await Mailbox(tmp_path).messages()
    assert "7K2M-9QXD" in kept.text


async def test_old_mails_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.sandbox.mailbox.KEPT_MAILS", 10)
    mailbox = Mailbox(tmp_path)
    port = await mailbox.start()
    for number in range(12):
        await mail.send(letter(subject=f"Letter {number}"), smtp_url=f"smtp://127.0.0.1:{port}")
    await mailbox.stop()
    kept = [found.subject for found in await Mailbox(tmp_path).messages()]
    assert kept == [f"Letter {number}" for number in range(11, 1, -1)]
    assert len(list(tmp_path.glob("*.eml"))) == 10
