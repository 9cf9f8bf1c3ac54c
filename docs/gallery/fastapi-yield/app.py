"""A session in a dependency with yield, and an answer that is streamed for two seconds
after the session was needed for the last time."""

import asyncio
import os

from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SLOW = float(os.environ.get("SLOW", "2"))  # seconds
WORDS = 10

# asyncpg reads the URL itself. The pool is SQLAlchemy's own: 5 connections, and up to 10 more.
engine = create_async_engine("postgresql+asyncpg://", connect_args={"dsn": os.environ["DATABASE_URL"]})
app = FastAPI()


async def get_session():
    async with AsyncSession(engine) as session:
        yield session


async def answer(name):
    for i in range(WORDS):
        await asyncio.sleep(SLOW / WORDS)
        yield f"{name}, word {i}\n"


async def name_of(session, user_id):
    return await session.scalar(text("SELECT name FROM users WHERE id = :id"), {"id": user_id})


@app.get("/before/{user_id}")
async def before(user_id: int, session: AsyncSession = Depends(get_session)):
    name = await name_of(session, user_id)
    return StreamingResponse(answer(name))


@app.get("/after/{user_id}")
async def after(user_id: int, session: AsyncSession = Depends(get_session)):
    name = await name_of(session, user_id)
    await session.close()  # in good time, whenever the dependency's exit code runs
    return StreamingResponse(answer(name))
