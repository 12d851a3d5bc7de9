"""From labelled light curves to a model: data, splits, trees, calibration, evaluation and the card."""

from lasair_broker.classify.training._card import evaluate, write_card
from lasair_broker.classify.training._fetch import fetch_plasticc
from lasair_broker.classify.training._train import train

__all__ = ["evaluate", "fetch_plasticc", "train", "write_card"]
