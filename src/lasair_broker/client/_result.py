"""Rows as the person who asked wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import astropy.table
    import pandas as pd

__all__ = ["Result"]


@dataclass(frozen=True)
class Result:
    """Rows of a table.

    Attributes
    ----------
    arrow
        The rows.
    truncated
        Whether there are more than the server gave.
    """

    arrow: pa.Table
    truncated: bool = False

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def to_arrow(self) -> pa.Table:
        """As an Arrow table."""
        return self.arrow

    def to_pandas(self) -> pd.DataFrame:
        """As a data frame; whole numbers stay whole where some are missing. Needs pandas."""
        import pandas as pd

        whole = {pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}
        frame: pd.DataFrame = self.arrow.to_pandas(types_mapper=whole.get)
        return frame

    def to_astropy(self) -> astropy.table.Table:
        """As an astropy table, with missing values masked."""
        import numpy as np
        from astropy.table import MaskedColumn, Table

        table = Table()
        for name, column in zip(self.arrow.column_names, self.arrow.columns, strict=True):
            missing = column.is_null().to_numpy()
            if pa.types.is_string(column.type):
                values: Any = np.array(column.fill_null("").to_pylist(), np.str_)
            elif pa.types.is_timestamp(column.type):
                values = column.to_numpy()
            elif pa.types.is_boolean(column.type) or pa.types.is_primitive(column.type):
                values = column.fill_null(0).to_numpy()
            else:
                values = np.array(column.to_pylist(), object)
            table[name] = MaskedColumn(values, mask=missing) if missing.any() else values
        return table

    def to_list(self) -> list[dict[str, Any]]:
        """As dictionaries."""
        rows: list[dict[str, Any]] = self.arrow.to_pylist()
        return rows
