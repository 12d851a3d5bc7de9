"""What is known of a place and an object besides its own measurements."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from ._section import Section

__all__ = ["ClassifySettings", "ContextSettings", "TnsSettings"]


class ContextSettings(Section):
    """What is known at a place on the sky: catalogues, the contextual classifier, dust, distances."""

    catalogues: Path = Field(
        Path("lasair-catalogues"), description="Folder that `lasair catalogue add` imports into."
    )
    rules: Path | None = Field(
        None, description="Configuration of the contextual classifier, YAML; else the one that we ship."
    )
    dust: Path | None = Field(
        None,
        description="Map of reddening: a folder with the two files of Schlegel et al. 1998, "
        "or a HEALPix file; without, a coarse table that comes with Lasair.",
    )
    hubble: float = Field(70.0, description="Hubble constant, km/s/Mpc.", gt=10, lt=200)
    omega_matter: float = Field(0.3, description="Matter density of a flat universe.", ge=0, le=1)


class ClassifySettings(Section):
    """Class probabilities of objects."""

    enabled: bool = Field(True, description="Whether objects get class probabilities.")
    model: Path | None = Field(
        None, description="Folder with a model that `lasair train` made; else the one that comes with Lasair."
    )
    priors: Path | None = Field(
        None, description="Rates of the classes over the sky, YAML; else those that come with Lasair."
    )
    shift: bool = Field(
        True,
        description="Turn probabilities from the mixture that the model was trained on to that expected at "
        "the place, with what the context stage says.",
    )
    others: tuple[Path, ...] = Field(
        (),
        description="YAML files of other people's models, which run beside ours; see `lasair model check`.",
    )
    threads: int = Field(1, description="Threads that an ONNX model may use for a batch.", ge=1, le=64)


class TnsSettings(Section):
    """The bot that fetches the lists of the Transient Name Server."""

    bot_id: int | None = Field(None, description="Number of the bot.")
    bot_name: str = Field("", description="Its name.")
    api_key: SecretStr = Field(SecretStr(""), description="Its key.")
    url: str = Field(
        "https://www.wis-tns.org/system/files/tns_public_objects/",
        description="Where the lists are.",
        pattern=r"^https?://.*/$",
    )
    every: float = Field(
        60.0,
        description="Minutes after which `lasair run` looks for new lists, if there is a bot; 0: never.",
        ge=0,
    )
