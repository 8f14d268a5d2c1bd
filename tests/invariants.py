"""What must hold after every step. What gives the shop time to do something (I9) is not asked here."""

from sqlmodel.ext.asyncio.session import AsyncSession

from app.admin import invariants


async def broken(_db: AsyncSession) -> list[str]:
    """The ids of the invariants that do not hold, such as "I3" (app/admin/invariants.py); empty when all do."""
    return await invariants.broken()
