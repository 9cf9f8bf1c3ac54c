"""A view that asks a slow service in the transaction that ATOMIC_REQUESTS puts around it,
and one that does not. For gunicorn, as app:application."""

import os
import time

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import JsonResponse
from django.urls import path

SLOW = float(os.environ.get("SLOW", "2"))  # seconds

settings.configure(
    SECRET_KEY="gallery",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"],
            "NAME": os.environ["PGDATABASE"],
            "USER": os.environ["PGUSER"],
            "PASSWORD": os.environ["PGPASSWORD"],
            "ATOMIC_REQUESTS": True,
        }
    },
)


def slow_call():
    time.sleep(SLOW)


def create_order():
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders (state) VALUES ('new') RETURNING id")
        return cursor.fetchone()[0]


def before(request):
    order = create_order()
    slow_call()
    return JsonResponse({"order": order})


@transaction.non_atomic_requests
def after(request):
    with transaction.atomic():
        order = create_order()
    slow_call()
    return JsonResponse({"order": order})


urlpatterns = [path("before", before), path("after", after)]
application = get_wsgi_application()
