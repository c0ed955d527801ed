"""WSGI entry point for any server; `relance serve` uses it with waitress."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "relance.conf.settings")
application = get_wsgi_application()
