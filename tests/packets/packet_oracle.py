"""What the canonical tables must hold, worked out packet by packet from fastavro's dictionaries.

Slow and plain on purpose: it shares no code with the package, except the lists of column names.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.time import Time

from lasair_broker.schema import TABLES

Row = dict[str, Any]

LSST_OLD_NAMES = {
    "decl": ["dec"],
    "isNegative": ["is_negative"],
    "eclLambda": ["eclipticLambda"],
    "eclBeta": ["eclipticBeta"],
    "galLon": ["galacticL"],
    "galLat": ["galacticB"],
    "helioRange": ["heliocentricDist"],
    "topoRange": ["topocentricDist"],
    "ephVmag": ["predictedVMagnitude"],
    "helio_x": ["heliocentricX"],
    "helio_y": ["heliocentricY"],
    "helio_z": ["heliocentricZ"],
    "helio_vx": ["heliocentricVX"],
    "helio_vy": ["heliocentricVY"],
    "helio_vz": ["heliocentricVZ"],
    "topo_x": ["topocentricX"],
    "topo_y": ["topocentricY"],
    "topo_z": ["topocentricZ"],
    "topo_vx": ["topocentricVX"],
    "topo_vy": ["topocentricVY"],
    "topo_vz": ["topocentricVZ"],
}
MPCORB_NAMES = {
    "packed_primary_provisional_designation": "mpcDesignation",
    "h": "mpcH",
    "epoch_mjd": "epoch",
    "mean_anomaly": "M",
    "argperi": "peri",
    "i": "incl",
    "peri_time": "t_p",
}
SS_OBJECT_NAMES = {
    "nObs": "numObs",
    "firstObservationMjdTai": "firstObservationDate",
    "MOIDEarth": "MOID",
    "MOIDEarthDeltaV": "MOIDDeltaV",
    "MOIDEarthEclipticLongitude": "MOIDEclipticLongitude",
    "MOIDEarthTrueAnomaly": "MOIDTrueAnomaly",
    "extendednessMedian": "medianExtendedness",
}
LINKS = ("diaObjectId", "ssObjectId", "parentDiaSourceId")


def column_names(table: str) -> list[str]:
    return [column.name for column in TABLES[table].columns]


def clean(value: Any) -> Any:
    """No NaN, no infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def tai(utc: datetime.datetime | None) -> float | None:
    if utc is None:
        return None
    if utc.year < 1972:  # UTC had no leap seconds yet; the package takes the 10 s of 1972
        return float(Time(utc, scale="utc").mjd) + 10 / 86400
    return float(Time(utc, scale="utc").tai.mjd)


def lsst_record(record: Row | None, table: str) -> Row | None:
    """One record of LSST's under canonical names; None if it is null, or all its fields are."""
    if record is None or all(value is None for value in record.values()):
        return None
    out: Row = {}
    for name in column_names(table):
        for spelling in [name, *LSST_OLD_NAMES.get(name, [])]:
            if spelling in record:
                out[name] = clean(record[spelling])
                break
        if name in LINKS and not out.get(name):
            out[name] = None
    if "time_processed" in record:
        out["timeProcessedMjdTai"] = tai(record["time_processed"])
    if "validityStart" in record:
        out["validityStartMjdTai"] = tai(record["validityStart"])
    return out


def lsst_packet(packet: Row) -> Row:
    """The parts of one LSST packet under canonical names."""
    source = lsst_record(packet["diaSource"], "diaSources")
    assert source is not None
    summary = lsst_record(packet.get("diaObject"), "objects") or {}
    body = lsst_record(packet.get("ssSource"), "ssSources")
    limits = [
        {
            "midpointMjdTai": limit["midpointMjdTai"],
            "band": limit["band"],
            "diaNoise": clean(limit["diaNoise"]),
            "limitingFlux": clean(5.0 * limit["diaNoise"]),
        }
        for limit in packet.get("prvDiaNondetectionLimits") or []
    ]
    orbit = lsst_record(packet.get("mpc_orbits"), "mpc_orbits")
    if packet.get("MPCORB"):
        old = packet["MPCORB"]
        orbit = {name: clean(old[name]) for name in ("a", "e", "q", "node") if name in old}
        orbit |= {name: clean(old[spelling]) for name, spelling in MPCORB_NAMES.items()}
    summary_of_body = None
    if packet.get("ssObject"):
        old = packet["ssObject"]
        summary_of_body = {name: clean(old[name]) for name in column_names("ssObjects") if name in old}
        summary_of_body |= {name: clean(old[spelling]) for name, spelling in SS_OBJECT_NAMES.items()}
        summary_of_body |= {f"{band}_nObsUsed": old[f"{band}_Ndata"] for band in "ugrizy"}
    ss_object = next(
        (
            record["ssObjectId"]
            for record in (source, body, summary_of_body)
            if record and record.get("ssObjectId")
        ),
        None,
    )
    in_solar_system = bool(ss_object) or body is not None
    object_id = summary.get("diaObjectId") or (None if in_solar_system else source.get("diaObjectId"))
    return {
        "source": source,
        "history": [lsst_record(r, "diaSources") for r in packet.get("prvDiaSources") or [] if r],
        "forced": [lsst_record(r, "diaForcedSources") for r in packet.get("prvDiaForcedSources") or [] if r],
        "limits": limits,
        "object": summary,
        "object_id": object_id,
        "object_name": str(object_id),
        "body": body if body is not None else ({} if ss_object else None),
        "ss_object": ss_object,
        "orbit": orbit,
        "summary_of_body": summary_of_body,
        "cutouts": {w: packet.get(f"cutout{w}") or None for w in ("Difference", "Science", "Template")},
    }


