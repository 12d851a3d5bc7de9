"""The user database and the site: accounts, filters, lists, maps, annotators, delivery state.

Models and admin are Django's. What the command line, the API and the pages do, they do through the plain
functions of each app's `services` module, which check permissions; `setup` makes Django ready for them.
"""

from lasair_broker.web._setup import migrate, setup

__all__ = ["migrate", "setup"]
