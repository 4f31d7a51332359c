"""``reverie bench paint``: the figures that the Paint pane promises."""

import statistics
import time
from collections.abc import Iterator

from studio.bench import Plan, Row
from studio.bench.machine import describe, sgemm_gflops, versions
from studio.bench.peer import Peer
from studio.bench.window import bench_window
from studio.core.cancel import CancelToken
from studio.core.errors import StudioError
from studio.core.events import PictureMade
from studio.core.manifest import Manifest
from studio.core.requests import ImageRequest
from studio.runtime.catalogue import Catalogue
from studio.runtime.engine import Engine

_STEPS = 20
_THREADS = 2


def bench_paint(plan: Plan) -> Iterator[Row]:
    """All rows, as they are measured. What needs an extra that is not installed says so in its row."""
    found = versions("onnxruntime-gpu", "onnxruntime", "PySide6", "numpy", "torch", "diffusers")
    yield Row("machine", describe())
    yield Row("versions", ", ".join(f"{name} {number}" for name, number in found.items() if number != "-"))
    catalogue = Catalogue(lambda: (plan.packages,), bundled=plan.packages)
    manifests = {package.manifest.id: package.manifest for package in catalogue.scan().packages}
    yield from bench_window(plan, catalogue)  # first: the first picture includes loading onnxruntime
    for manifest in manifests.values():
        if manifest.pipeline == "diffusion-image/1":
            yield from _beside_diffusers(catalogue, manifest, plan)


def _beside_diffusers(catalogue: Catalogue, manifest: Manifest, plan: Plan) -> Iterator[Row]:
    """Interleaved A B A B: our sampler over the ONNX graph against diffusers over the PyTorch original."""
    folder = catalogue.get(manifest.id).folder
    name = f"{manifest.id}: {_STEPS} DDIM steps, batch 1"
    try:
        with Peer("models.peers.diffusion", folder, threads=_THREADS) as peer:
            ours, theirs = _interleaved(catalogue, manifest, peer, rounds=plan.rounds)
            flops = float(peer.ready["flops"])
    except StudioError as error:
        yield Row(name, str(error))
        return
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    here, there = statistics.median(ours), statistics.median(theirs)
    yield Row(
        name,
        f"{ratio:.2f} x diffusers (median {here * 1000:.0f} ms against {there * 1000:.0f} ms, {len(ours)} rounds)",
        ">= 2.0 x",
        "ok" if ratio >= 2.0 else "short",
    )
    peak = sgemm_gflops()
    achieved = flops * _STEPS / here / 1e9
    share = achieved / peak
    yield Row(
        f"{manifest.id}: share of the machine's sgemm",
        f"{share:.0%} ({achieved:.0f} of {peak:.0f} GFLOP/s, sampler and conversion included)",
        ">= 60 %",
        "ok" if share >= 0.6 else "short",
    )


def _interleaved(
    catalogue: Catalogue, manifest: Manifest, peer: Peer, *, rounds: int
) -> tuple[list[float], list[float]]:
    engine = Engine(catalogue.get, device="cpu", threads=_THREADS)
    controls = {"steps": _STEPS, "sampler": "ddim"}
    if manifest.labels:
        controls["guidance"] = 1.0
    labels = {manifest.labels[0]: 1.0} if manifest.labels else {}
    ours: list[float] = []
    theirs: list[float] = []
    for seed in range(rounds + 1):
        request = ImageRequest(package=manifest.id, seed=seed, controls=controls, labels=labels)
        start = time.perf_counter()
        made = [event for event in engine.run(request, CancelToken()) if isinstance(event, PictureMade)]
        seconds = time.perf_counter() - start
        answer = peer.ask({"steps": _STEPS, "batch": 1, "seed": seed})
        if made and seed:  # round 0 warms both up
            ours.append(seconds)
            theirs.append(answer["seconds"])
    engine.unload()
    return ours, theirs
