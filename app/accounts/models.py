"""Who is asking: accounts, their login sessions, and the links we mail to prove an address."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from app.core.codes import random_id, secret_code
from app.core.columns import link, maybe_link, one_of, row_id

ROLES = ("user", "manager", "admin")
LINK_KINDS = ("register", "reset", "email", "invitation")
LINK_LIFE = {
    "register": timedelta(hours=24),
    "reset": timedelta(minutes=30),
    "email": timedelta(hours=24),
    "invitation": timedelta(days=7),
}
SESSION_LIFE = timedelta(days=30)


class User(SQLModel, table=True):
    """An account whose address has been proved. `name` stays empty until it is first needed."""

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
    created_at: datetime

    @property
    def is_disabled(self) -> bool:
        return self.disabled_at is not None


class LoginSession(SQLModel, table=True):
    """A signed-in browser. The cookie carries the id; the row stores its SHA-256 and decides."""

    __tablename__ = "login_sessions"

    id_hash: str = Field(primary_key=True, max_length=64)
    user_id: int = link("users.id")
    created_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None = None
    device: str = Field(default="", max_length=200)

    def is_live(self, now: datetime) -> bool:
        return self.ended_at is None and now < self.created_at + SESSION_LIFE


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

    def is_usable(self, now: datetime) -> bool:
        return self.used_at is None and now < self.expires_at


@dataclass(frozen=True)
class Visitor:
    """Whoever makes the request. `key` names the browser; it is empty until the browser has held something."""

    user_id: int | None = None
    email: str = ""
    name: str = ""
    role: str = ""
    language: str = "en"
    key: str = ""
    session_hash: str = ""

    @property
    def is_signed_in(self) -> bool:
        return self.user_id is not None

    @property
    def is_manager(self) -> bool:
        """Roles add up: an admin is a manager too."""
        return self.role in ("manager", "admin")

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    def with_key(self, key: str) -> "Visitor":
        return replace(self, key=key)