ELASTICC_FLUX = 10.0 ** ((31.4 - 27.5) / 2.5)


def elasticc_packet(packet: Row) -> Row:
    """The parts of one ELAsTiCC packet under canonical names."""

    def point(record: Row) -> Row:
        return {
            "diaSourceId": record["diaSourceId"],
            "midpointMjdTai": record["midPointTai"],
            "ra": record["ra"],
            "decl": record["decl"],
            "band": {"Y": "y"}.get(record["filterName"], record["filterName"]),
            "psfFlux": record["psFlux"] * ELASTICC_FLUX,
            "psfFluxErr": record["psFluxErr"] * ELASTICC_FLUX,
            "snr": record["snr"],
            "parentDiaSourceId": record["parentDiaSourceId"] or None,
        }

    summary = {name: packet["diaObject"][name] for name in ("diaObjectId", "ra", "decl")}
    return {
        "source": point(packet["diaSource"]),
        "history": [point(record) for record in packet["prvDiaSources"] or []],
        "forced": [],
        "limits": [],
        "object": summary,
        "object_id": summary["diaObjectId"],
        "object_name": str(summary["diaObjectId"]),
        "body": None,
        "ss_object": None,
        "orbit": None,
        "cutouts": {w: packet.get(f"cutout{w}") or None for w in ("Difference", "Science", "Template")},
    }


def ztf_number(name: str) -> int:
    number = int(name[3:5])
    for letter in name[5:]:
        number = number * 26 + "abcdefghijklmnopqrstuvwxyz".index(letter)
    return int.from_bytes(b"ZTF" + number.to_bytes(5, "big"), "big")


_tai_of_jd: dict[float, float] = {}


def prepare_ztf_times(packets: Sequence[Row]) -> None:
    """Convert all times at once: astropy takes a millisecond for one and hardly more for thousands."""
    jds = {packet["candidate"]["jd"] for packet in packets}
    for kind in ("prv_candidates", "fp_hists"):
        jds |= {record["jd"] for packet in packets for record in packet.get(kind) or []}
    ordered = sorted(jds)
    converted = Time(ordered, format="jd", scale="utc").tai.mjd
    _tai_of_jd.update(zip(ordered, converted.tolist(), strict=True))


def ztf_middle(jd: float, exposure: float = 30.0) -> float:
    return _tai_of_jd[jd] + exposure / 2 / 86400


def ztf_flux(magnitude: float) -> float:
    return 3631e9 * 10 ** (-0.4 * magnitude) * (10 ** (0.4 * 31.4) / 3631e9)


def ztf_value(value: Any) -> Any:
    return None if value in (-999.0, -99999.0) else clean(value)


def ztf_reference(record: Row) -> tuple[float | None, float | None]:
    """Flux and error of the point source of the reference image at the place."""
    magnitude, distance = ztf_value(record["magnr"]), ztf_value(record["distnr"])
    chi, sharp, error = (
        ztf_value(record["chinr"]),
        ztf_value(record["sharpnr"]),
        ztf_value(record["sigmagnr"]),
    )
    if None in (magnitude, distance, chi, sharp):
        return None, None
    if distance >= 1.4 or chi >= 2.0 or not -0.13 < sharp < 0.1:
        return None, None
    flux = ztf_flux(magnitude)
    return flux, None if error is None else flux * error * math.log(10) / 2.5


def ztf_total(row: Row, record: Row) -> None:
    flux, error = ztf_reference(record)
    if flux is not None and row["psfFlux"] is not None:
        row["scienceFlux"] = flux + row["psfFlux"]
    if error is not None and row["psfFluxErr"] is not None and row["psfFluxErr"] > error:
        row["scienceFluxErr"] = math.sqrt(row["psfFluxErr"] ** 2 - error**2)


