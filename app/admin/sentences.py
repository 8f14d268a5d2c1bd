"""What happened, in one plain sentence for an admin: who did what to what, and what it was before.

The log holds ids and numbers; names are put in as they are now, so that whoever was erased is not named here either.
"""

from typing import Any

from app.admin import becoming, doors, looking, parts, rewordings, selling
from app.admin.arranging import ARRANGED
from app.admin.log import Names
from app.admin.made import Made as _Made
from app.admin.told import Told
from app.core.activity import Activity
from app.core.i18n import gettext as _
from app.core.i18n import lazy, ngettext

# A lazy sentence with the names of Told's properties, or one that is made of the details.
Sentence = Any


def sentence(activity: Activity, names: Names) -> str:
    """The sentence about an activity, in the language of the reader."""
    told = Told(activity, names)
    made = SENTENCES.get(activity.kind)
    if made is None:
        return _("“%(kind)s” happened to %(about)s.") % {"kind": activity.kind, "about": activity.about}
    return str(made(told) if isinstance(made, _Made) else made % told)


def _either(detail: str, longer: Any, shorter: Any) -> _Made:
    """The longer sentence says what it was before; rows that were written before the log kept that have the shorter one."""
    return _Made(lambda told: str((longer if told.has(detail) else shorter) % told))


def _revised(told: Told) -> str:
    said = rewordings.of_event(told)
    if not said:
        return _("%(who)s changed %(event)s.") % told
    return _("%(who)s changed %(event)s: %(changes)s.") % {"who": told.who, "event": told.event, "changes": "; ".join(said)}


def _drafted(told: Told) -> str:
    said = rewordings.of_types(told)
    if not said:
        return _("%(who)s drafted %(event)s.") % told
    return _("%(who)s drafted %(event)s: %(types)s.") % {"who": told.who, "event": told.event, "types": "; ".join(said)}


def _handed_back(told: Told) -> str:
    if told.activity.by_user_id:
        return _("%(who)s noted that %(money)s of booking %(booking)s were handed back.") % told
    return _("The refund of %(money)s for booking %(booking)s has arrived at the bank.") % told


def _requested(told: Told) -> str:
    if told.activity.by_user_id:
        return _("%(who)s asked for %(money)s of booking %(booking)s to go back.") % told
    return _("%(money)s of booking %(booking)s are to go back.") % told


def _saved(told: Told) -> str:
    if not told.has("letters"):
        return _("%(who)s changed the text of the page “%(thing)s”.") % told
    if told.details["letters"][1] == 0:
        return _("%(who)s brought the shop’s own text of the page “%(thing)s” back; theirs had %(before)s letters.") % told
    return _("%(who)s changed the text of the page “%(thing)s”: it had %(before)s letters of theirs and has %(after)s.") % told


def _settled(told: Told) -> str:
    if not told.has("alarm"):
        return _("%(who)s settled alarm %(thing)s.") % told
    about = {"who": told.who, "alarm": told.details["alarm"], "about": told.details["thing"]}
    return _("%(who)s settled the alarm “%(alarm)s” about %(about)s.") % about


def _own_or(own: Any, other: Any) -> _Made:
    """One sentence for what people do to their own account, another for what an admin does to it."""
    return _Made(lambda told: str((own if told.number == str(told.activity.by_user_id) else other) % told))


def _erased(told: Told) -> str:
    if told.activity.by_user_id and told.number != str(told.activity.by_user_id):
        return _("%(who)s erased an account for its owner; it is called %(person)s now.") % told
    return _("An account or the bookings of a guest were erased; they are called %(person)s now.") % told


def _exported(told: Told) -> str:
    if told.about == "payments":
        took = ngettext("%(who)s took %(num)s payment away as a file.", "%(who)s took %(num)s payments away as a file.", told.num)
    else:
        took = ngettext(
            "%(who)s took %(num)s row of this log away as a file.",
            "%(who)s took %(num)s rows of this log away as a file.",
            told.num,
        )
    return took % told


def _factor_off(told: Told) -> str:
    if told.activity.by_user_id and told.number != str(told.activity.by_user_id):
        return _("%(who)s took the second factor of %(person)s away.") % told
    if told.activity.by_user_id:
        return _("%(who)s turned the second factor off.") % told
    return _("The operator took the second factor of %(person)s away.") % told


