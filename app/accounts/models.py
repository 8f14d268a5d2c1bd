"""Who is asking: accounts, their login sessions, and the links we mail to prove an address."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.core.codes import random_id, random_nonce, secret_code
from app.core.columns import link, maybe_link, one_of, row_id

ROLES = ("user", "manager", "admin")
LINK_KINDS = ("register", "reset", "email", "invitation", "login")
LINK_LIFE = {
    "register": timedelta(hours=24),
    "reset": timedelta(minutes=30),
    "email": timedelta(hours=24),
    "invitation": timedelta(days=7),
    "login": timedelta(minutes=30),
}
APPLICATION_STATES = ("open", "approved", "rejected")
CHALLENGE_KINDS = ("passkey_add", "passkey_use", "oidc", "oidc_link")
CHALLENGE_LIFE = {
    "passkey_add": timedelta(minutes=5),
    "passkey_use": timedelta(minutes=5),
    # Whoever signs in at a provider may have to find a phone first.
    "oidc": timedelta(minutes=10),
    # As long as a sign-in link, which may be what proves the account in between.
    "oidc_link": timedelta(minutes=30),
}
# Between the first factor and the second.
WAITING_LIFE = timedelta(minutes=5)
# What matters is done by someone who proved a short while ago who they are.
PROVED_FOR = timedelta(minutes=10)
# An admin's wish to take somebody's second factor away: when its author may carry it out alone, and until when it counts.
RESET_ALONE_AFTER = timedelta(hours=24)
RESET_LIFE = timedelta(days=7)
# Addresses of accounts that were erased end like this; no mail can reach them.
ERASED = "@erased.invalid"


class Life(NamedTuple):
    """How long a login session lasts: without use, and in all; and how often its use is written down."""

    idle: timedelta
    absolute: timedelta
    noted_every: timedelta


# Whoever can change events and money is asked again sooner; the noting is fine enough for that.
_DESK = Life(idle=timedelta(minutes=30), absolute=timedelta(hours=12), noted_every=timedelta(minutes=1))
SESSION_LIVES = {
    "user": Life(idle=timedelta(days=14), absolute=timedelta(days=30), noted_every=timedelta(minutes=5)),
    "manager": _DESK,
    "admin": _DESK,
}
LONGEST_LIFE = max(life.absolute for life in SESSION_LIVES.values())


class User(SQLModel, table=True):
    """An account whose address has been proved. `name` stays empty until it is first needed.

    Events of a manager who is trusted need no review before they are published.
    """

    __tablename__ = "users"
    __table_args__ = (CheckConstraint(one_of("role", ROLES), name="role"),)

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    email: str = Field(max_length=254, unique=True)
    name: str = Field(default="", max_length=100)
    password_hash: str = Field(default="", max_length=200, repr=False)
    role: str = Field(default="user", max_length=10)
    language: str = Field(default="en", max_length=10)
    disabled_at: datetime | None = None
    # What the person was told about it.
    disabled_reason: str = Field(default="", max_length=500)
    trusted_at: datetime | None = None
    created_at: datetime

    @property
    def is_disabled(self) -> bool:
        return self.disabled_at is not None

    @property
    def is_trusted(self) -> bool:
        return self.trusted_at is not None

    @property
    def is_erased(self) -> bool:
        return self.email.endswith(ERASED)


class LoginSession(SQLModel, table=True):
    """A signed-in browser. The cookie carries the id; the row stores its SHA-256 and decides.

    `proved_at` is when the person last proved who they are. One that `waits` has the first factor and not yet the second:
    it signs nobody in. `has_second` says that a second factor was proved in it.
    """

    __tablename__ = "login_sessions"

    id_hash: str = Field(primary_key=True, max_length=64)
    user_id: int = link("users.id")
    created_at: datetime
    last_seen_at: datetime
    proved_at: datetime
    ended_at: datetime | None = None
    device: str = Field(default="", max_length=200)
    waits: bool = False
    has_second: bool = False

    def is_live(self, now: datetime, *, role: str) -> bool:
        """Whether it can still be used by an account that has this role now."""
        life = SESSION_LIVES[role]
        absolute = WAITING_LIFE if self.waits else life.absolute
        return self.ended_at is None and now < self.created_at + absolute and now < self.last_seen_at + life.idle

    def is_to_be_noted(self, now: datetime, *, role: str) -> bool:
        """Once in a while is enough, so that reading a page does not write each time."""
        return now >= self.last_seen_at + SESSION_LIVES[role].noted_every


_OPEN = text("state = 'open'")


class Application(SQLModel, table=True):
    """A user asks to become a manager, and an admin decides; of one user at most one is open."""

    __tablename__ = "applications"
    __table_args__ = (
        CheckConstraint(one_of("state", APPLICATION_STATES), name="state"),
        Index("ix_applications_one_open", "user_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
    )

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    user_id: int = link("users.id")
    state: str = Field(default="open", max_length=10)
    organisation: str = Field(max_length=120)
    website: str = Field(default="", max_length=200)
    why: str = Field(max_length=2000)
    # What the user was told when it was rejected.
    reason: str = Field(default="", max_length=500)
    created_at: datetime
    decided_at: datetime | None = None
    decided_by: int | None = maybe_link("users.id", index=False)

    @property
    def is_open(self) -> bool:
        return self.state == "open"


class FactorReset(SQLModel, table=True):
    """An admin has asked to take an account's second factors away; it takes another admin, or patience, to do so."""

    __tablename__ = "factor_resets"

    user_id: int = Field(sa_column=Column(BigInteger, ForeignKey("users.id"), primary_key=True, autoincrement=False))
    asked_by: int = link("users.id", index=False)
    asked_at: datetime

    def counts(self, now: datetime) -> bool:
        return now < self.asked_at + RESET_LIFE

    @property
    def alone_from(self) -> datetime:
        """From when on the admin who asked may do it without a second one, where there is none."""
        return self.asked_at + RESET_ALONE_AFTER


