"""All pages of the operator's desk, in reading order."""

from app.admin.pages import (
    activity,
    applications,
    categories,
    changes,
    events,
    guests,
    invariants,
    mails,
    managers,
    overview,
    reports,
    second_factors,
    settings,
    texts,
    users,
    venues,
)

ROUTERS = (
    overview.router,
    managers.router,
    applications.router,
    users.router,
    guests.router,
    second_factors.router,
    events.router,
    changes.router,
    activity.router,
    mails.router,
    invariants.router,
    reports.router,
    categories.router,
    venues.router,
    settings.router,
    texts.router,
)