SENTENCES: dict[str, Sentence] = {
    **ARRANGED,
    **becoming.SENTENCES,
    **doors.SENTENCES,
    **parts.SENTENCES,
    # Accounts.
    "account.registered": lazy("Somebody asked for an account with %(person)s."),
    "account.exists": lazy("Somebody asked for an account with the address of %(person)s, which has one."),
    "account.opened": _either(
        "role", lazy("%(person)s has an account now, as %(role)s."), lazy("%(person)s has an account now.")
    ),
    "account.logged_in": lazy("%(person)s signed in."),
    "account.session_ended": _own_or(
        lazy("%(person)s signed another browser out."), lazy("%(who)s signed every browser of %(person)s out.")
    ),
    "account.suspended": lazy("%(who)s suspended %(person)s, who could sign in before."),
    "account.reinstated": lazy("%(who)s let %(person)s, who was suspended, sign in again."),
    "account.reset_asked": lazy("Somebody asked for a new password for %(person)s."),
    "account.reset_refused": lazy("Somebody asked for a new password for %(person)s, which has no account that may sign in."),
    "account.link_asked": lazy("Somebody asked for a link to sign in as %(person)s."),
    "account.link_refused": lazy("Somebody asked for a link to sign in as %(person)s, which has no account that may use one."),
    "account.password_changed": lazy("%(person)s changed the password; every other browser is signed out."),
    "account.renamed": _own_or(
        lazy("%(person)s changed the name of the account."), lazy("%(who)s changed the name of the account of %(person)s.")
    ),
    "account.language_changed": lazy("%(who)s chose another language."),
    "account.email_asked": lazy("%(who)s asked to move the account to %(person)s."),
    "account.email_changed": lazy("%(person)s moved the account to this address."),
    "account.second_factor_added": lazy("%(person)s set up a second factor."),
    "account.second_factor_removed": _Made(_factor_off),
    "account.second_factor_reset_asked": lazy("%(who)s asked to take the second factor of %(person)s away."),
    "account.second_factor_reset_withdrawn": lazy("%(who)s left %(person)s the second factor, which was to be taken away."),
    "account.recovery_codes_made": lazy("%(person)s made new recovery codes."),
    "account.recovery_code_used": lazy("%(person)s used up a recovery code."),
    "account.passkey_added": lazy("%(person)s added a passkey."),
    "account.passkey_renamed": lazy("%(person)s gave a passkey another name."),
    "account.passkey_removed": lazy("%(person)s removed a passkey."),
    "account.passkey_refused": lazy("A passkey of %(person)s was refused: it may have been copied."),
    "account.identity_linked": lazy("%(person)s linked a sign-in from elsewhere."),
    "account.identity_removed": lazy("%(person)s removed a sign-in from elsewhere."),
    "account.export_asked": _own_or(
        lazy("%(person)s asked for a copy of their data."), lazy("%(who)s asked for a copy of the data of %(person)s, for them.")
    ),
    "account.export_ready": lazy("The copy of the data of %(person)s is ready."),
    "account.erased": _Made(_erased),
    "guest.exported": lazy("%(who)s took away a copy of what the shop keeps about the guest of booking %(booking)s."),
    "preferences.changed": lazy("Somebody changed which mails they get."),
    # Managers.
    "manager.invited": lazy("%(who)s invited %(person)s as a manager."),
    "manager.promoted": _either(
        "roles",
        lazy("%(who)s changed the role of %(person)s from %(before)s to %(after)s."),
        lazy("%(who)s made %(person)s a manager."),
    ),
    "manager.applied": lazy("%(person)s applied to become a manager."),
    "manager.application_rejected": lazy("%(who)s rejected the application of %(person)s to become a manager."),
    "manager.role_changed": lazy("%(who)s changed the role of %(person)s from %(before)s to %(after)s."),
    "manager.trusted": lazy("%(who)s trusts %(person)s from now on: their events are published without a review."),
    "manager.untrusted": lazy("%(who)s ended the trust in %(person)s: the next events wait for a review."),
    "manager.suspended": lazy("%(who)s suspended %(person)s, who could sign in before; their events go on selling."),
    "manager.reinstated": lazy("%(who)s let %(person)s, who was suspended, sign in again."),
    # Events.
    "event.drafted": _Made(_drafted),
    "event.copied": lazy("%(who)s drafted %(event)s as a copy of an event."),
    "event.repeated": lazy("%(who)s put %(event)s on a further date."),
    "event.handed_over": lazy("%(who)s drafted %(event)s for its manager."),
    "event.revised": _Made(_revised),
    "event.deleted": lazy("%(who)s deleted a draft."),
    "announcement.sent": _Made(
        lambda told: (
            ngettext(
                "%(who)s wrote to %(num)s person who comes to %(event)s.",
                "%(who)s wrote to %(num)s people who come to %(event)s.",
                told.num,
            )
            % told
        )
    ),
    "people.exported": _Made(
        lambda told: (
            ngettext(
                "%(who)s took %(num)s row about the people of %(event)s away as a file.",
                "%(who)s took %(num)s rows about the people of %(event)s away as a file.",
                told.num,
            )
            % told
        )
    ),
    # How they sell.
    "presale.code_shared": _Made(selling.shared),
    "presale.code_replaced": _Made(selling.replaced),
    "presale.codes_made": _Made(
        lambda told: (
            ngettext(
                "%(who)s made %(num)s code for the pre-sale of %(kind)s, %(event)s.",
                "%(who)s made %(num)s codes for the pre-sale of %(kind)s, %(event)s.",
                told.num,
            )
            % told
        )
    ),
    "presale.code_withdrawn": lazy("%(who)s withdrew a code of the pre-sale of %(kind)s, %(event)s."),
    "presale.codes_withdrawn": _Made(
        lambda told: (
            ngettext(
                "%(who)s withdrew %(num)s unused code of the pre-sale of %(kind)s, %(event)s.",
                "%(who)s withdrew %(num)s unused codes of the pre-sale of %(kind)s, %(event)s.",
                told.num,
            )
            % told
        )
    ),
    "presale.places_moved": _Made(selling.moved),
    "sale.moved": _either(
        "opens",
        lazy("%(who)s moved the start of the general sale of %(kind)s, %(event)s, from %(before)s to %(after)s."),
        lazy("%(who)s moved the start of the general sale of %(kind)s, %(event)s."),
    ),
    "code.promos_made": _Made(
        lambda told: (
            ngettext(
                "%(who)s made %(num)s promo code for %(event)s.",
                "%(who)s made %(num)s promo codes for %(event)s.",
                told.num,
            )
            % told
        )
    ),
    "code.vouchers_made": _Made(selling.vouchers_made),
    "code.paused": _Made(
        lambda told: (
            ngettext(
                "%(who)s paused %(num)s code of %(event)s.",
                "%(who)s paused %(num)s codes of %(event)s.",
                told.num,
            )
            % told
        )
    ),
    "code.resumed": _Made(
        lambda told: (
            ngettext(
                "%(who)s let %(num)s code of %(event)s, which was paused, work again.",
                "%(who)s let %(num)s codes of %(event)s, which were paused, work again.",
                told.num,
            )
            % told
        )
    ),
    "code.withdrawn": _Made(
        lambda told: (
            ngettext(
                "%(who)s withdrew %(num)s code of %(event)s.",
                "%(who)s withdrew %(num)s codes of %(event)s.",
                told.num,
            )
            % told
        )
    ),
    "code.lapsed": lazy("The time of a voucher of %(event)s was over; its places are on sale again."),
    # Waiting lists.
    "event.sale_opened": _Made(selling.opened),
    "reminder.asked": lazy("Somebody asked to be reminded when the sale of %(event)s opens."),
    "reminder.confirmed": lazy("Somebody is reminded when the sale of %(event)s opens."),
    "reminder.stopped": lazy("Somebody is not reminded of the sale of %(event)s any more."),
    "waiting.joined": lazy("Somebody joined the waiting list of %(kind)s, %(event)s."),
    "waiting.left": lazy("Somebody left the waiting list of %(kind)s, %(event)s."),
    "waiting.ended": lazy("Somebody waits no more for %(kind)s, %(event)s: their time, the sale or the event was over."),
    "waiting.offered": lazy("Places of %(event)s that came back were offered to the next in line: booking %(booking)s."),
    "waiting.places_added": _Made(selling.places_added),
    "waiting.list_set": _Made(selling.list_set),
    # Bookings.
    "booking.given": _Made(
        lambda told: (
            ngettext(
                "%(who)s gave %(num)s ticket for %(event)s away: booking %(booking)s.",
                "%(who)s gave %(num)s tickets for %(event)s away: booking %(booking)s.",
                told.num,
            )
            % told
        )
    ),
    "booking.sold_at_door": _Made(selling.sold_at_door),
    "booking.held": lazy("%(buyer)s held places at %(event)s: booking %(booking)s."),
    "booking.extended": lazy("%(buyer)s took more time for booking %(booking)s, %(event)s."),
    "booking.released": lazy("Booking %(booking)s, %(event)s, was given up before it was paid."),
    "booking.expired": lazy("Booking %(booking)s, %(event)s, lapsed: its time to pay was over."),
    "booking.called_off": lazy("Booking %(booking)s ended because %(event)s was called off."),
    "booking.refunded": lazy("Booking %(booking)s, %(event)s, ended: its tickets are void."),
    "booking.paid": lazy("Booking %(booking)s, %(event)s, is paid; its tickets are out."),
    "booking.answered": lazy("%(buyer)s answered what %(event)s asks: booking %(booking)s."),
    "booking.adopted": _Made(
        lambda told: (
            ngettext(
                "%(num)s booking that %(person)s made as a guest joined the account.",
                "%(num)s bookings that %(person)s made as a guest joined the account.",
                told.num,
            )
            % told
        )
    ),
    "booking.tickets_returned": _Made(
        lambda told: (
            ngettext(
                "%(buyer)s gave %(num)s ticket of booking %(booking)s, %(event)s, back: %(money)s go back, "
                "the shop kept %(before)s and keeps %(after)s.",
                "%(buyer)s gave %(num)s tickets of booking %(booking)s, %(event)s, back: %(money)s go back, "
                "the shop kept %(before)s and keeps %(after)s.",
                told.num,
            )
            % told
        )
    ),
    "booking.money_returned": lazy(
        "%(who)s sent %(money)s of booking %(booking)s, %(event)s, back: the shop kept %(before)s and keeps %(after)s."
    ),
    "booking.day_before": lazy("The buyer of booking %(booking)s was reminded of %(event)s."),
    "booking.lapses_soon": lazy("The buyer of booking %(booking)s was reminded to pay for %(event)s."),
    "booking.tickets_resent": lazy("%(who)s had the tickets of booking %(booking)s, %(event)s, sent again."),
    "ticket.renamed": lazy("%(who)s put another name on a ticket of booking %(booking)s, %(event)s."),
    "ticket.voided": lazy("A ticket of booking %(booking)s, %(event)s, is void."),
    # Money.
    "payment.captured": lazy("%(money)s came in for booking %(booking)s, %(event)s."),
    "refund.requested": _Made(_requested),
    "refund.pending": lazy("The refund of %(money)s for booking %(booking)s is on its way."),
    "refund.succeeded": _Made(_handed_back),
    "refund.failed": lazy("The refund of %(money)s for booking %(booking)s has failed."),
    "refund.code_asked": lazy("A guest asked for the code that gives booking %(booking)s back."),
    "dispute.opened": lazy("The bank of the buyer disputes the payment of booking %(booking)s, %(event)s."),
    "dispute.won": lazy("The dispute about the payment of booking %(booking)s, %(event)s, was won."),
    "dispute.lost": lazy("The dispute about the payment of booking %(booking)s, %(event)s, was lost."),
    "orphan.found": lazy("A payment at Stripe was found that no booking knows: %(money)s."),
    # The desk.
    "admin.looked": _Made(looking.looked),
    "admin.exported": _Made(_exported),
    "text.saved": _Made(_saved),
    "alarm.settled": _Made(_settled),
    "reports.cleared": lazy("%(who)s cleared the reports of browsers."),
    "job.failed": lazy("The job %(job)s could not be done."),
    "job.tried_again": lazy("%(who)s had the job %(job)s tried again."),
    "delivery.retried": lazy("%(who)s let a mail that was given up be sent again."),
    "delivery.all_retried": _Made(
        lambda told: (
            ngettext(
                "%(who)s let %(num)s mail that was given up be sent again.",
                "%(who)s let %(num)s mails that were given up be sent again.",
                told.num,
            )
            % told
        )
    ),
    "delivery.dropped": lazy("%(who)s dropped a mail that was given up."),
    "delivery.failed": lazy("A mail was given up after a day."),
}
