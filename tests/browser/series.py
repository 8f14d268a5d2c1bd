"""The pages of a series: for everybody, on its manager's desk and on the admin's."""

from tests.browser.looks import Look, sent
from tests.browser.people import ADA, MARTINA

NAME = "open-mic-at-the-boathouse"
TO_DECIDE = f"/admin/series/{NAME}"

SERIES = (
    Look("series", f"/series/{NAME}"),
    Look("event, a date of a series", f"/events/{NAME}"),
    Look("event of a series on its manager's desk", f"/manager/events/{NAME}", MARTINA),
    Look("dates of a series, nothing to take over", f"/manager/events/{NAME}/dates/change", MARTINA),
    Look("series, to decide about", TO_DECIDE, ADA),
    Look("series, without reasons", lambda page: sent(page, TO_DECIDE, "Ask for changes of all of them"), ADA, 422),
)
