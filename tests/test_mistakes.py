"""The twenty mistakes that shops make, as statements that must hold.

`COVERED` says for each which tests show it. Those of this file look at the code; each of them finds a planted line too. What
tests/test_shape.py already looks for (the ladder, guarded counters, one clock, unescaped templates) is not repeated here.
"""

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.admin.invariants import CHECKS
from main import litestar_app
from tests.simulation.model.mutants import MUTANTS as OF_THE_MODEL
from tests.simulation.real.mutants import MUTANTS as OF_THE_SHOP
from tests.test_shape import CODE, Sources, nodes

ROOT = Path(__file__).parents[1]
HERE = "tests/test_mistakes.py"

# Statement -> file::test. A name that no file has any more fails below.
COVERED: dict[str, list[str]] = {
    "1 stock, money and states change only by guarded statements": [
        f"{HERE}::test_nobody_assigns_what_only_a_guarded_statement_may_change",
        "tests/test_shape.py::test_counters_change_only_by_guarded_statements",
        "tests/torture/test_controls.py::test_every_race_is_lost_without_its_defence",
    ],
    "2 races run on both databases and are lost without the guard": [
        f"{HERE}::test_tests_of_races_run_on_both_databases",
        "tests/bookings/test_storm.py::test_without_the_guard_the_same_storm_oversells",
    ],
    "3 SQLite keeps foreign keys, WAL and every commit": [f"{HERE}::test_every_connection_to_sqlite_keeps_its_promises"],
    "4 nothing slow inside a transaction": [
        f"{HERE}::test_every_door_to_the_network_asks_whether_a_transaction_is_open",
        "tests/core/test_db.py::test_slow_things_refuse_to_run_inside_a_writing_block",
    ],
    "5 places go back only after Stripe's answer": [f"{HERE}::test_the_simulations_know_these_mistakes"],
    "6 every call that moves money has a key from a row and stands in one place": [
        f"{HERE}::test_money_moves_in_one_place_and_with_a_key"
    ],
    "7 the end of one session ends only its own payment": [f"{HERE}::test_the_simulations_know_these_mistakes"],
    "8 a notice is done only after its effect is kept": [f"{HERE}::test_the_simulations_know_these_mistakes"],
    "9 coming back from Stripe grants nothing by itself": [
        "tests/payments/test_pages.py::test_coming_back_unpaid_changes_nothing",
        "tests/payments/test_pages.py::test_coming_back_with_the_session_of_another_booking_does_nothing",
        f"{HERE}::test_the_simulations_know_these_mistakes",
    ],
    "10 places and limits come back exactly once": [
        f"{HERE}::test_the_invariants_about_coming_back_are_asked",
        "tests/payments/test_twice.py::test_places_are_given_back_twice",
    ],
    "11 a login has a new session, and a logout ends it": [
        "tests/accounts/test_log_in.py::test_each_login_has_a_session_of_its_own_and_the_old_one_ends",
        "tests/accounts/test_log_in.py::test_a_session_id_that_somebody_else_chose_is_never_adopted",
        "tests/accounts/test_log_out.py::test_the_old_cookie_is_dead",
    ],
    "12 role and suspension are read on every request": [
        "tests/test_routes.py::test_a_right_that_was_taken_away_is_gone_at_the_next_click",
        "tests/test_routes.py::test_a_suspended_account_is_signed_out_at_the_next_click",
    ],
    "13 every route has a rule, and things are found through who may see them": [
        "tests/test_routes.py::test_every_route_has_a_rule_and_every_rule_a_route",
        "tests/security/test_object_swap.py::test_what_belongs_to_others_is_as_good_as_nothing",
        f"{HERE}::test_pages_ask_no_table_by_its_number",
    ],
    "14 no form writes a row as it comes": [f"{HERE}::test_no_row_is_made_of_what_was_sent"],
    "15 nothing unescaped": [
        f"{HERE}::test_text_becomes_html_in_one_place",
        "tests/test_shape.py::test_templates_need_no_inline_script_or_style",
    ],
    "16 addresses come from the settings, and redirects stay here": [
        f"{HERE}::test_nobody_believes_the_host_header_or_redirects_to_what_was_sent",
        "tests/accounts/test_log_in.py::test_next_leads_nowhere_else",
    ],
    "17 hostile input is never an error of ours": [
        "tests/security/test_hostile.py::test_no_form_falls_over_anything",
        "tests/security/test_hostile_wire.py::test_a_broken_cookie_counts_as_none",
    ],
    "18 money is whole, times know their zone": [
        f"{HERE}::test_money_is_never_a_fraction",
        "tests/test_shape.py::test_there_is_one_clock",
    ],
    # Ours differs: no token, but where the request comes from. What carries a signature of its own is exempt, and the browser's
    # reports about our policy, which nobody can sign.
    "19 every answer carries the policies, and only what proves itself comes from elsewhere": [
        "tests/test_headers.py::test_every_kind_of_answer_carries_the_policies",
        "tests/test_headers.py::test_over_https_cookies_are_secure_and_belong_to_this_host_alone",
        f"{HERE}::test_only_these_addresses_are_written_to_from_elsewhere",
    ],
    # Ours differs: the restore is part of every simulated life, with a Stripe that has gone on meanwhile.
    "20 a restored backup finds what Stripe did meanwhile": [
        "tests/simulation/test_real.py::test_the_application_keeps_every_promise",
        "tests/privacy/test_restore.py::test_a_restore_does_not_undo_an_erasure",
        f"{HERE}::test_no_database_is_copied_while_it_lives",
    ],
}

