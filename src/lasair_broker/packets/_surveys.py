"""The surveys whose packets can be read."""

from __future__ import annotations

from ._elasticc import ELASTICC
from ._lsst import LSST
from ._mapping import Survey
from ._ztf import ZTF
from .avro import Decoded

__all__ = ["SURVEYS", "survey_of"]

SURVEYS: tuple[Survey, ...] = (LSST, ZTF, ELASTICC)


def survey_of(decoded: Decoded) -> Survey | None:
    """The survey whose packets these are, by the fields they have; None if it is none of ours."""
    return next((survey for survey in SURVEYS if survey.recognises(decoded)), None)
