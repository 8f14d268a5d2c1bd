"""The house keeps its shape: who imports whom, how long things are, and what no line may say (STYLE.md).

Every rule is a function from sources to sentences about faults, so that the last tests can plant a fault and see it found.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FEATURES = ("accounts", "events", "bookings", "tickets", "payments", "notifications", "privacy", "analytics", "admin")
LAYERS = {"models": 0, "rules": 0, "queries": 1, "actions": 2, "flows": 3, "pages": 4}
BESIDE_PAGES = ("tables", "worker", "seed", "prove")
VERBS = ("get", "post", "put", "patch", "delete", "route")
COUNTERS = ("held", "sold", "aside", "presale_taken", "used", "qty", "reserved_minor")
CLOCKS = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time")
SQL_CALLS = ("text", "execute", "exec_driver_sql", "executescript")

# The sandbox's lists are put together of its own words; every value in them is a parameter.
OWN_WORDS = "app/sandbox/stripe_state.py"

# Path and name of a function that is longer than others, and why that is better than pieces of it.
LONG_FOR_A_REASON: dict[str, str] = {}

Sources = dict[str, str]


def sources(*folders: str, ending: str = ".py") -> Sources:
    found = [
        path
        for folder in folders
        for path in ([ROOT / folder] if (ROOT / folder).is_file() else (ROOT / folder).rglob(f"*{ending}"))
    ]
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted(found)}


CODE = sources("app", "main.py")
TESTS = sources("tests")
TEMPLATES = sources("templates", ending=".html")


# Who imports whom


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(path: str, source: str, known: set[str]) -> Iterator[str]:
    """Full names of what a file imports, wherever in the file; a name that is no module counts as its module."""
    for node in ast.walk(ast.parse(source, path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}:{node.lineno} imports relatively"
            whole = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from {name if name in known else node.module for name in whole}


def import_faults(code: Sources) -> list[str]:
    known = {module_of(path) for path in code}
    faults = []
    for path, source in code.items():
        for target in imports(path, source, known):
            why = forbidden(module_of(path), target)
            if why:
                faults.append(f"{path} imports {target}: {why}")
    return faults


def forbidden(importer: str, target: str) -> str:
    """Why this import breaks the ladder; empty when it does not."""
    package = target.split(".")[0]
    if package in ("litestar", "stripe", "wtforms"):
        return forbidden_package(importer, package)
    if package not in ("app", "main"):
        return ""
    if package == "main":
        return "nobody imports the door"
    return "" if importer == "main" else forbidden_inside(importer.split(".")[1:], target.split(".")[1:])


def forbidden_package(importer: str, package: str) -> str:
    room = importer.split(".")[1:2]
    is_pages = ".pages" in importer
    allowed = {
        "litestar": is_pages or importer == "main" or room in (["web"], ["sandbox"]),
        "wtforms": is_pages or room == ["web"],
        "stripe": importer == "app.payments.stripe" or room == ["sandbox"],
    }
    return "" if allowed[package] else f"{package} is not for this room"


def forbidden_inside(importer: list[str], target: list[str]) -> str:
    """Both as parts below `app`, such as ["events", "pages", "form"]."""
    room, goal = (importer or [""])[0], (target or [""])[0]
    if goal in BESIDE_PAGES and goal != room:
        return "only main, migrations and tests import it"
    if goal == "sandbox":
        return "" if room == "sandbox" else "only main and tests import the sandbox"
    if goal == "core":
        return ""
    if room == "core":
        return "core imports no feature and no web"
    if goal == "web":
        return "" if room in ("web", "sandbox") or "pages" in importer else "only pages, sandbox and main import web"
    return forbidden_feature(importer, target)


def forbidden_feature(importer: list[str], target: list[str]) -> str:
    room, goal = importer[0], target[0]
    if room == "web":
        may = target == ["accounts", "models"] or (
            importer[1:] == ["visitor"] and target[:2] in (["accounts", "queries"], ["accounts", "actions"])
        )
        return "" if may else "web imports no feature; only the visitor reads accounts"
    if room == "sandbox":
        return "the sandbox stands for the outside world and knows no feature"
    if "pages" in target:
        return "" if importer[:2] == target[:2] else "nothing but main imports pages"
    if room in BESIDE_PAGES or "pages" in importer:
        return ""
    if FEATURES.index(goal) > FEATURES.index(room):
        return f"{goal} stands above {room}"
    mine, theirs = LAYERS.get([*importer, ""][1]), LAYERS.get([*target, ""][1])
    return f"{target[1]} stands above {importer[1]}" if mine is not None and theirs is not None and theirs > mine else ""


def circles(code: Sources) -> list[str]:
    known = {module_of(path) for path in code}
    graph = {module_of(path): {name for name in imports(path, source, known) if name in known} for path, source in code.items()}
    found, done = [], set()

    def walk(module: str, trail: tuple[str, ...]) -> None:
        if module in trail:
            found.append(" -> ".join((*trail[trail.index(module) :], module)))
        elif module not in done:
            for target in sorted(graph[module]):
                walk(target, (*trail, module))
            done.add(module)

    for module in sorted(graph):
        walk(module, ())
    return found


# How long things are


def long_things(code: Sources) -> list[str]:
    faults = [f"{path} has {lines} lines" for path, text in code.items() if (lines := text.count("\n")) > 400]
    for path, text in code.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and f"{path}:{node.name}" not in LONG_FOR_A_REASON:
                lines = (node.end_lineno or 0) - node.lineno + 1
                most = 20 if is_handler(node) else 60
                if lines > most:
                    faults.append(f"{path}:{node.lineno} {node.name} has {lines} lines of {most}")
    return faults


def is_handler(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    called = [mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list]
    return any(isinstance(name, ast.Name) and name.id in VERBS for name in called)


# What no line may say


def own_clocks(code: Sources) -> list[str]:
    faults = []
    for path, node in nodes(code, ast.Call):
        name = ast.unparse(node.func)
        if path != "app/core/clock.py" and any(name == clock or name.endswith("." + clock) for clock in CLOCKS):
            faults.append(f"{path}:{node.lineno} asks {name}() instead of clock.now()")
    return faults


def assigned_counters(code: Sources) -> list[str]:
    """Stock, limits and money held by guarded statements: whoever assigns them has read them before, and loses a race."""
    faults = []
    for path, node in nodes(code, ast.Assign, ast.AugAssign, ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        flat = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
        faults += [f"{path}:{node.lineno} assigns .{t.attr}" for t in flat if isinstance(t, ast.Attribute) and t.attr in COUNTERS]
    return faults


def glued_sql(code: Sources) -> list[str]:
    """Values go into statements as parameters. A pragma takes none and holds words of our own."""
    faults = []
    for path, node in nodes(code, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        is_glued = (
            bool(node.args)
            and isinstance(node.args[0], ast.JoinedStr | ast.BinOp)
            and not ast.unparse(node.args[0]).startswith("f'PRAGMA")
        )
        if name in SQL_CALLS and is_glued and path != OWN_WORDS:
            faults.append(f"{path}:{node.lineno} glues a statement together")
    return faults


def postponed_annotations(code: Sources) -> list[str]:
    """SQLModel and Litestar read annotations while the program runs."""
    banned = "from __future__ import annotations"
    return [f"{path} has {banned}" for path, text in code.items() if banned in text and ("models" in path or "pages" in path)]


def nodes(code: Sources, *kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for path, text in code.items():
        yield from ((path, node) for node in ast.walk(ast.parse(text, path)) if isinstance(node, kinds))


BANNED_IN_TEMPLATES = {
    r"\son[a-z]+\s*=": "an inline event handler: the policy blocks it",
    r"hx-on": "hx-on needs eval",
    r"\|\s*safe\b": "unescaped text",
    r"hx-trigger\s*=\s*\"[^\"]*\[": "a trigger filter needs eval",
    r"(?i)(javascript|[\"'\s]js)\s*:": "script in an attribute",
    r"<script(?![^>]*(\ssrc=|application/ld\+json))": "an inline script",
    r"<form(?![^>]*(\smethod=|role=\"search\"))": "a form without a method",
    r"<style": "an inline style sheet",
    r"\sstyle\s*=": "an inline style",
}


def template_faults(templates: Sources) -> list[str]:
    faults = []
    for path, text in templates.items():
        # Jinja's comments reach nobody. A mail has no policy and no style sheet of its own file.
        shown = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
        banned = {
            pattern: why
            for pattern, why in BANNED_IN_TEMPLATES.items()
            if not (path.startswith("templates/email/") and "style" in why)
        }
        faults += [
            f"{path}: {found.group()!r} is {why}" for pattern, why in banned.items() for found in re.finditer(pattern, shown)
        ]
    return faults


def test_imports_go_down_the_ladder():
    assert import_faults(CODE) == []


def test_nothing_imports_in_a_circle():
    assert circles(CODE) == []


def test_files_functions_and_handlers_are_short():
    assert long_things(CODE | TESTS) == []


def test_there_is_one_clock():
    assert own_clocks(CODE) == []


def test_counters_change_only_by_guarded_statements():
    assert assigned_counters(CODE) == []


@pytest.mark.asvs("V1.2.4")
def test_statements_are_not_glued_together():
    assert glued_sql(CODE) == []


def test_annotations_are_there_while_the_program_runs():
    assert postponed_annotations(CODE) == []


@pytest.mark.asvs("V3.2.2")
def test_templates_need_no_inline_script_or_style():
    assert template_faults(TEMPLATES) == []


@pytest.mark.parametrize(
    ("importer", "target"),
    [
        ("app.events.models", "app.bookings.models"),
        ("app.bookings.queries", "app.bookings.actions"),
        ("app.bookings.actions", "app.bookings.flows"),
        ("app.events.flows", "app.events.pages.writing.edit"),
        ("app.events.pages.writing.edit", "app.bookings.pages"),
        ("app.core.db", "app.accounts.models"),
        ("app.core.db", "app.web.page"),
        ("app.web.page", "app.accounts.queries"),
        ("app.web.visitor", "app.events.queries"),
        ("app.bookings.actions", "app.web.page"),
        ("app.worker", "app.web.page"),
        ("app.worker", "app.events.pages.browse"),
        ("app.events.flows", "app.worker"),
        ("app.sandbox.app", "app.payments.models"),
        ("app.payments.stripe", "app.sandbox.app"),
        ("app.bookings.actions", "litestar"),
        ("app.events.queries", "wtforms.validators"),
        ("app.payments.flows", "stripe"),
        ("app.worker", "main"),
    ],
)
def test_a_planted_import_is_found(importer: str, target: str):
    assert forbidden(importer, target)


@pytest.mark.parametrize(
    ("importer", "target"),
    [
        ("main", "app.events.pages.browse"),
        ("main", "app.sandbox.app"),
        ("app.admin.pages.managers", "app.payments.flows.refund"),
        ("app.events.pages.manager", "app.events.pages.writing.edit"),
        ("app.events.pages.manager", "app.web.page"),
        ("app.payments.flows", "app.tickets.actions"),
        ("app.bookings.actions", "app.bookings.boxoffice"),
        ("app.seed", "app.tickets.actions"),
        ("app.web.visitor", "app.accounts.queries"),
    ],
)
def test_a_proper_import_is_left_alone(importer: str, target: str):
    assert forbidden(importer, target) == ""


def function_of(lines: int, decorator: str = "") -> str:
    return f"{decorator}def f():\n" + "    x = 1\n" * (lines - 1)


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (long_things, "x = 1\n" * 401),
        (long_things, function_of(61)),
        (long_things, function_of(21, "@post('/events/{slug:str}/hold')\nasync ")),
        (own_clocks, "now = datetime.now(UTC)"),
        (own_clocks, "now = datetime.datetime.utcnow()"),
        (assigned_counters, "ticket_type.held = ticket_type.held + 2"),
        (assigned_counters, "code.used += 1"),
        (assigned_counters, "x, ticket_type.sold = 1, 2"),
        (glued_sql, "tx.execute(text(f'DELETE FROM {table}'))"),
        (glued_sql, "cursor.execute('SELECT * FROM users WHERE name = ' + name)"),
        (postponed_annotations, "from __future__ import annotations"),
    ],
)
def test_a_planted_fault_in_the_code_is_found(check: Callable[[Sources], list[str]], source: str):
    assert check({"app/events/models.py": source})


def test_a_planted_circle_is_found():
    assert circles(
        {
            "app/events/queries.py": "from app.events.rules import searching",
            "app/events/rules/searching.py": "from app.events import queries",
        }
    )


@pytest.mark.parametrize(
    "fault",
    [
        '<p style="color: red">',
        "<style>p { color: red }</style>",
        '<button onclick="go()">',
        '<button hx-on:click="go()">',
        "{{ event.description | safe }}",
        "<input hx-trigger=\"keyup[key=='Enter']\">",
        '<a href="javascript:go()">',
        "<button hx-vals='js:{a: 1}'>",
        "<script>go()</script>",
        '<form action="/logout">',
    ],
)
def test_a_planted_fault_in_a_template_is_found(fault: str):
    assert template_faults({"templates/planted.html": fault})


@pytest.mark.parametrize(
    "fine",
    [
        '<script defer src="/static/app.js"></script>',
        '<script type="application/ld+json">{{ facts | json_ld }}</script>',
        '<form action="/logout" method="post">',
        "{# never use style= or onclick= here #}",
    ],
)
def test_a_proper_template_is_left_alone(fine: str):
    assert template_faults({"templates/planted.html": fine}) == []