# A mistake that both simulations must be able to make, so that they would find it.
MISTAKES_OF_THE_SIMULATION = ("release_first", "void_on_silence", "expired_by_booking", "dedupe_first", "trust_return", "seq_ids")

GUARDED = ("state", "captured", "checked_in_at", "refunded_minor", "captured_minor")
NETWORK = ("aiosmtplib", "stripe", "httpx", "socket", "urllib.request")


def inside(code: Sources, *rooms: str, but: tuple[str, ...] = ()) -> Sources:
    """The files of these rooms. The sandbox and the proof are other programs: a stand-in for Stripe and a crowd of buyers."""
    others = ("app/sandbox/", "app/prove/", *but)
    return {path: text for path, text in code.items() if path.startswith(rooms) and not path.startswith(others)}


def assigned(code: Sources) -> list[str]:
    faults = []
    for path, node in nodes(inside(code, "app/"), ast.Assign, ast.AugAssign, ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            is_own = isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
            if isinstance(target, ast.Attribute) and target.attr in GUARDED and not is_own:
                faults.append(f"{path}:{node.lineno} assigns .{target.attr}")
    return faults


def unguarded_doors(code: Sources) -> list[str]:
    """Modules that speak to the network without asking whether a writing block is open."""
    faults = []
    for path, text in inside(code, "app/").items():
        imported = {
            name
            for _path, node in nodes({path: text}, ast.Import, ast.ImportFrom)
            for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
            # Whoever only catches what can go wrong speaks to nobody.
            if not all(alias.name.endswith(("Exception", "Error", "Refused")) for alias in node.names)
        }
        if imported & set(NETWORK) and "outside_writing(" not in text:
            faults.append(f"{path} speaks to the network and does not ask")
    return faults


def money_moves(code: Sources) -> list[str]:
    """Calls that make a session or a refund at Stripe without a key, or more than one of each."""
    found: dict[str, list[str]] = {"sessions.create": [], "refunds.create": []}
    faults = []
    for path, node in nodes(inside(code, "app/"), ast.Call):
        name = ast.unparse(node.func)
        for call, places in found.items():
            if re.search(rf"{re.escape(call)}(_async)?$", name):
                places.append(f"{path}:{node.lineno}")
                if not any("idempotency_key" in ast.unparse(argument) for argument in node.args):
                    faults.append(f"{path}:{node.lineno} calls {call} without a key")
    return faults + [f"{call} stands in {places}" for call, places in found.items() if len(places) > 1]


def by_number(code: Sources) -> list[str]:
    """Pages that ask a table for a row by its number, instead of asking a query for what this visitor may see."""
    faults = []
    for path, node in nodes({path: text for path, text in code.items() if "/pages" in path and "sandbox" not in path}, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0] if node.args else None
        of_a_table = isinstance(first, ast.Name) and first.id[:1].isupper()
        # A user's own row: the number comes from the session and not from the request.
        own = of_a_table and first.id == "User" and len(node.args) > 1 and ast.unparse(node.args[1]) in OWN_NUMBER
        fetches = isinstance(node.func, ast.Attribute) and name in ("get", "get_one") and of_a_table and not own
        if name in ("select", "select_from") or fetches:
            faults.append(f"{path}:{node.lineno} asks a table: {ast.unparse(node)[:60]}")
    return faults


OWN_NUMBER = ("user_id_of(visitor)", "visitor.user_id", "user_id")


def rows_of_requests(code: Sources) -> list[str]:
    """Pages that hand everything that was sent to whoever makes or changes a row."""
    faults = []
    for path, node in nodes({path: text for path, text in code.items() if "/pages" in path and "sandbox" not in path}, ast.Call):
        spread = [ast.unparse(word.value) for word in node.keywords if word.arg is None]
        sent = [text for text in spread if re.search(r"\b(form\.data|request|query_params|posted|\.form\()", text)]
        fills = isinstance(node.func, ast.Attribute) and node.func.attr in ("populate_obj", "model_validate", "parse_obj")
        shows = getattr(node.func, "id", "") in ("page", "shown")
        if (sent and not shows) or fills or ast.unparse(node.func) == "setattr":
            faults.append(f"{path}:{node.lineno} {ast.unparse(node)[:60]}")
    return faults


def raw_html(code: Sources) -> list[str]:
    calls = nodes(inside(code, "app/", but=("app/core/formats.py",)), ast.Call)
    return [f"{path}:{node.lineno}" for path, node in calls if ast.unparse(node.func).split(".")[-1] == "Markup"]


def believed_addresses(code: Sources) -> list[str]:
    """The host of a request is what a stranger sent, and so is a wish where to go next."""
    faults = []
    pattern = r"\b(request|connection)\.base_url|headers(\[|\.get\()[\"'](host|x-forwarded-host)|\bRedirect\(|url_for\("
    for path, text in inside(code, "app/").items():
        faults += [f"{path}: {found.group()}" for found in re.finditer(pattern, text, re.IGNORECASE)]
    for path, node in nodes(inside(code, "app/"), ast.Call):
        where = ast.unparse(node.args[1]) if len(node.args) > 1 else ""
        if getattr(node.func, "id", "") == "see_other" and re.search(r"^next$|\.next\.data$|query_params|headers", where):
            faults.append(f"{path}:{node.lineno} goes to {where}")
    return faults


def fractions(code: Sources) -> list[str]:
    """Money in floating point: float(), and dividing or multiplying by a hundred."""
    faults = []
    for path, node in nodes(inside(code, "app/"), ast.Call, ast.BinOp):
        if isinstance(node, ast.Call):
            wrong = ast.unparse(node.func) == "float"
        else:
            sides = [side.value for side in (node.left, node.right) if isinstance(side, ast.Constant)]
            wrong = isinstance(node.op, ast.Div | ast.Mult) and any(side in (100, 0.01, 100.0) for side in sides)
            wrong = wrong or (isinstance(node.op, ast.Div) and "_minor" in ast.unparse(node))
        if wrong and f"{path}: {ast.unparse(node)}" not in NO_MONEY:
            faults.append(f"{path}: {ast.unparse(node)}")
    return faults


# Shares of a whole that are shown, and never paid.
NO_MONEY = {f"app/analytics/rules.py: {drawn}" for drawn in ("100 * x", "100 * y", "float(HEIGHT)", "top * (100 - y) / 100")}
# Degrees of latitude and longitude.
NO_MONEY |= {"app/admin/pages/venues.py: float(typed)"}


def copied_databases(texts: Sources) -> list[str]:
    pattern = r"\b(cp|mv|rsync|shutil\.copy\w*)\b[^\n]*\.(db|sqlite3?)\b"
    return [f"{path}: {found.group()}" for path, text in texts.items() for found in re.finditer(pattern, text)]


@pytest.mark.parametrize("statement", COVERED)
def test_every_statement_is_shown_by_tests_that_exist(statement: str) -> None:
    for place in COVERED[statement]:
        path, name = place.split("::")
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), place


