"""The sentences about the team of an event and its door."""

from app.core.i18n import lazy

SENTENCES = {
    "ticket.checked_in": lazy("%(who)s let a ticket of booking %(booking)s in to %(event)s."),
    "ticket.let_out": lazy("%(who)s let a ticket of booking %(booking)s out of %(event)s."),
    "ticket.undone": lazy("%(who)s undid a check-in of booking %(booking)s, %(event)s."),
    "ticket.conflicted": lazy("%(who)s admitted a used or void ticket of booking %(booking)s, %(event)s, without network."),
    "ticket.conflict_seen": lazy("%(who)s has seen to a ticket of booking %(booking)s that was used twice at %(event)s."),
    "helper.invited": lazy("%(who)s invited somebody to help with %(event)s."),
    "helper.joined": lazy("%(who)s helps with %(event)s from now on."),
    "helper.changed": lazy("%(who)s changed what somebody may do who helps with %(event)s."),
    "helper.removed": lazy("%(who)s ended somebody’s help with %(event)s."),
    "gate.added": lazy("%(who)s added a gate to %(event)s."),
    "gate.removed": lazy("%(who)s took a gate of %(event)s away."),
    "event.exit_changed": lazy("%(who)s changed whether people may leave %(event)s and come back in."),
}
