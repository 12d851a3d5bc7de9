"""Probabilities of what an object is: the tree of classes, features, models, and the stage that applies them.

`training` goes from labelled light curves to a model; `others` runs models that somebody else made.
"""

from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from lasair_broker.classify._calibration import calibration_error
    from lasair_broker.classify._enrich import EMBEDDING, Classifiers, Verdict, classify, enrich
    from lasair_broker.classify._features import FEATURES, features
    from lasair_broker.classify._model import EARLY, Model, ModelError, load_model, shipped_model
    from lasair_broker.classify._priors import Priors, PriorsError, load_priors
    from lasair_broker.classify._taxonomy import UNKNOWN, Node, Taxonomy, taxonomy

__all__ = [
    "EARLY",
    "EMBEDDING",
    "FEATURES",
    "UNKNOWN",
    "Classifiers",
    "Model",
    "ModelError",
    "Node",
    "Priors",
    "PriorsError",
    "Taxonomy",
    "Verdict",
    "calibration_error",
    "classify",
    "enrich",
    "features",
    "load_model",
    "load_priors",
    "shipped_model",
    "taxonomy",
]

import_when_used(__name__)
