"""Pipelines by the name that a manifest gives."""

from studio.runtime.pipelines import diffusion_image, latent_image
from studio.runtime.pipelines.contract import Pipeline

PIPELINES: dict[str, Pipeline] = {
    "latent-image/1": latent_image.run,
    "diffusion-image/1": diffusion_image.run,
}
