"""``reverie bench``: hands over to `studio.bench`, which is loaded only then."""

from studio.core.errors import BadInputError


def run_bench(arguments: list[str]) -> None:
    """Run the benchmark called ``arguments[0]`` with the rest of the arguments; with none, list what there is.

    Raises:
        BadInputError: there is no such benchmark.
    """
    import click

    from studio.bench import BENCHES

    if not arguments:
        click.echo("\n".join(f"reverie bench {name}" for name in BENCHES))
        return
    name, *rest = arguments
    if name not in BENCHES:
        raise BadInputError(f"There is no benchmark called {name!r}.", f"There are: {', '.join(BENCHES)}.")
    code = BENCHES[name](rest)
    if code:
        raise SystemExit(code)
