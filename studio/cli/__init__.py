"""The command line: the same engine, library and trainer without a window. With no command it opens the window."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from studio.cli.output import Say, fail
from studio.core.errors import CancelledError, StudioError
from studio.core.quiet import silence

OK, FAILED, USAGE, STOPPED = 0, 1, 2, 130

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line instead of words.")


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="reverie", message="Reverie %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Reverie: generative models on your own machine, without a network. With no command, opens the window."""
    if context.invoked_subcommand is None:
        from studio.app import main as open_window

        context.exit(open_window())


@cli.group()
def generate() -> None:
    """Make something with a model."""


@generate.command("image", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.option("--model", "model_id", required=True, metavar="ID", help="Which model; see `reverie list`.")
@click.option("--seed", type=int, default=None, help="Same seed, same picture. Left out, one is drawn and told.")
@click.option("--count", type=click.IntRange(1, 1024), default=1, show_default=True, help="Picture i takes seed + i.")
@click.option("--label", "labels", multiple=True, metavar="NAME[=WEIGHT]", help="A class of the model; may repeat.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A control of the model; may repeat.")
@click.option("--source", type=click.Path(path_type=Path), help="A picture to start from.")
@click.option("--strength", type=float, default=0.6, show_default=True, help="How far to leave the source, 0 to 1.")
@click.option("--mask", type=click.Path(path_type=Path), help="A grey picture: white where the source may change.")
@click.option("--out", type=click.Path(path_type=Path), help="A file, or a folder for several. Default: your results.")
@click.option("--device", default="", help="Such as cpu or cuda; left out, as in the settings.")
@_JSON
@click.pass_context
def generate_image(  # noqa: PLR0913 - as many arguments as the command has options
    context: click.Context,
    *,
    model_id: str,
    seed: int | None,
    count: int,
    labels: tuple[str, ...],
    values: tuple[str, ...],
    source: Path | None,
    strength: float,
    mask: Path | None,
    out: Path | None,
    device: str,
    as_json: bool,
) -> None:
    """Make pictures. Every control of the model is a flag too: `--steps 20` is `--set steps=20`."""
    from studio.cli.generate import Wish, flags_as_values, make_images

    given = (*values, *flags_as_values(context.args))
    wish = Wish(model_id, seed, count, labels, given, source, strength, mask, out, device)
    make_images(wish, Say(as_json=as_json))


@generate.command("film", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.option("--model", "model_id", required=True, metavar="ID", help="Which model; see `reverie list`.")
@click.option("--seeds", required=True, metavar="N,N,...", help="The places to travel between, at least two.")
@click.option("--frames", type=click.IntRange(1, 10_000), default=24, show_default=True, help="From place to place.")
@click.option("--fps", type=click.IntRange(1, 120), default=24, show_default=True, help="Frames a second.")
@click.option("--loop", is_flag=True, help="Return to the first place without a seam.")
@click.option("--label", "labels", multiple=True, metavar="NAME[=WEIGHT]", help="A class of the model; may repeat.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A control of the model; may repeat.")
@click.option("--out", type=click.Path(path_type=Path), help="A .mp4 or .gif file. Default: your results.")
@click.option("--device", default="", help="Such as cpu or cuda; left out, as in the settings.")
@_JSON
@click.pass_context
def generate_film(  # noqa: PLR0913 - as many arguments as the command has options
    context: click.Context,
    *,
    model_id: str,
    seeds: str,
    frames: int,
    fps: int,
    loop: bool,
    labels: tuple[str, ...],
    values: tuple[str, ...],
    out: Path | None,
    device: str,
    as_json: bool,
) -> None:
    """Make a film that travels from seed to seed. Every control of the model is a flag too."""
    from studio.cli.film import FilmWish, make_film
    from studio.cli.generate import flags_as_values

    given = (*values, *flags_as_values(context.args))
    make_film(FilmWish(model_id, seeds, frames, fps, loop, labels, given, out, device), Say(as_json=as_json))


@cli.command("list")
@_JSON
def list_models(*, as_json: bool) -> None:
    """List the models on this machine."""
    from studio.cli.library import list_packages

    list_packages(Say(as_json=as_json))


@cli.command()
@_JSON
def families(*, as_json: bool) -> None:
    """List every system that Reverie knows of, with its state on this machine."""
    from studio.cli.library import list_families

    list_families(Say(as_json=as_json))


@cli.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@_JSON
def import_models(paths: tuple[Path, ...], *, as_json: bool) -> None:
    """Bring .reverie files, package folders or whole folder trees into the library."""
    from studio.cli.library import import_paths

    import_paths(paths, Say(as_json=as_json))


@cli.command()
@click.argument("what", metavar="ID_OR_RUN")
@click.option("--out", type=click.Path(path_type=Path), help="File to write. Default: ID.reverie here.")
@_JSON
def export(what: str, *, out: Path | None, as_json: bool) -> None:
    """Write a model as one .reverie file; given a training run's folder, make its package first."""
    from studio.cli.training import export_model

    export_model(what, out, Say(as_json=as_json))


@cli.command()
@_JSON
def check(*, as_json: bool) -> None:
    """Verify every model: hashes, content, loading, one sample; all without a network."""
    from studio.cli.check import check_all

    check_all(Say(as_json=as_json))


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the results.")
@click.option("--seed", type=int, default=7, show_default=True)
@_JSON
def tour(*, out: Path, seed: int, as_json: bool) -> None:
    """Make one result with each starter model."""
    from studio.cli.generate import make_tour

    make_tour(out, seed, Say(as_json=as_json))


@cli.command()
@click.argument("target", type=click.Path(exists=True, path_type=Path))
@click.option("--base", default="", metavar="ID", help="The model to train further; see `reverie list`.")
@click.option("--name", default="", help="Name of the new model. Default: the folder's.")
@click.option("--preset", default="", help="One of the base model's presets. Default: its first.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A setting of the run; may repeat.")
@click.option("--fit", type=click.Choice(["crop", "pad", "stretch"]), default="crop", show_default=True)
@click.option("--consent", default="", help="Your note on the rights to these pictures; kept in the package.")
@_JSON
def train(
    target: Path,
    *,
    base: str,
    name: str,
    preset: str,
    values: tuple[str, ...],
    fit: str,
    consent: str,
    as_json: bool,
) -> None:
    """Train a model further on TARGET (pictures, a folder or a zip), or go on with TARGET, a run's folder."""
    from studio.cli.training import TrainWish, train_model

    train_model(TrainWish(target, base, name, preset, values, fit, consent), Say(as_json=as_json))


@cli.command()
@click.argument("name", default="")
@click.option("--packages", type=click.Path(path_type=Path), help="Folder of models to measure. Default: the starters.")
@click.option("--seconds", type=float, default=30.0, show_default=True, help="Length of each event-loop measurement.")
@click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True, help="A B A B rounds of a ratio.")
@_JSON
def bench(name: str, *, packages: Path | None, seconds: float, rounds: int, as_json: bool) -> None:
    """Measure this machine; with no name, says what can be measured."""
    from studio.cli.bench import run_bench

    run_bench(name, packages=packages, seconds=seconds, rounds=rounds, say=Say(as_json=as_json))


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code: 0 fine, 1 failed with a reason, 2 wrong usage, 130 stopped."""
    silence()
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    try:
        result = cli.main(given, prog_name="reverie", standalone_mode=False)
    except CancelledError:
        fail("Stopped. What was made is kept.", as_json=as_json)
        return STOPPED
    except StudioError as error:
        fail(error.message, error.hint, as_json=as_json)
        return FAILED
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        fail("Stopped.", as_json=as_json)
        return STOPPED
    return result if isinstance(result, int) else OK
