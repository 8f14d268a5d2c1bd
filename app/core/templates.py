"""The one Jinja environment, for pages, fragments and mails."""

from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context, pass_eval_context
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from markupsafe import escape

from app.core import addresses, clock, formats, i18n, static
from app.core.settings import settings
from app.core.usual import category_name

ROOT = Path(__file__).parents[2]

# Macros of ui.html that show nothing but their arguments, in the reader's language; dates leave out the present year. So many of
# each are kept as they were written. A card takes 3 kB.
KEPT = {"card": 1000, "icon": 100}


@cache
def environment() -> Environment:
    """Templates escape everything and stop at unknown names. `ui` holds the macros: a block rendered alone sees no imports."""
    made = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=lambda name: not (name or "").endswith(".txt"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # A new version comes with a new start; to look at the files' dates takes as long as to write a card.
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    # Line ends and indents of a template are no part of its sentences.
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_callables(i18n.gettext, i18n.ngettext, newstyle=True, pgettext=i18n.pgettext)  # type: ignore[attr-defined]
    made.globals["gettext"] = _gettext
    made.globals["ngettext"] = _counting(made.globals["ngettext"])  # type: ignore[arg-type]
    made.filters.update(formats.ALL, category_name=category_name, told=i18n.told)
    made.filters.update(titled=i18n.titled, title_language=i18n.title_language)
    made.globals.update(_=made.globals["gettext"], languages=i18n.LANGUAGES, address_in=i18n.address_in, to=i18n.to)
    made.globals.update(static=static.address, settings=settings, absolute=addresses.absolute)
    made.globals.update(regional=i18n.regional, weekdays=formats.weekdays)
    ui: Any = made.get_template("ui.html").module
    for name, most in KEPT.items():
        setattr(ui, name, _kept(getattr(ui, name), most))
    made.globals["ui"] = ui
    return made


@pass_eval_context
def _gettext(where: EvalContext, sentence: str, /, **values: Any) -> str:
    """A sentence of a template; a page has a hundred, and most of them are the same on every page of a language."""
    if not values:
        return _whole(i18n.catalogue(), sentence, where.autoescape)
    return _translated(sentence, where.autoescape) % values


@lru_cache(maxsize=8192)
def _whole(_catalogue: object, sentence: str, is_html: bool) -> str:
    return _translated(sentence, is_html) % {}


def _translated(sentence: str, is_html: bool) -> str:
    said = i18n.gettext(sentence)
    return formats.sentence(said) if is_html else said


def _kept(macro: Callable[..., str], most: int) -> Callable[..., str]:
    """The macro, which writes the same only once."""

    @lru_cache(maxsize=most)
    def written(_catalogue: object, _year: int, *args: Any, **kwargs: Any) -> str:
        return macro(*args, **kwargs)

    def kept(*args: Any, **kwargs: Any) -> str:
        return written(i18n.catalogue(), clock.now().year, *args, **kwargs)

    return kept


def _counting(ngettext: Callable[..., str]) -> Callable[..., str]:
    @pass_context
    def counting(context: Context, one: str, many: str, number: int, /, **values: Any) -> str:
        return ngettext(context, one, many, number, **{"num": i18n.Counted(number), **values})

    return counting


def render(template: str, context: dict[str, Any]) -> str:
    """The whole template as text."""
    return environment().get_template(template).render(context)


def render_block(template: str, block: str, context: dict[str, Any]) -> str:
    """One named block of a template as text."""
    found = environment().get_template(template)
    return "".join(found.blocks[block](found.new_context(context)))


def render_title(template: str, context: dict[str, Any]) -> str:
    """The <title> that the whole page would have; empty when the template is only a part."""
    if "title" not in environment().get_template(template).blocks:
        return ""
    return f"<title>{render_block(template, 'title', context)} · {escape(context['site_name'])}</title>"
