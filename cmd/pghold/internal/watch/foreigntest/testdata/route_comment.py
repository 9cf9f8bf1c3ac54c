"""The route of a request, in a comment at the end of each of its statements."""

from contextvars import ContextVar
from urllib.parse import quote

from sqlalchemy import event
from sqlalchemy.engine import Engine

request = ContextVar("request", default={})


class RouteComment:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        request.set(scope)
        await self.app(scope, receive, send)


def pattern():
    scope = request.get()  # in which FastAPI puts the route when it has found it,
    included = scope.get("fastapi", {}).get("effective_route_context")  # since 0.137 with its prefixes here
    return getattr(included, "path", "") or getattr(scope.get("route"), "path", "")


@event.listens_for(Engine, "before_cursor_execute", retval=True)
def comment(conn, cursor, statement, parameters, context, executemany):
    if pattern():
        tag = f" /*route='{quote(pattern(), safe='')}'*/"
        if conn.dialect.paramstyle in ("format", "pyformat"):
            tag = tag.replace("%", "%%")  # the driver makes one of two
        statement += tag
    return statement, parameters
