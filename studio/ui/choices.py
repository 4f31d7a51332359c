"""What the choices of models are called by people; a model's manifest holds only their ids."""

NAMES = {
    "ddim": "DDIM",
    "euler": "Euler",
    "euler_ancestral": "Euler ancestral",
    "dpmpp_2m": "DPM-Solver++ (2M)",
    "cosine": "Cosine",
    "linear": "Linear",
    "karras": "Karras",
}


def choice_name(choice: str) -> str:
    """The name of a choice; its own words, readable, when it is not a known one."""
    words = choice.replace("_", " ")
    return NAMES.get(choice) or words[:1].upper() + words[1:]
