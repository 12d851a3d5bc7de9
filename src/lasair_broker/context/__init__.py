"""What is known at a place on the sky: catalogues and what follows from them."""

__all__ = ()
