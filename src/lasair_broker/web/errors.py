"""What a service function raises when it will not do what was asked."""

from __future__ import annotations

from collections.abc import Mapping


class ServiceError(Exception):
    """The base of these; its text is for the user."""


class NotFound(ServiceError):  # noqa: N818  # reads as what it says, as in Django
    """There is no such thing, or the user may not know of it: the two are told apart nowhere."""


class NotAllowed(ServiceError):  # noqa: N818  # reads as what it says, as in Django
    """The user sees the thing but may not do this with it."""


class Unavailable(ServiceError):  # noqa: N818  # reads as what it says, as in Django
    """Something that is needed does not answer now; the same request may do later."""


class Busy(ServiceError):  # noqa: N818  # reads as what it says
    """It can be asked again in a moment: as much as may be done at once is being done."""


class TooOften(ServiceError):  # noqa: N818  # reads as what it says
    """As much as may be asked for in some time was asked for.

    Attributes
    ----------
    seconds
        After so long it can be asked again.
    """

    def __init__(self, text: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(text)


class Invalid(ServiceError):  # noqa: N818  # reads as what it says, as in Django
    """Values are wrong.

    Attributes
    ----------
    faults
        For each field what is wrong and what to give instead; "" is the whole.
    """

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        super().__init__("; ".join(f"{name}: {text}" if name else text for name, text in faults.items()))
