"""Asks a server one thing with asyncpg: ask.py "host=… port=…" QUERY."""

import asyncio
import shlex
import sys
from urllib.parse import urlencode

import asyncpg


async def ask(dsn, query):
    p = dict(pair.split("=", 1) for pair in shlex.split(dsn))
    p.pop("channel_binding", None)  # it knows no such thing, and binds to none
    ours = {name: p.pop(name) for name in ("host", "port", "dbname", "user", "password")}
    c = await asyncpg.connect(
        f"postgresql://{ours['host']}:{ours['port']}/{ours['dbname']}?{urlencode(p)}",
        user=ours["user"],
        password=ours["password"],
    )
    try:
        return await c.fetchval(query)
    finally:
        await c.close()


try:
    print(asyncio.run(ask(*sys.argv[1:])))
except (OSError, asyncpg.PostgresError) as e:
    sys.exit(str(e))
