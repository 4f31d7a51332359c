"""``reverie check``: every model is verified and plays, and none of it needs a network."""

from studio.cli.output import Say
from studio.cli.workshop import open_workshop
from studio.core.errors import PackageError, StudioError
from studio.core.package import Package
from studio.runtime.disposable import Report
from studio.workers.disposable import try_out
from studio.workers.self_test import PATIENCE_S


def check_all(say: Say) -> None:
    """Check all models and print a row for each.

    Raises:
        PackageError: a model failed, or there is none.
    """
    catalogue = open_workshop().catalogue
    scan = catalogue.scan()
    rows: list[dict[str, object]] = []
    with say.progress() as bars:
        task = bars.add_task("Checking", total=len(scan.packages))
        for package in scan.packages:
            bars.update(task, description=package.manifest.name)
            rows.append(_row(package, _tried(package)))
            bars.advance(task)
    rows.extend(
        {"id": problem.path.name, "ok": False, "result": str(problem.error), "folder": str(problem.path)}
        for problem in scan.problems
    )
    columns = ("id", "result", "graphs", "sample", "network")
    say.table("Every file hashed and scanned, every graph run, one sample made, without a network", columns, rows)
    failed = [row for row in rows if not row["ok"]]
    if failed:
        raise PackageError(f"{len(failed)} of {len(rows)} models failed the check.", "The table says why.")
    if not rows:
        raise PackageError("There are no models here.", "Import one: reverie import FILE.reverie")


def _tried(package: Package) -> Report:
    try:
        return try_out(package, sample=True, timeout_s=PATIENCE_S)
    except StudioError as error:
        return Report(False, error.message, error.hint)


def _row(package: Package, report: Report) -> dict[str, object]:
    ok = report.ok and report.sockets == 0
    result = "ok" if ok else f"{report.message} {report.hint}".strip()
    if report.ok and report.sockets:
        result = "It asked for the network."
    how = {"namespace": "none reachable", "refused": "sockets refused"}.get(report.network, "")
    return {
        "id": package.manifest.id,
        "ok": ok,
        "result": result,
        "graphs": ", ".join(f"{role} {ms:.0f} ms" for role, ms in report.graphs.items()),
        "sample": f"{report.sample_seconds:.1f} s" if report.sample_seconds >= 0 else "",
        "network": f"{how}, {report.sockets} asked for" if how else "",
        "pixels_sha256": report.pixels_sha256,
        "provider": report.provider,
        "folder": str(package.folder),
    }