def test_all_twenty_are_here() -> None:
    assert [int(statement.split()[0]) for statement in COVERED] == list(range(1, 21))


def test_nobody_assigns_what_only_a_guarded_statement_may_change() -> None:
    assert assigned(CODE) == []


def test_tests_of_races_run_on_both_databases() -> None:
    """Every file that lets several people at the same thing at once asks for the fixture that comes in two kinds."""
    crowds = {
        path: path.read_text() for room in ("bookings", "payments", "tickets") for path in (ROOT / "tests" / room).glob("*.py")
    }
    racing = [path for path, text in crowds.items() if "asyncio.gather(" in text]
    assert len(racing) >= 3
    assert [path.name for path in racing if not re.search(r"\b(database|fake)\b", crowds[path])] == []


@pytest.mark.parametrize("side", ["reader", "writer"])
async def test_every_connection_to_sqlite_keeps_its_promises(sqlite_database: Any, side: str) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0, "busy_timeout": 10000}
    async with getattr(sqlite_database, side).connect() as connection:
        found = {name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in wanted}
    assert found == wanted


def test_every_door_to_the_network_asks_whether_a_transaction_is_open() -> None:
    assert unguarded_doors(CODE) == []


@pytest.mark.parametrize("name", MISTAKES_OF_THE_SIMULATION)
def test_the_simulations_know_these_mistakes(name: str) -> None:
    assert name in OF_THE_MODEL
    assert name in OF_THE_SHOP


