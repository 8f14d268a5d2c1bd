"""One item after another: a failing one is tried again at the next turn and does not stop the others."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import structlog

from app.core.db import retried
from app.payments.stripe import StripeDown, StripeSilent

log = structlog.get_logger()
T = TypeVar("T")


async def each(items: Iterable[T], step: Callable[[T], Awaitable[None]]) -> None:
    """Every step opens its own writing blocks, and may be repeated as a whole. Ends early while Stripe is down."""
    for item in items:
        try:
            await retried(step)(item)
        except StripeDown:
            log.warning("stripe is down, the rest waits", step=step.__name__)
            return
        except StripeSilent as silent:
            log.warning("stripe did not answer", step=step.__name__, error=str(silent))
        except Exception:
            log.exception("sweep step failed", step=step.__name__)