class Authenticator(SQLModel, table=True):
    """The app that shows an account's codes. It counts from the moment its first code came back.

    A code is good for its step of 30 seconds; `last_step` is the newest that was used, and none before it works again.
    """

    __tablename__ = "authenticators"

    user_id: int = Field(sa_column=Column(BigInteger, ForeignKey("users.id"), primary_key=True, autoincrement=False))
    sealed_secret: str = Field(max_length=200, repr=False)
    created_at: datetime
    confirmed_at: datetime | None = None
    last_step: int = Field(default=0, sa_type=BigInteger)


class RecoveryCode(SQLModel, table=True):
    """Stands in for a second factor that was lost, once. Codes made together share their salt."""

    __tablename__ = "recovery_codes"

    id: int | None = row_id()
    user_id: int = link("users.id")
    salt: str = Field(max_length=32)
    code_hash: str = Field(max_length=64, repr=False)
    used_at: datetime | None = None


class LoginAttempts(SQLModel, table=True):
    """Passwords tried for an address since the last right one; `browser` is empty for browsers that are strangers to the account.

    Times are whole seconds since 1970, because one statement compares them and adds to them.
    """

    __tablename__ = "login_attempts"

    email_key: str = Field(primary_key=True, max_length=64)
    browser: str = Field(default="", primary_key=True, max_length=64)
    failures: int
    tried_at: int = Field(sa_type=BigInteger)
    free_at: int = Field(sa_type=BigInteger)


