"""``reverie bench``: hands over to `studio.bench`, which is loaded only then."""

import shutil
import tempfile
from pathlib import Path

from studio.cli.output import Say
from studio.core.errors import BadInputError
from studio.core.paths import default_paths


def run_bench(name: str, *, packages: Path | None, seconds: float, rounds: int, say: Say) -> None:
    """Run one benchmark and print each figure as soon as it is measured; with no name, say what can be measured.

    Raises:
        BadInputError: there is no such benchmark.
    """
    from studio.bench import BENCHES, Plan

    if not name:
        for known in BENCHES:
            say.fact({"name": known}, f"reverie bench {known}")
        return
    if name not in BENCHES:
        raise BadInputError(f"There is no benchmark called {name!r}.", f"There are: {', '.join(BENCHES)}.")
    scratch = Path(tempfile.mkdtemp(prefix="reverie-bench-"))
    try:
        plan = Plan(packages or default_paths().bundled_packages, seconds, rounds, scratch)
        rows: list[dict[str, object]] = []
        for row in BENCHES[name](plan):
            rows.append({"figure": row.name, "value": row.value, "target": row.target, "verdict": row.verdict})
            if say.as_json:
                say.fact(rows[-1], "")
            else:
                say.remark(f"{row.name}: {row.value}")
        if not say.as_json:
            say.table(f"reverie bench {name}", ("figure", "value", "target", "verdict"), rows)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
