"""The one Jinja environment, for pages, fragments and mails."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import escape

from app.core import addresses, formats, i18n, static
from app.core.settings import settings
from app.core.usual import category_name

ROOT = Path(__file__).parents[2]


@cache
def environment() -> Environment:
    """Templates escape everything and stop at unknown names. `ui` holds the macros: a block rendered alone sees no imports."""
    made = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=lambda name: not (name or "").endswith(".txt"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    # Line ends and indents of a template are no part of its sentences.
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_callables(i18n.gettext, i18n.ngettext, newstyle=True, pgettext=i18n.pgettext)  # type: ignore[attr-defined]
    made.globals["ngettext"] = _counting(made.globals["ngettext"])  # type: ignore[arg-type]
    made.filters.update(formats.ALL, category_name=category_name, told=i18n.told)
    made.globals.update(_=made.globals["gettext"], languages=i18n.LANGUAGES, address_in=i18n.address_in, to=i18n.to)
    made.globals.update(static=static.address, settings=settings, absolute=addresses.absolute)
    made.globals.update(regional=i18n.regional, weekdays=formats.weekdays)
    made.globals["ui"] = made.get_template("ui.html").module
    return made


def _counting(ngettext: Callable[..., str]) -> Callable[..., str]:
    @pass_context
    def counting(context: Context, one: str, many: str, number: int, **values: Any) -> str:
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
