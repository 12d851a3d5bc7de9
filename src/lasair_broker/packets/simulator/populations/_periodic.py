"""Variable stars with a period: pulsating, eclipsing, rotating and long-period ones.

Typical periods, amplitudes and their ratios between bands: Sesar et al. 2010 (ApJ 708, 717; RR Lyrae), Prsa
et al. 2011 and Chen et al. 2020 (ApJS 249, 18; eclipsing, delta Scuti, rotation), Soszynski et al. 2009 and
Iwanek et al. 2021 (Mira and semi-regular).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._spectra import WAVELENGTH_NM, ab_flux, blackbody_log_ratio

from ._base import Parameters, Place, Population, Situation, stellar_magnitudes

__all__ = ["PERIODIC", "PeriodicStars"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
UInt64 = npt.NDArray[np.uint64]


class _Kind(NamedTuple):
    """One kind of star; amplitudes are peak to peak in g, `ratio` those of ugrizy relative to it."""

    name: str
    share: float
    log_period: float
    log_period_spread: float
    amplitude: float
    amplitude_spread: float
    ratio: tuple[float, float, float, float, float, float]
    shape: int
    temperature: float
    temperature_spread: float
    brightest: float
    faintest: float


_SAW, _SINE, _CONTACT, _DETACHED = range(4)
_GREY = (1.0, 1.0, 0.98, 0.96, 0.95, 0.94)
_WARM = (0.95, 1.0, 0.72, 0.57, 0.52, 0.50)
_COLD = (1.05, 1.0, 0.85, 0.62, 0.50, 0.44)

_KINDS = (
    _Kind("RRab", 0.10, -0.26, 0.06, 0.95, 0.25, _WARM, _SAW, 6600, 250, 16.0, 23.0),
    _Kind("RRc", 0.05, -0.49, 0.05, 0.45, 0.20, _WARM, _SINE, 7200, 250, 16.0, 23.0),
    _Kind("delta Sct", 0.06, -1.05, 0.15, 0.18, 0.45, _WARM, _SINE, 7600, 300, 16.0, 22.0),
    _Kind("Cepheid", 0.01, 0.75, 0.25, 0.80, 0.25, _WARM, _SAW, 5900, 250, 16.0, 19.5),
    _Kind("EW", 0.30, -0.46, 0.08, 0.50, 0.35, _GREY, _CONTACT, 5300, 600, 16.5, 23.4),
    _Kind("EA", 0.16, 0.35, 0.30, 0.65, 0.40, _GREY, _DETACHED, 5600, 900, 16.5, 23.4),
    _Kind("Mira", 0.01, 2.48, 0.12, 5.00, 0.25, _COLD, _SINE, 2900, 150, 17.5, 21.0),
    _Kind("semi-regular", 0.05, 1.95, 0.25, 0.55, 0.45, _COLD, _SINE, 3400, 200, 16.0, 20.0),
    _Kind("rotating", 0.26, 0.75, 0.45, 0.10, 0.50, _WARM, _SINE, 4500, 500, 16.0, 21.8),
)
_RATIO = np.array([kind.ratio for kind in _KINDS])
_SHAPE = np.array([kind.shape for kind in _KINDS])


def _saw(phase: Float64) -> Float64:
    """A slow fall over 82 % of the period and a steep rise, as of RR Lyrae ab."""
    rise = 0.4 - 0.5 * (1.0 - np.cos(np.pi * (phase - 0.82) / 0.18))
    return np.where(phase < 0.82, -0.6 + (phase / 0.82) ** 0.75, rise)


def _phase_curve(shape: npt.NDArray[np.int64], phase: Float64, width: Float64, second: Float64) -> Float64:
    """Magnitude relative to the mean, peak to peak one, at a phase in [0, 1)."""
    out = np.empty(len(phase))
    for code in range(4):
        mine = np.flatnonzero(shape == code)
        at = phase[mine]
        if code == _SAW:
            out[mine] = _saw(at)
        elif code == _SINE:
            out[mine] = -0.5 * np.cos(2.0 * np.pi * at)
        elif code == _CONTACT:
            # Contact binaries: two unequal minima a period (Rucinski 1993).
            deeper = 0.5 * (1.0 - second[mine]) * np.cos(2.0 * np.pi * at)
            out[mine] = 0.5 * np.cos(4.0 * np.pi * at) + deeper
        else:
            first = np.exp(-0.5 * ((at - np.round(at)) / width[mine]) ** 2)
            out[mine] = first + second[mine] * np.exp(-0.5 * ((at - 0.5) / width[mine]) ** 2)
    return out


@dataclass(frozen=True, kw_only=True)
class PeriodicStars(Population):
    """All kinds together; the parameter ``subclass`` says which."""

    per_deg2: float

    def natural_number(self, place: Place) -> float:
        """Surface density at 40 degrees of latitude times the star counts."""
        return self.per_deg2 * place.area_deg2 * place.stars

    def draw(self, rng: np.random.Generator, n: int, place: Place) -> Parameters:
        """Kind, mean magnitude in r, period (days), amplitude in g (mag), phase at MJD 0, temperature,
        shape."""
        share = np.array([kind.share for kind in _KINDS])
        kind = rng.choice(len(_KINDS), n, p=share / share.sum())

        def of(name: str) -> Float64:
            return np.array([getattr(k, name) for k in _KINDS], np.float64)[kind]

        unit = rng.standard_normal((n, 3))
        magnitude = np.empty(n)
        for code, row in enumerate(_KINDS):
            mine = kind == code
            magnitude[mine] = stellar_magnitudes(rng, int(mine.sum()), row.brightest, row.faintest)
        return {
            "subclass": kind.astype(np.float64),
            "magnitude": magnitude,
            "period": 10.0 ** (of("log_period") + of("log_period_spread") * unit[:, 0]),
            "amplitude": np.minimum(of("amplitude") * np.exp(of("amplitude_spread") * unit[:, 1]), 8.0),
            "phase": rng.random(n),
            "temperature": of("temperature") + of("temperature_spread") * unit[:, 2],
            "width": 0.015 + 0.035 * rng.random(n),
            "second": 0.3 + 0.6 * rng.random(n),
        }

    def flux(self, p: Parameters, key: UInt64, row: Int64, mjd: Float64, band: Int8) -> Float64:
        """Flux in nJy."""
        kind = p["subclass"][row].astype(np.int64)
        phase = (mjd / p["period"][row] + p["phase"][row]) % 1.0
        curve = _phase_curve(_SHAPE[kind], phase, p["width"][row], p["second"][row])
        change = p["amplitude"][row] * _RATIO[kind, band] * curve
        colour = blackbody_log_ratio(WAVELENGTH_NM[band], WAVELENGTH_NM[2], p["temperature"][row])
        return ab_flux(p["magnitude"][row] + change - 2.5 * colour)


PERIODIC = PeriodicStars(
    name="variable star",
    situation=Situation.STAR,
    per_deg2=1150.0,
    subclasses=tuple(kind.name for kind in _KINDS),
)
"""Variable stars of our galaxy."""
