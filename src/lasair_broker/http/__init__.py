"""Asking other servers: those that the operator allows and no other, for so much in so long a time."""

from ._ask import Answer, HttpError, Patience, ask
from ._hosts import among, at_the_server_of

__all__ = ["Answer", "HttpError", "Patience", "among", "ask", "at_the_server_of"]