def ztf_source(record: Row) -> Row:
    sign = {"t": 1.0, "1": 1.0, "f": -1.0, "0": -1.0}[record["isdiffpos"]]
    row: Row = {
        "diaSourceId": record["candid"],
        "midpointMjdTai": ztf_middle(record["jd"]),
        "exposureTime": record.get("exptime"),
        "ra": record["ra"],
        "decl": record["dec"],
        "x": ztf_value(record["xpos"]),
        "y": ztf_value(record["ypos"]),
        "visit": int(str(record["pid"])[:-4]),
        "detector": record["rcid"],
        "band": {1: "g", 2: "r", 3: "i"}[record["fid"]],
        "psfFlux": sign * ztf_flux(record["magpsf"]),
        "psfFluxErr": ztf_flux(record["magpsf"]) * record["sigmapsf"] * math.log(10) / 2.5,
        "isNegative": sign < 0,
        "snr": ztf_value(record["scorr"]),
        "templateFlux": ztf_reference(record)[0],
        "templateFluxErr": ztf_reference(record)[1],
    }
    aperture = ztf_value(record["magap"])
    if aperture is not None:
        row["apFlux"] = sign * ztf_flux(aperture)
        row["apFluxErr"] = ztf_flux(aperture) * record["sigmagap"] * math.log(10) / 2.5
    deep = ztf_value(record.get("drb"))
    row["reliability"] = deep if deep is not None else ztf_value(record["rb"])
    row["reliabilityVersion"] = record["drbversion"] if deep is not None else record["rbversion"]
    ztf_total(row, record)
    return row


def ztf_packet(packet: Row) -> Row:
    """The parts of one ZTF packet under canonical names."""
    history, limits, forced = [], [], []
    for record in packet["prv_candidates"] or []:
        if record["magpsf"] is not None:
            history.append(ztf_source(record))
        elif ztf_value(record["diffmaglim"]) is not None:
            limits.append(
                {
                    "midpointMjdTai": ztf_middle(record["jd"]),
                    "band": {1: "g", 2: "r", 3: "i"}[record["fid"]],
                    "limitingFlux": ztf_flux(record["diffmaglim"]),
                    "diaNoise": ztf_flux(record["diffmaglim"]) / 5,
                    "programmeId": record["programid"],
                }
            )
    for record in packet.get("fp_hists") or []:
        scale = 10 ** (0.4 * (31.4 - record["magzpsci"]))
        counts, noise = ztf_value(record["forcediffimflux"]), ztf_value(record["forcediffimfluxunc"])
        row = {
            "diaForcedSourceId": record["pid"],
            "visit": int(str(record["pid"])[:-4]),
            "detector": record["rcid"],
            "midpointMjdTai": ztf_middle(record["jd"], record["exptime"]),
            "band": {1: "g", 2: "r", 3: "i"}[record["fid"]],
            "psfFlux": None if counts is None else counts * scale,
            "psfFluxErr": None if noise is None else noise * scale,
        }
        ztf_total(row, record)
        forced.append(row)
    candidate = packet["candidate"]
    distance = ztf_value(candidate["ssdistnr"])
    body = None
    if distance is not None and 0 <= distance < 5:
        body = {
            "ephOffset": distance,
            "ephVmag": ztf_value(candidate["ssmagnr"]),
            "designation": candidate["ssnamenr"],
        }
    return {
        "source": ztf_source(candidate),
        "history": history,
        "forced": forced,
        "limits": limits,
        "object": {},
        "object_id": ztf_number(packet["objectId"]),
        "object_name": packet["objectId"],
        "body": body,
        "ss_object": None,
        "orbit": None,
        "cutouts": {
            w: (packet[f"cutout{w}"] or {}).get("stampData") or None
            for w in ("Difference", "Science", "Template")
        },
    }


PARTS = {"lsst": lsst_packet, "elasticc": elasticc_packet, "ztf": ztf_packet}


def united(parts: list[Row], kind: str, identity: str | None) -> list[Row]:
    """The rows of all packets of one object, sorted, without doubles."""
    best: dict[Any, tuple[tuple[Any, ...], Row]] = {}
    for arrival, part in enumerate(parts):
        rows = [(row, False) for row in part[kind]]
        if kind == "history":
            rows.append((part["source"], True))
        for row, own in rows:
            key = row[identity] if identity else (row["midpointMjdTai"], row["band"])
            rank = (
                row.get("timeWithdrawnMjdTai") is not None,
                row.get("timeProcessedMjdTai") or -math.inf,
                own,
                arrival,
            )
            if key not in best or rank >= best[key][0]:
                best[key] = (rank, row)
    last = (lambda row: row[identity]) if identity else (lambda row: "ugrizy".index(row["band"]))
    return sorted((row for _, row in best.values()), key=lambda row: (row["midpointMjdTai"], last(row)))


def mean_position(rows: list[Row]) -> tuple[float, float]:
    lon = np.radians([row["ra"] for row in rows])
    lat = np.radians([row["decl"] for row in rows])
    x, y, z = np.cos(lon) * np.cos(lat), np.sin(lon) * np.cos(lat), np.sin(lat)
    x, y, z = x.sum(), y.sum(), z.sum()
    return math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y)))
