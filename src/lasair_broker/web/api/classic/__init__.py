"""Today's contract, for scripts and for the client `lasair` as they are."""

from lasair_broker.web.api.classic.urls import urlpatterns

__all__ = ["urlpatterns"]
