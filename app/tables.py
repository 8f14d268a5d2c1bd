"""Imports every table once, so that the metadata is complete. For migrations, tests and the start."""

from sqlmodel import SQLModel

from app.accounts import models as accounts
from app.admin import models as admin
from app.bookings import models as bookings
from app.core import activity, alarms, jobs, leases, limits, seals, stored, texts
from app.events import decisions, moved, reminders, search, series
from app.events import models as events
from app.notifications import models as notifications
from app.payments import models as payments
from app.privacy import models as privacy
from app.tickets import models as tickets

__all__ = [
    "accounts",
    "activity",
    "admin",
    "alarms",
    "bookings",
    "decisions",
    "events",
    "jobs",
    "leases",
    "limits",
    "metadata",
    "moved",
    "notifications",
    "payments",
    "privacy",
    "reminders",
    "seals",
    "search",
    "series",
    "stored",
    "texts",
    "tickets",
]

metadata = SQLModel.metadata
