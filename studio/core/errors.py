"""Every error that a person may see.

    StudioError
    +-- BadInputError        a file, folder or value that the artist gave us cannot be used
    +-- PackageError         a model package is damaged, unsafe or of another version
    |   +-- NewerFormatError the package was made by a later Reverie
    +-- StorageError         the disk is full, read-only or gone
    +-- DeviceError          no session could be made or run on the chosen device
    +-- TrainingError        a run cannot start or go on
    +-- CancelledError       the artist pressed Stop; never shown as a failure

Raised where the value is used; caught in three places only: the inference lane, the training entry and the
application's entry points.
"""


class StudioError(Exception):
    """An error with a sentence for the artist and a hint that says what to do.

    Args:
        message: what went wrong and why, one plain sentence.
        hint: what to do about it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class BadInputError(StudioError):
    """A file, folder or value that the artist gave cannot be used."""


class PackageError(StudioError):
    """A model package is damaged, unsafe, incomplete or does not fit."""


class NewerFormatError(PackageError):
    """The package or file was written by a later version of Reverie."""


class StorageError(StudioError):
    """Writing failed: disk full, folder read-only, path too long, drive gone."""


class DeviceError(StudioError):
    """A session could not be made or run on the chosen device."""


class TrainingError(StudioError):
    """A training run cannot start or cannot go on."""


class CancelledError(StudioError):
    """The artist stopped the job. Not a failure: what is done is kept."""

    def __init__(self) -> None:
        super().__init__("Stopped.")
