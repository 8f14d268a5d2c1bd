"""What becomes of an event, in sentences that say what it was before.

Each state has a sentence of its own: words for states that are put into one would stand there in the wrong gender or case.
"""

from collections.abc import Mapping
from typing import Any

from app.admin.made import Made
from app.admin.told import Told
from app.core.i18n import lazy


def _by_states(sentences: Mapping[tuple[str, str], Any], otherwise: Any) -> Made:
    """The sentence of the states before and after; the other one for rows that were written before the log kept them."""

    def make(told: Told) -> str:
        before, after = told.details.get("states", ("", ""))
        return str(sentences.get((before, after), otherwise) % told)

    return Made(make)


SENTENCES: dict[str, Any] = {
    "event.submitted": lazy("%(who)s sent %(event)s, a draft until then, to the admins."),
    "event.approved": _by_states(
        {
            ("submitted", "approved"): lazy("%(who)s approved %(event)s: it was submitted and is approved."),
            ("submitted", "published"): lazy("%(who)s approved %(event)s: it was submitted and is published."),
        },
        lazy("%(who)s approved %(event)s."),
    ),
    "event.published": _by_states(
        {
            ("draft", "published"): lazy("%(who)s published %(event)s, which was a draft before."),
            ("submitted", "published"): lazy("%(who)s published %(event)s, which was submitted before."),
            ("approved", "published"): lazy("%(who)s published %(event)s, which was approved before."),
        },
        lazy("%(who)s published %(event)s."),
    ),
    "event.trusted": _by_states(
        {
            ("draft", "approved"): lazy("%(who)s, who needs no review, let %(event)s out: it was a draft and is approved."),
            ("draft", "published"): lazy("%(who)s, who needs no review, let %(event)s out: it was a draft and is published."),
        },
        lazy("%(who)s, who needs no review, let %(event)s out."),
    ),
    "event.withdrawn": lazy("%(who)s took %(event)s back from the admins: it was submitted and is a draft again."),
    "event.rejected": lazy("%(who)s rejected %(event)s, which was submitted."),
    "event.returned": lazy("%(who)s gave %(event)s back for changes: it was submitted and is a draft again."),
    "event.change_asked": lazy("%(who)s asked for a change of the date, the place, a price or the places of %(event)s."),
    "event.change_withdrawn": lazy("%(who)s took a change of %(event)s back before it was decided."),
    "event.change_approved": lazy("%(who)s agreed to a change of %(event)s."),
    "event.change_declined": lazy("%(who)s declined a change of %(event)s, which stays as it was."),
    "event.date_kept": lazy("%(who)s kept the old date of %(event)s: it was postponed and is published."),
    "event.postponed": lazy("%(who)s postponed %(event)s: it was published and is postponed, without a new date yet."),
    "event.called_off": _by_states(
        {
            ("approved", "called_off"): lazy("%(who)s called %(event)s off, which was approved."),
            ("published", "called_off"): lazy("%(who)s called %(event)s off, which was published."),
        },
        lazy("%(who)s called %(event)s off."),
    ),
}
