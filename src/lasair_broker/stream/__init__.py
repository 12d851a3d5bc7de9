"""Sources of alerts, the pipeline they go through, and the loop that commits them."""

from ._kafka import KafkaSource
from ._source import Partition, Positions, Source, SourceError, Taken

__all__ = ["KafkaSource", "Partition", "Positions", "Source", "SourceError", "Taken"]