class MailedLink(SQLModel, table=True):
    """Something to be proved by opening a mail, once, before `expires_at`.

    The mail carries the id under our signature, so that reading this table is not enough to use a link.
    """

    __tablename__ = "mailed_links"
    __table_args__ = (CheckConstraint(one_of("kind", LINK_KINDS), name="kind"),)

    id: str = Field(default_factory=random_id, primary_key=True, max_length=32)
    kind: str = Field(max_length=12)
    email: str = Field(max_length=254, index=True)
    user_id: int | None = maybe_link("users.id")
    password_hash: str = Field(default="", max_length=200, repr=False)
    role: str = Field(default="user", max_length=10)
    language: str = Field(default="en", max_length=10)
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    # The page of ours that a sign-in link leads to.
    leads_to: str = Field(default="", max_length=500)

    def is_usable(self, now: datetime) -> bool:
        return self.used_at is None and now < self.expires_at


class Passkey(SQLModel, table=True):
    """The public half of a key that a device keeps. `sign_count` is how often it says that it was used; many always say 0."""

    __tablename__ = "passkeys"

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    user_id: int = link("users.id")
    name: str = Field(max_length=60)
    credential_id: str = Field(max_length=1400, unique=True)
    public_key: str = Field(max_length=3000)
    sign_count: int = Field(default=0, sa_type=BigInteger)
    created_at: datetime
    last_used_at: datetime | None = None


class Identity(SQLModel, table=True):
    """An account at an OpenID provider that opens an account here. The provider's `subject` never changes, an address may."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    user_id: int = link("users.id")
    issuer: str = Field(max_length=255)
    subject: str = Field(max_length=255)
    email: str = Field(max_length=254)
    created_at: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True)
class Person:
    """Somebody whose address an OpenID provider has proved. `subject` is the provider's own name for the account."""

    issuer: str
    subject: str
    email: str


class Challenge(SQLModel, table=True):
    """A question that only one answer fits, once, before `expires_at`: to a passkey, or to an OpenID provider.

    `nonce` comes back inside what the other side signs; `verifier` never leaves until the answer has come (PKCE).
    With a `user_id` only that account may answer. A row of the kind "oidc_link" keeps whom the provider has proved,
    until the account's owner agrees.
    """

    __tablename__ = "challenges"
    __table_args__ = (CheckConstraint(one_of("kind", CHALLENGE_KINDS), name="kind"),)

    id: str = Field(default_factory=random_id, primary_key=True, max_length=32)
    kind: str = Field(max_length=12)
    nonce: str = Field(default_factory=random_nonce, max_length=43, unique=True, repr=False)
    verifier: str = Field(default="", max_length=64, repr=False)
    user_id: int | None = maybe_link("users.id")
    issuer: str = Field(default="", max_length=255)
    subject: str = Field(default="", max_length=255)
    email: str = Field(default="", max_length=254)
    leads_to: str = Field(default="", max_length=500)
    expires_at: datetime = Field(index=True)
    used_at: datetime | None = None

    @property
    def person(self) -> Person:
        return Person(self.issuer, self.subject, self.email)

    def is_usable(self, now: datetime) -> bool:
        return self.used_at is None and now < self.expires_at


@dataclass(frozen=True)
class Visitor:
    """Whoever makes the request. `key` names the browser; it is empty until the browser has held something.

    `waiting_hash` names a session that has the first factor and waits for the second. Who `lacks_second` has no second
    factor where the shop requires one, and has none of the rights of a role until it is set up.
    """

    user_id: int | None = None
    email: str = ""
    name: str = ""
    role: str = ""
    language: str = "en"
    key: str = ""
    session_hash: str = ""
    proved_at: datetime | None = None
    has_second: bool = False
    lacks_second: bool = False
    waiting_hash: str = ""

    @property
    def is_signed_in(self) -> bool:
        return self.user_id is not None

    @property
    def is_manager(self) -> bool:
        """Roles add up: an admin is a manager too."""
        return self.role in ("manager", "admin") and not self.lacks_second

    @property
    def is_admin(self) -> bool:
        return self.role == "admin" and not self.lacks_second

    def proved_lately(self, now: datetime) -> bool:
        """Whether the person proved so shortly ago who they are that what matters may be done."""
        return self.proved_at is not None and now <= self.proved_at + PROVED_FOR

    def with_key(self, key: str) -> "Visitor":
        return replace(self, key=key)