def test_money_moves_in_one_place_and_with_a_key() -> None:
    assert money_moves(CODE) == []


@pytest.mark.parametrize("name", ["I2", "I3", "I11", "I12"])
def test_the_invariants_about_coming_back_are_asked(name: str) -> None:
    assert name in {invariant.id for invariant in CHECKS}


@pytest.mark.asvs("V15.3.1")
def test_pages_ask_no_table_by_its_number() -> None:
    assert by_number(CODE) == []


@pytest.mark.asvs("V15.3.3")
def test_no_row_is_made_of_what_was_sent() -> None:
    assert rows_of_requests(CODE) == []


def test_text_becomes_html_in_one_place() -> None:
    assert raw_html(CODE) == []


def test_nobody_believes_the_host_header_or_redirects_to_what_was_sent() -> None:
    assert believed_addresses(CODE) == []


def test_money_is_never_a_fraction() -> None:
    assert fractions(CODE) == []


def test_only_these_addresses_are_written_to_from_elsewhere() -> None:
    open_to_all = {
        path
        for route in litestar_app().routes
        for handler in getattr(route, "route_handlers", [])
        for path in handler.paths
        if handler.opt.get("proves_itself")
    }
    assert open_to_all == {"/webhooks/stripe", "/unsubscribe/{token:str}", "/csp-report"}


def test_no_database_is_copied_while_it_lives() -> None:
    papers = [*ROOT.glob("docs/*.md"), *(ROOT / ".ci").glob("*"), ROOT / "Makefile", ROOT / "README.md", ROOT / "Dockerfile"]
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in papers if path.is_file()}
    assert copied_databases(CODE | texts) == []


@pytest.mark.parametrize(
    ("check", "planted"),
    [
        (assigned, "booking.state = 'paid'"),
        (assigned, "payment.captured_minor += 100"),
        (unguarded_doors, "import httpx"),
        (unguarded_doors, "from urllib.request import urlopen"),
        (money_moves, "api.checkout.sessions.create_async(params)"),
        (money_moves, "refunds.create(p, {'idempotency_key': k}); refunds.create(p, {'idempotency_key': k})"),
        (by_number, "booking = await db.get(Booking, number)"),
        (by_number, "user = await tx.get_one(User, form.user.data)"),
        (by_number, "rows = await db.exec(select(Booking).where(Booking.id == number))"),
        (rows_of_requests, "tx.add(Event(**form.data))"),
        (rows_of_requests, "form.populate_obj(event)"),
        (rows_of_requests, "setattr(event, name, value)"),
        (raw_html, "return Markup(text)"),
        (believed_addresses, "url = f'{request.base_url}/verify/{token}'"),
        (believed_addresses, "host = request.headers['Host']"),
        (believed_addresses, "return see_other(request, form.next.data)"),
        (believed_addresses, "return see_other(request, next)"),
        (fractions, "price = float(form.price.data)"),
        (fractions, "minor = int(price * 100)"),
        (fractions, "half = price_minor / 2"),
        (copied_databases, "cp data/eventticket.db backup/"),
    ],
)
def test_a_planted_mistake_is_found(check: Callable[[Sources], list[str]], planted: str) -> None:
    assert check({"app/events/pages/writing/edit.py": planted})
