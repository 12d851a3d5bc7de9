"""What is said about a catalogue in its YAML file: where it is from, how far to trust it, its columns."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from lasair_broker.context.catalogues._columns import column_of
from lasair_broker.context.catalogues._expressions import Expression, ExpressionError
from lasair_broker.context.catalogues.errors import CatalogueError

__all__ = ["ColumnMapping", "Description", "TextFormat", "read_description", "shipped_descriptions"]

_SHIPPED = files("lasair_broker.context.catalogues") / "mappings"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnMapping(_Part):
    """Where a column comes from.

    Attributes
    ----------
    value
        A column of the source, or an expression of columns (see `Expression`); or several, of which the first
        counts whose columns the source has, as archives offer a catalogue under different column names.
    optional
        Without it, a source that lacks the column is refused; with it, the column is then NULL throughout.
    unit
        What the value is in, as astropy reads it (``arcmin``, ``0.1 arcmin``, ``rad / s``); the source's own
        unit if it states one, else the canonical unit.
    missing
        Values that mean "not known", beside NULL, NaN and empty text.
    type
        Of a column of the catalogue's own only: ``number`` (float64) or ``text``.
    """

    value: tuple[str, ...] = Field(min_length=1)
    optional: bool = False
    unit: str | None = None
    missing: tuple[float | str, ...] = ()
    type: Literal["number", "text"] = "number"

    @field_validator("value", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> ColumnMapping:
        try:
            for text in self.value:
                Expression(text)
        except ExpressionError as error:
            raise ValueError(str(error)) from None
        if self.unit is not None:
            from astropy import units  # takes half a second to import

            try:
                units.Unit(self.unit)
            except ValueError:
                raise ValueError(f"{self.unit!r} is no unit that astropy knows") from None
        return self


class TextFormat(_Part):
    """How a text file is written, where that does not show.

    Attributes
    ----------
    delimiter
        What stands between fields: a character, or ``space`` for any number of spaces; told from the header
        by default.
    header
        Names of the columns, if the file has no line of names.
    skip
        Lines to pass over at the beginning.
    comment
        Lines that begin so are passed over.
    """

    delimiter: str | None = None
    header: tuple[str, ...] | None = None
    skip: int = Field(0, ge=0)
    comment: str = "#"


def _as_mapping(value: object) -> object:
    return {"value": value} if isinstance(value, str | list | tuple) else value


_Mapped = Annotated[ColumnMapping, BeforeValidator(_as_mapping)]


class Description(_Part):
    """A catalogue's YAML file.

    Attributes
    ----------
    title
        The catalogue's own name.
    about
        What is in it.
    source
        Where the file comes from: archive, table, address.
    licence, citation
        Under which terms, and what to cite.
    quality
        How far to trust it where catalogues differ: the higher the better.
    kind
        What its sources are, where no column tells.
    epoch
        Julian year of the positions, where no column tells.
    axes
        What `major_axis` encloses: ``isophote`` (such as D25), ``half_light`` (twice the half-light radius),
        or ``error`` (the region in which the source lies).
    position_error
        One-sigma error in arcseconds, where no column tells.
    missing
        Values that mean "not known" in every column.
    where
        Only rows for which this expression is true are imported; of several, the first whose columns the
        source has.
    text
        How the file is written, if it is text.
    columns
        The canonical columns.
    extra
        Columns of the catalogue's own, kept under names of your choice.
    """

    title: str = Field(min_length=1)
    about: str = ""
    source: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    citation: str = Field(min_length=1)
    quality: float = Field(1.0, ge=0)
    kind: Literal[
        "star", "variable", "cv", "galaxy", "agn", "transient", "radio", "xray", "gamma", "mixed"
    ] = "mixed"
    epoch: float = Field(2000.0, ge=1800.0, le=2100.0)
    axes: Literal["isophote", "half_light", "error"] | None = None
    position_error: float | None = Field(None, ge=0)
    missing: tuple[float | str, ...] = ()
    where: tuple[str, ...] | None = None
    text: TextFormat = TextFormat()
    columns: Mapping[str, _Mapped]
    extra: Mapping[str, _Mapped] = {}

    @field_validator("where", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Description:
        for needed in ("ra", "decl"):
            if needed not in self.columns or self.columns[needed].optional:
                raise ValueError(f"columns: {needed} is needed; say which column of the source it is")
        for name in self.columns:
            if column_of(name) is None:
                raise ValueError(
                    f"columns.{name}: there is no such canonical column; a column of the catalogue's own "
                    "stands under extra"
                )
        for name in self.extra:
            if column_of(name) is not None:
                raise ValueError(f"extra.{name}: this is a canonical column; put it under columns")
            if not name.isidentifier():
                raise ValueError(f"extra.{name}: use letters, digits and _ in the name")
        if ("pmra" in self.columns) != ("pmdec" in self.columns):
            raise ValueError("columns: pmra and pmdec belong together")
        if "major_axis" in self.columns and self.axes is None:
            raise ValueError("axes: say what major_axis encloses (isophote, half_light or error)")
        for text in self.where or ():
            try:
                Expression(text)
            except ExpressionError as error:
                raise ValueError(f"where: {error}") from None
        return self

    @property
    def moves(self) -> bool:
        """Whether the catalogue has proper motions."""
        return "pmra" in self.columns

    def mappings(self) -> dict[str, ColumnMapping]:
        """Every column that is imported."""
        return {**self.columns, **self.extra}


def shipped_descriptions() -> list[str]:
    """Names of the catalogues for which a description comes with Lasair."""
    names = [entry.name for entry in _SHIPPED.iterdir()]
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def mapping_text(name: str) -> str:
    """The YAML file of a shipped description.

    Raises
    ------
    CatalogueError
        If there is none of this name.
    """
    if name not in shipped_descriptions():
        known = ", ".join(shipped_descriptions())
        raise CatalogueError(f"no mapping called {name!r} comes with Lasair; there are {known}")
    return (_SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")


def read_description(source: str | Path) -> Description:
    """Read a description: a file, or the name of a shipped one.

    Raises
    ------
    CatalogueError
        If there is none, or it is not valid; the message names file and place.
    """
    path = Path(source)
    if isinstance(source, str) and source in shipped_descriptions():
        text, where = mapping_text(source), f"{source}.yaml (shipped)"
    else:
        where = str(path)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise CatalogueError(f"cannot read the mapping {where}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise CatalogueError(f"the mapping {where} is not UTF-8 text") from None
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CatalogueError(f"the mapping {where} is not valid YAML: {error}") from None
    return parse_description(values, where)


def parse_description(values: Any, where: str) -> Description:
    """Check a description that was read from `where`.

    Raises
    ------
    CatalogueError
        If it is not valid.
    """
    if not isinstance(values, dict):
        raise CatalogueError(f"the mapping {where} is no YAML mapping of names to values")
    try:
        return Description.model_validate(values)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        lines = "\n".join(problem.removeprefix(": ") for problem in problems)
        raise CatalogueError(f"the mapping {where} is not valid:\n{lines}") from None
