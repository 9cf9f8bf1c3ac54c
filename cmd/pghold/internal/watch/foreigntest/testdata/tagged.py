"""examples/fastapi with the recipe, and with routes that have parameters."""

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app import User, app, async_engine, engine, slow_call, slow_call_async
from route_comment import RouteComment

app.add_middleware(RouteComment)
router = APIRouter(prefix="/shop")


@router.get("/async/{user_id}")
async def async_user(user_id: int):
    async with AsyncSession(async_engine) as session:
        await session.execute(select(User).where(User.id == user_id))
        await slow_call_async()


@router.get("/sync/{user_id}")
def sync_user(user_id: int):
    with Session(engine) as session:
        session.execute(select(User).where(User.id == user_id))
        slow_call()


app.include_router(router, prefix="/v1")
