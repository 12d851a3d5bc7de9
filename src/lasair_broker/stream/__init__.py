"""Sources of alerts, the pipeline they go through, and the loop that commits them."""

from ._files import FileSource
from ._kafka import KafkaSource
from ._metrics import Metrics, serve_metrics
from ._pipeline import Pipeline, Processed, Resource, Stage, StageBrokenError
from ._progress import OnProgress, Progress
from ._run import AtStep, run
from ._signals import stop_on_signals
from ._source import Partition, Positions, Source, SourceError, Taken
from ._stages import standard_stages
from ._times import StageTime, StageTimes

__all__ = [
    "AtStep",
    "FileSource",
    "KafkaSource",
    "Metrics",
    "OnProgress",
    "Partition",
    "Pipeline",
    "Positions",
    "Processed",
    "Progress",
    "Resource",
    "Source",
    "SourceError",
    "Stage",
    "StageBrokenError",
    "StageTime",
    "StageTimes",
    "Taken",
    "run",
    "serve_metrics",
    "standard_stages",
    "stop_on_signals",
]
