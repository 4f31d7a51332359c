"""The samplers solve what they should: exact with the true noise, at their order on a known distribution."""

import math

import numpy as np
import pytest

from studio.runtime import samplers, seeds

LOW, HIGH = 0.01, 50.0
SHAPE = (2, 4, 8, 8)


def noise_of(stream: str, step: int = 0) -> np.ndarray:
    return seeds.normals([1, 2], SHAPE[1:], system="diffusion-image", stream=stream, step=step)


def step_noise(step: int) -> np.ndarray:
    return noise_of("step", step)


def clean_pictures() -> np.ndarray:
    return np.tanh(noise_of("clean"))


def last(steps) -> np.ndarray:
    *_, final = steps
    return final.x


@pytest.mark.parametrize("schedule", samplers.SCHEDULES)
@pytest.mark.parametrize("name", ["ddim", "euler", "dpmpp_2m"])
@pytest.mark.parametrize("prediction", ["v", "eps", "x0"])
def test_true_noise_in_place_of_the_network_returns_the_clean_picture(name, schedule, prediction):
    clean, eps = clean_pictures(), noise_of("latent")
    sigmas = samplers.schedule(schedule, 20, sigma_min=LOW, sigma_max=HIGH)

    def denoise(x, sigma):
        a, s = samplers.rates(sigma)
        # The true noise of this very x, as a perfect network would see it.
        true = {"v": a * eps - s * clean, "eps": eps, "x0": clean}[prediction]
        return samplers.predicted_x0(prediction, x, true.astype(np.float32), sigma)

    made = last(samplers.sample(name, denoise, clean + np.float32(HIGH) * eps, sigmas, noise=step_noise))
    assert made.dtype == np.float32
    assert np.abs(made - clean).max() < 1e-4


@pytest.mark.parametrize("name", ["euler_ancestral", "ddim"])
def test_samplers_with_fresh_noise_follow_the_true_noise_of_each_step(name):
    clean = clean_pictures()
    sigmas = samplers.schedule("cosine", 20, sigma_min=LOW, sigma_max=HIGH)

    def denoise(x, sigma):
        return x - sigma * ((x - clean) / sigma)

    steps = list(samplers.sample(name, denoise, clean + HIGH * noise_of("latent"), sigmas, noise=step_noise, eta=1.0))
    for step in steps[:-1]:
        spread = (step.x - clean).std() / sigmas[step.i + 1]
        assert spread == pytest.approx(1, abs=0.12)  # x keeps exactly the noise that the schedule promises
    assert np.abs(steps[-1].x - clean).max() < 1e-4


def gaussian(mean: float, deviation: float):
    """The exact denoiser of data that is normal with this mean and deviation."""

    def denoise(x, sigma):
        return mean + deviation**2 / (deviation**2 + sigma**2) * (x - mean)

    def exact(x, sigma_from, sigma_to):
        return mean + math.sqrt((deviation**2 + sigma_to**2) / (deviation**2 + sigma_from**2)) * (x - mean)

    return denoise, exact


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("euler", 1), ("dpmpp_2m", 2)])
def test_order_of_convergence(name, order):
    denoise, exact = gaussian(0.3, 0.5)
    x = np.array([[4.0, -7.0, 1.0]])
    errors = []
    for n in (40, 80, 160):
        sigmas = np.geomspace(5.0, 0.1, n + 1)
        made = last(samplers.sample(name, denoise, x, sigmas, noise=step_noise))
        errors.append(np.abs(made - exact(x, 5.0, 0.1)).max())
    measured = [math.log2(errors[k] / errors[k + 1]) for k in range(2)]
    assert measured == pytest.approx([order, order], abs=0.15)


def test_ancestral_and_ddim_with_eta_one_keep_the_distribution():
    denoise, _ = gaussian(0.3, 0.5)
    start = 0.3 + math.sqrt(0.25 + HIGH**2) * seeds.normal(1, (20_000,), system="t", stream="x").astype(np.float64)
    sigmas = samplers.schedule("karras", 400, sigma_min=LOW, sigma_max=HIGH)
    for name in ("euler_ancestral", "ddim"):
        made = last(
            samplers.sample(
                name,
                denoise,
                start,
                sigmas,
                noise=lambda step: seeds.normal(2, (20_000,), system="t", stream="s", step=step).astype(np.float64),
                eta=1.0,
            )
        )
        assert made.mean() == pytest.approx(0.3, abs=0.02)
        assert made.std() == pytest.approx(0.5, rel=0.025)  # the bias of first order steps


