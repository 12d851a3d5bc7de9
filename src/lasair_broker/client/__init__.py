"""A client of the REST API: objects, light curves, images, queries, filters, lists and annotations in Python.

>>> from lasair_broker.client import Lasair
>>> with Lasair("https://lasair.example.org", token="…") as lasair:
...     nearby = lasair.cone(194.5, -20.3, radius=10).to_pandas()
...     curve = lasair.light_curve(nearby.diaObjectId[0])
"""

from lasair_broker.client._client import Lasair
from lasair_broker.client._errors import LasairError
from lasair_broker.client._result import Result

__all__ = ["Lasair", "LasairError", "Result"]
