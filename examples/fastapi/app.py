"""The published experiment's four routes, in what it was published for: FastAPI and
SQLAlchemy. Each reads a user and makes a slow call. They differ in two things: whether
the session is open meanwhile, and whether they are async. README.md says how to run it.
"""

import asyncio
import os
import time
from urllib.request import urlopen

from fastapi import FastAPI
from sqlalchemy import Column, Integer, String, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, declarative_base
from starlette.concurrency import run_in_threadpool

DATABASE_URL = os.environ["DATABASE_URL"]
SLOW = float(os.environ.get("SLOW", "2"))  # seconds
SLOW_URL = os.environ.get("SLOW_URL")  # what is called instead, if set

# Both have SQLAlchemy's own pool: 5 connections, and up to 10 more.
engine = create_engine(
    make_url(DATABASE_URL).set(drivername="postgresql+psycopg2"),
    connect_args={"application_name": "fastapi-sync"},
)
async_engine = create_async_engine(
    "postgresql+asyncpg://",  # asyncpg reads the URL itself, with sslmode and the like
    connect_args={"dsn": DATABASE_URL, "server_settings": {"application_name": "fastapi-async"}},
)
Base = declarative_base()
app = FastAPI()


class User(Base):
    __tablename__ = "example_users"
    id = Column(Integer, primary_key=True)
    name = Column(String, nullable=False)


Base.metadata.create_all(engine)
with Session(engine) as session:
    session.merge(User(id=1, name="Ada"))
    session.commit()


def slow_call():
    if SLOW_URL:
        urlopen(SLOW_URL).close()
    else:
        time.sleep(SLOW)


async def slow_call_async():
    if SLOW_URL:
        await run_in_threadpool(slow_call)
    else:
        await asyncio.sleep(SLOW)


@app.get("/sync_session_sleep_outside_session")
def sync_outside():
    with Session(engine) as session:
        user = session.get(User, 1)
    slow_call()
    return {"hello": user.name}


@app.get("/sync_session_sleep_inside_session")
def sync_inside():
    with Session(engine) as session:
        user = session.get(User, 1)
        slow_call()
    return {"hello": user.name}


@app.get("/async_session_sleep_outside_session")
async def async_outside():
    async with AsyncSession(async_engine) as session:
        user = await session.get(User, 1)
    await slow_call_async()
    return {"hello": user.name}


@app.get("/async_session_sleep_inside_session")
async def async_inside():
    async with AsyncSession(async_engine) as session:
        user = await session.get(User, 1)
        await slow_call_async()
    return {"hello": user.name}
