"""Names of the operations in the OpenAPI description."""

from __future__ import annotations

import re

from drf_spectacular.openapi import AutoSchema


class Operations(AutoSchema):
    """An operation is named after its method and the words of its address: `get_filters_filter_id_hits`."""

    def get_operation_id(self) -> str:
        words = re.findall(r"\w+", self.path.partition("/v1/")[2])
        return "_".join([self.method.lower(), *words]).replace("-", "_")
