"""The site for a WSGI server."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from lasair_broker.web._setup import setup
from lasair_broker.web.site.assets_built import tell_if_missing

setup()
application = get_wsgi_application()
tell_if_missing()
