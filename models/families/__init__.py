"""The families that can be trained, by id. A literal table: what is not here does not exist."""

from models.core.family import Family
from models.families.image.diffusion import Diffusion
from models.families.image.vae import AE, VAE2, VAEF
from models.families.image.wgan_gp import CGAN, WGANGP
from studio.core.errors import TrainingError

FAMILIES: dict[str, Family] = {
    "AE": AE,
    "VAE2": VAE2,
    "VAEF": VAEF,
    "WGANGP": WGANGP,
    "CGAN": CGAN,
    "DDM": Diffusion(),
}


def family(name: str) -> Family:
    """The family called ``name``.

    Raises:
        TrainingError: there is none of that name.
    """
    try:
        return FAMILIES[name]
    except KeyError:
        raise TrainingError(
            f"There is no model family called {name!r}.", f"Choose one of: {', '.join(FAMILIES)}."
        ) from None
