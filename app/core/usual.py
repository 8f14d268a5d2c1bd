"""Names that many shops give their categories, in the reader's language. Every other name stays as its admin wrote it."""

from app.core.i18n import lazy_pgettext

CATEGORIES = {
    "Music": lazy_pgettext("category", "Music"),
    "Concerts": lazy_pgettext("category", "Concerts"),
    "Theatre": lazy_pgettext("category", "Theatre"),
    "Comedy": lazy_pgettext("category", "Comedy"),
    "Film": lazy_pgettext("category", "Film"),
    "Dance": lazy_pgettext("category", "Dance"),
    "Talks": lazy_pgettext("category", "Talks"),
    "Workshops": lazy_pgettext("category", "Workshops"),
    "Exhibitions": lazy_pgettext("category", "Exhibitions"),
    "Festivals": lazy_pgettext("category", "Festivals"),
    "Sport": lazy_pgettext("category", "Sport"),
    "Family": lazy_pgettext("category", "Family"),
}


def category_name(name: str) -> str:
    """The name of a category as the reader calls it: "Musique" for "Music"."""
    return str(CATEGORIES.get(name, name))
