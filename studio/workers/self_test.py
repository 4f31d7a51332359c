"""The check that an artist can run: every model plays, in a child that refuses the network."""

from collections.abc import Sequence

from studio.core.errors import StudioError
from studio.core.package import Package
from studio.workers.disposable import try_out

PATIENCE_S = 120.0


def check(packages: Sequence[Package]) -> tuple[str, ...]:
    """A sentence on each model that fails; empty when all play and none asks for the network. Takes a while."""
    wrong: list[str] = []
    for package in packages:
        try:
            report = try_out(package, sample=True, timeout_s=PATIENCE_S)
        except StudioError as error:
            wrong.append(f"{package.manifest.name}: {error}")
            continue
        if not report.ok or report.sockets:
            wrong.append(f"{package.manifest.name}: {report.message or 'it asked for the network.'}")
    return tuple(wrong)