def test_ddim_without_eta_is_euler_and_with_eta_one_is_ancestral():
    denoise, _ = gaussian(0.1, 0.8)
    sigmas = samplers.schedule("linear", 12, sigma_min=LOW, sigma_max=HIGH)
    x = HIGH * noise_of("latent").astype(np.float64)
    ddim = last(samplers.ddim(denoise, x, sigmas, noise=step_noise))
    euler = last(samplers.euler(denoise, x, sigmas))
    assert np.abs(ddim - euler).max() < 1e-10
    noisy = last(samplers.ddim(denoise, x, sigmas, noise=step_noise, eta=1.0))
    ancestral = last(samplers.euler_ancestral(denoise, x, sigmas, noise=step_noise))
    assert np.abs(noisy - ancestral).max() < 1e-10
    assert np.abs(noisy - ddim).max() > 0.1


@pytest.mark.parametrize("name", samplers.SCHEDULES)
@pytest.mark.parametrize("n", [1, 2, 20, 100])
def test_schedules_fall_from_the_largest_sigma_to_zero(name, n):
    sigmas = samplers.schedule(name, n, sigma_min=LOW, sigma_max=HIGH)
    assert sigmas.shape == (n + 1,)
    assert (np.diff(sigmas) < 0).all()
    assert sigmas[0] == HIGH
    assert sigmas[-1] == 0.0
    if n > 1:
        assert sigmas[-2] == pytest.approx(LOW)


def test_schedule_refuses_impossible_ends():
    for n, low, high in ((0, LOW, HIGH), (5, 0.0, HIGH), (5, 2.0, 1.0)):
        with pytest.raises(ValueError, match="steps from sigma"):
            samplers.schedule("cosine", n, sigma_min=low, sigma_max=high)


def test_every_step_is_yielded_and_stopping_asks_the_network_no_more():
    calls = []

    def denoise(x, sigma):
        calls.append(sigma)
        return x * 0

    sigmas = samplers.schedule("cosine", 8, sigma_min=LOW, sigma_max=HIGH)
    for name in samplers.SAMPLERS:
        calls.clear()
        steps = samplers.sample(name, denoise, noise_of("latent"), sigmas, noise=step_noise)
        assert [next(steps).i, next(steps).i] == [0, 1]
        assert calls == pytest.approx(list(sigmas[:2]))
        steps.close()
        assert len(calls) == 2


def test_strength_goes_from_the_smallest_to_exactly_the_largest_sigma():
    sigmas = [samplers.strength_sigma(s, sigma_min=LOW, sigma_max=HIGH) for s in (0.0, 0.3, 0.7, 1.0)]
    assert sigmas == sorted(sigmas)
    assert sigmas[0] == pytest.approx(LOW)
    assert sigmas[-1] == HIGH


@pytest.mark.parametrize("name", samplers.SAMPLERS)
def test_inpainting_keeps_the_known_part_exactly(name):
    known, eps = clean_pictures(), noise_of("latent")
    mask = np.zeros((1, 1, 8, 8), np.float32)
    mask[..., 4:] = 1.0
    seen = []

    def denoise(x, sigma):
        seen.append((x[..., :4] - known[..., :4]) / sigma)
        return np.tanh(x)

    sigmas = samplers.schedule("cosine", 10, sigma_min=LOW, sigma_max=HIGH)
    masked = samplers.inpainting(denoise, known, mask, eps)
    made = last(samplers.sample(name, masked, HIGH * eps, sigmas, noise=step_noise))
    assert np.array_equal(made[..., :4], known[..., :4])
    assert np.abs(made[..., 4:] - known[..., 4:]).max() > 0.1
    for noise in seen:  # the network saw the known part at the noise of each step
        assert np.abs(noise - eps[..., :4]).max() < 1e-2


def test_unknown_prediction_is_refused():
    with pytest.raises(ValueError, match="'score'"):
        samplers.predicted_x0("score", np.zeros(1), np.zeros(1), 1.0)
