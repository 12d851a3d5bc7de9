"""Alert packets: one visit's detections with all they carry, encoded and framed as Rubin sends them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.avro import Binary, Codec, Decoded, Level, Text
from lasair_broker.packets.simulator._detections import ARTEFACT, MOVING, RESIDUAL
from lasair_broker.packets.simulator._field import Field
from lasair_broker.packets.simulator._fits import cutout_layout
from lasair_broker.packets.simulator._history import history_of
from lasair_broker.packets.simulator._measure import TEMPLATE_ERROR
from lasair_broker.packets.simulator._random import uniform_array
from lasair_broker.packets.simulator._records import (
    dia_forced_sources,
    dia_objects,
    dia_sources,
    solar_system_records,
)
from lasair_broker.packets.simulator._spectra import ab_flux
from lasair_broker.packets.simulator._stamps import Scene, draw_cutouts
from lasair_broker.packets.simulator.populations import Situation

__all__ = ["PacketWriter"]

Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]

_PIXEL_ARCSEC = 0.2
_TEMPLATE_SEEING = 0.78
_PSF_SIZE = 41


class PacketWriter:
    """Turns detections into packets of one schema.

    Parameters
    ----------
    codec
        Of the schema.
    schema_id
        Its Confluent id, written before each packet.
    cutouts
        "none", "image", "variance" or "psf": what a cut-out holds; see `_fits.CUTOUT_LAYOUTS`.
    """

    def __init__(self, codec: Codec, schema_id: int, cutouts: str) -> None:
        self._codec = codec
        self._prefix = b"\0" + schema_id.to_bytes(4, "big")
        self._cutouts = cutouts
        self._stamps: UInt8 | None = None

    def packets(self, field: Field, rows: Int64) -> list[bytes]:
        """The framed packets of detections `rows` of a field, all of one visit."""
        return self._codec.encode(self.columns(field, rows), prefix=self._prefix, ignore_unknown=True)

    def columns(self, field: Field, rows: Int64) -> Decoded:
        """The packets as columns."""
        d = field.detections
        n = len(rows)
        history = history_of(field, rows)
        moving = d.kind[rows] == MOVING
        source = dia_sources(field, rows)
        objects = dia_objects(field, rows, history)
        root: dict[str, Any] = {"diaSourceId": source["diaSourceId"]}
        band = "ugrizy"[field.visits.band[int(d.visit[rows[0]])]] if n else "r"
        root["observation_reason"] = Text(np.zeros(n, np.int32), (f"pairs_{band}_33.0",))
        root["target_name"] = Text(np.zeros(n, np.int32), ("lowdust",))
        root |= {f"diaSource.{name}": values for name, values in source.items()}
        root |= {f"diaObject.{name}": values for name, values in objects.items()}
        valid = {
            "diaObject": ~moving,
            "prvDiaSources": np.diff(history.previous_offsets) > 0,
            "prvDiaForcedSources": ~moving,
        }
        if moving.any():
            valid |= {"ssSource": moving, "mpc_orbits": moving}
            seen, orbits = solar_system_records(field, rows)
            root |= {f"ssSource.{name}": values for name, values in seen.items()}
            root |= {f"mpc_orbits.{name}": values for name, values in orbits.items()}
        if self._cutouts != "none":
            root |= self._draw(field, rows)
        previous = dia_sources(field, history.previous)
        forced = dia_forced_sources(field, history, objects["diaObjectId"], objects["ra"], objects["dec"])
        levels = {
            "": Level.build(root, valid, num_rows=n, nan_is_null=True),
            "prvDiaSources": Level.build(previous, None, history.previous_offsets),
            "prvDiaForcedSources": Level.build(forced, None, history.forced_offsets),
        }
        return Decoded.build(n, levels)

    def _draw(self, field: Field, rows: Int64) -> dict[str, Binary]:
        d, visits = field.detections, field.visits
        column = int(d.visit[rows[0]])
        sigma = float(visits.seeing[column]) / 2.3548 / _PIXEL_ARCSEC
        template_sigma = _TEMPLATE_SEEING / 2.3548 / _PIXEL_ARCSEC
        science = cutout_layout(self._cutouts, sigma, _PSF_SIZE)
        reference = cutout_layout(self._cutouts, template_sigma, _PSF_SIZE)
        self._stamps = draw_cutouts(
            _scene(field, rows, column),
            (science, science, reference),
            rotation=float(visits.rotation[column]),
            sigma=sigma,
            template_sigma=template_sigma,
            five_sigma=float(ab_flux(visits.depth[column])),
            template_noise=TEMPLATE_ERROR,
            reuse=self._stamps,
        )
        n, _, size = self._stamps.shape
        names = ("cutoutDifference", "cutoutScience", "cutoutTemplate")
        flat = self._stamps.reshape(-1)
        starts = np.arange(n, dtype=np.int64) * 3 * size
        lengths = np.full(n, size, np.int64)
        return {name: Binary(flat, starts + i * size, lengths) for i, name in enumerate(names)}


def _scene(field: Field, rows: Int64, column: int) -> Scene:
    """What is in the stamps of detections of one visit."""
    d, visits = field.detections, field.visits
    n, band = len(rows), int(visits.band[column])
    kind, key = d.kind[rows], d.key[rows]
    zero = np.zeros(n, np.float32)
    scene: dict[str, Any] = {
        name: zero.copy() for name in ("galaxy", "galaxy_dx", "galaxy_dy", "radius", "angle")
    }
    scene["axis_ratio"] = np.ones(n, np.float32)
    template = d.template[rows].copy()
    rotation = np.radians(visits.rotation[column])
    still = np.flatnonzero(rows < field.starts[-1])
    obj = d.object_index[rows[still]]
    for code in np.unique(field.group[obj]).tolist():
        group = field.groups[code]
        mine = still[field.group[obj] == code]
        row = field.row[d.object_index[rows[mine]]]
        if group.population.situation is Situation.EMPTY:
            continue
        template[mine] -= group.static[row, band].astype(np.float32)
        if group.hosts is None:
            continue
        hosts = group.hosts.take(row)
        dust = group.dust[row, band]
        east, north = -group.host_east[row] / _PIXEL_ARCSEC, -group.host_north[row] / _PIXEL_ARCSEC
        scene["galaxy"][mine] = hosts.flux[:, band] * dust
        scene["galaxy_dx"][mine] = -np.cos(rotation) * east + np.sin(rotation) * north
        scene["galaxy_dy"][mine] = np.sin(rotation) * east + np.cos(rotation) * north
        scene["radius"][mine] = hosts.radius / _PIXEL_ARCSEC
        scene["axis_ratio"][mine] = hosts.axis_ratio
        pa = np.radians(hosts.position_angle)
        major_x = -np.cos(rotation) * np.sin(pa) + np.sin(rotation) * np.cos(pa)
        major_y = np.sin(rotation) * np.sin(pa) + np.cos(rotation) * np.cos(pa)
        scene["angle"][mine] = np.arctan2(major_y, major_x)
    stretch, stretch_angle = zero.copy(), zero.copy()
    moving = np.flatnonzero(kind == MOVING)
    if len(moving):
        east, north = (rate[d.object_index[rows[moving]]] for rate in field.ephemerides[column][0].rates())
        stretch[moving] = np.hypot(east, north) * 30.0 / 86400.0 * 3600.0 / _PIXEL_ARCSEC
        dx = -np.cos(rotation) * east + np.sin(rotation) * north
        dy = np.sin(rotation) * east + np.cos(rotation) * north
        stretch_angle[moving] = np.arctan2(dy, dx)
    sharp = (kind == ARTEFACT) & (d.psf[rows] > 0)
    stretch[sharp] = 3.0 * uniform_array(key[sharp] + np.uint64(31)) ** 2
    residual = kind == RESIDUAL
    dipole = np.where(residual, 1.5 + uniform_array(key + np.uint64(37)), 0.0).astype(np.float32)
    return Scene(
        ra=d.ra[rows],
        decl=d.decl[rows],
        x=d.x[rows],
        y=d.y[rows],
        difference=d.psf[rows],
        template=template,
        stretch=stretch,
        stretch_angle=stretch_angle,
        dipole=dipole,
        sharp=sharp,
        key=key,
        **scene,
    )
