"""Every system that Reverie plans, by chapter of the book. Their state is never written here but computed."""

from dataclasses import dataclass
from typing import Literal

Medium = Literal["image", "text", "music", "world", "multimodal"]


@dataclass(frozen=True)
class System:
    """One system: its id in manifests, its name, the chapter that introduces it (0: none) and the medium it makes.

    ``reference_only``: listed because readers meet it, but Reverie will not build it.
    """

    id: str
    name: str
    chapter: int
    medium: Medium
    reference_only: bool = False


SYSTEMS: tuple[System, ...] = (
    System("LAND", "Points on land: box and maximum likelihood", 1, "image"),
    System("STYLE-T", "Painting style transfer", 1, "image"),
    System("MLP", "Classifier, dense layers", 2, "image"),
    System("CNN", "Classifier, convolutions", 2, "image"),
    System("AE", "Autoencoder", 3, "image"),
    System("VAE2", "Variational autoencoder with a map", 3, "image"),
    System("VAEF", "Variational autoencoder with attributes", 3, "image"),
    System("DCGAN", "Generative adversarial network", 4, "image"),
    System("WGANGP", "Wasserstein GAN with gradient penalty", 4, "image"),
    System("CGAN", "Conditional GAN", 4, "image"),
    System("LSTM", "Recurrent text model", 5, "text"),
    System("PIXCNN", "PixelCNN", 5, "image"),
    System("PIXMD", "PixelCNN with a logistic mixture", 5, "image"),
    System("RNVP", "RealNVP flow", 6, "image"),
    System("GLOW", "GLOW flow", 6, "image"),
    System("FFJORD", "Continuous flow", 6, "image"),
    System("EBM", "Energy-based model", 7, "image"),
    System("RBM", "Boltzmann machine", 7, "image"),
    System("DDM", "Diffusion model", 8, "image"),
    System("GPT", "Decoder-only transformer", 9, "text"),
    System("ENC", "Encoder-only transformer", 9, "text"),
    System("T5", "Encoder-decoder transformer", 9, "text"),
    System("PROGAN", "Progressive GAN", 10, "image"),
    System("STYLE1", "StyleGAN", 10, "image"),
    System("STYLE2", "StyleGAN2", 10, "image"),
    System("SAGAN", "Self-attention GAN", 10, "image"),
    System("BIGGAN", "Large class-conditional GAN", 10, "image"),
    System("VQVAE", "Vector-quantised autoencoder", 10, "image"),
    System("VQGAN", "VQ-GAN with a transformer", 10, "image"),
    System("VITVQ", "Vision-transformer VQ-GAN", 10, "image"),
    System("MUS1", "Music transformer, melody", 11, "music"),
    System("MUSG", "Music transformer, grid of voices", 11, "music"),
    System("MUSE", "Music transformer, stream of events", 11, "music"),
    System("MUSEGAN", "MuseGAN", 11, "music"),
    System("WM-V", "World model: vision", 12, "world"),
    System("WM-M", "World model: memory", 12, "world"),
    System("WM-C", "World model: controller", 12, "world"),
    System("CLIP", "Shared space of text and pictures", 13, "multimodal"),
    System("D2-PAR", "Text to picture: autoregressive prior", 13, "multimodal"),
    System("D2-PDIFF", "Text to picture: diffusion prior", 13, "multimodal"),
    System("D2-DEC", "Text to picture: decoder", 13, "multimodal"),
    System("D2-UP", "Text to picture: upsampler", 13, "multimodal"),
    System("IMAGEN", "Text to picture with a text encoder", 13, "multimodal"),
    System("LDM", "Latent diffusion", 13, "multimodal"),
    System("FLAM", "Answers about pictures", 13, "multimodal"),
    System("FSGAN", "Face swapping", 0, "image", reference_only=True),
)


PLAIN: dict[str, str] = {
    "AE": "Picture compressor",
    "VAE2": "Picture map",
    "VAEF": "Variations",
    "DCGAN": "One-shot painter",
    "WGANGP": "One-shot painter",
    "CGAN": "One-shot painter",
    "DDM": "Diffusion, step by step",
}
"""What a family does, for people who have not read the book."""


def plain_name(system_id: str) -> str:
    """What a family does in plain words; its name when there are none."""
    return PLAIN.get(system_id) or family_name(system_id)


def system(system_id: str) -> System | None:
    """The system with this id, or None for a family that this Reverie does not know."""
    return next((known for known in SYSTEMS if known.id == system_id), None)


def family_name(system_id: str) -> str:
    """Name of a family for people; its id when it is unknown."""
    known = system(system_id)
    return known.name if known else system_id
