"""The site for a WSGI server."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from lasair_broker.web._setup import setup

setup()
application = get_wsgi_application()
