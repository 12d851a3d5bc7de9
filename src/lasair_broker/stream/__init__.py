"""Sources of alerts, the pipeline they go through, and the loop that commits them."""

from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from ._again import RenewReport, RetryReport, renew, replay, retry_rejected
    from ._commit_stage import CommitStage
    from ._files import FileSource
    from ._idle import IdleSource
    from ._kafka import KafkaSource
    from ._metrics import Metrics
    from ._nights import NightKeeper
    from ._operations import OutageMetrics, failing_parts, operations, operations_served, serve_operations
    from ._partners import KnownObjects, match_partners
    from ._pipeline import Pipeline, Processed, Resource, Stage, StageBrokenError
    from ._progress import OnProgress, Progress
    from ._run import AtStep, run
    from ._signals import stop_on_signals
    from ._simulated import SimulatorSource
    from ._source import Partition, Positions, Source, SourceError, Taken
    from ._stages import renewal_stages, standard_stages
    from ._subscription_file import (
        SubscriptionFile,
        SubscriptionFileError,
        WrittenFilter,
        WrittenParameter,
        WrittenRenotify,
    )
    from ._subscriptions import (
        ActiveFilter,
        ActiveFilters,
        ActiveLists,
        FilterRun,
        Renotify,
        Subscriptions,
        TriggeredBy,
    )
    from ._times import StageTime, StageTimes
    from ._warm import warm_up

__all__ = [
    "ActiveFilter",
    "ActiveFilters",
    "ActiveLists",
    "AtStep",
    "CommitStage",
    "FileSource",
    "FilterRun",
    "IdleSource",
    "KafkaSource",
    "KnownObjects",
    "Metrics",
    "NightKeeper",
    "OnProgress",
    "OutageMetrics",
    "Partition",
    "Pipeline",
    "Positions",
    "Processed",
    "Progress",
    "RenewReport",
    "Renotify",
    "Resource",
    "RetryReport",
    "SimulatorSource",
    "Source",
    "SourceError",
    "Stage",
    "StageBrokenError",
    "StageTime",
    "StageTimes",
    "SubscriptionFile",
    "SubscriptionFileError",
    "Subscriptions",
    "Taken",
    "TriggeredBy",
    "WrittenFilter",
    "WrittenParameter",
    "WrittenRenotify",
    "failing_parts",
    "match_partners",
    "operations",
    "operations_served",
    "renew",
    "renewal_stages",
    "replay",
    "retry_rejected",
    "run",
    "serve_operations",
    "standard_stages",
    "stop_on_signals",
    "warm_up",
]

import_when_used(__name__)
