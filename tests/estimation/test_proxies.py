"""Each proxy against a case worked by hand, or another way to compute it."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from torch import nn
from torch.func import functional_call, grad, jacrev
from torch.nn import functional

from nas_lab import nets
from nas_lab.data import FashionMNIST
from nas_lab.estimation import Evaluation, proxies
from nas_lab.estimation.proxies import ALPHA, LOWEST, PROXIES, Batch, ZeroCost
from nas_lab.nets.modules import GlobalPool
from nas_lab.spaces import Skeleton, nasbench201
from tests.spaces.families import FAMILIES

SPACE = nasbench201()
SKELETON = Skeleton(channels=4, cells=1, stages=2, stem_stride=2, resolution=8, in_channels=1)
DATA = FashionMNIST(8, 32, images=640)
TEXT = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
ARCH = SPACE.from_string(TEXT)
EMPTY = (0,) * 6


def prepared(arch=ARCH, seed=0):
    return proxies.prepare(SPACE, arch, SKELETON, DATA, seed)


def random_batch(*shape, seed=0, classes=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(*shape, generator=generator, dtype=dtype)
    return Batch(images, torch.arange(len(images)) % classes, seed)


def filled(*layers, seed=0):
    """A network in double precision, its weights drawn from a generator."""
    net, generator = nn.Sequential(*layers), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.double().parameters():
            parameter.normal_(generator=generator)
    return net


def small_net(seed=0):
    layers = nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(), GlobalPool()
    return filled(*layers, nn.Linear(3, 3), seed=seed)


# ---- gradients -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxy", "of_layer"),
    [(proxies.grad_norm, lambda w, g: g.norm()), (proxies.snip, lambda w, g: (w * g).abs().sum())],
)
def test_gradients_are_summed_over_layers(proxy, of_layer):
    net, batch = small_net(), random_batch(5, 2, 6, 6)
    twin = copy.deepcopy(net).train()
    functional.cross_entropy(twin(batch.images), batch.labels).backward()
    weights = (twin[0].weight, twin[4].weight)
    expected = sum(of_layer(weight.detach(), weight.grad) for weight in weights)
    assert proxy(net, batch) == pytest.approx(float(expected))


@pytest.mark.parametrize("seed", range(3))
def test_grasp_is_what_the_explicit_hessian_gives(seed):
    net, batch = small_net(seed), random_batch(5, 2, 6, 6, seed=seed)
    twin = copy.deepcopy(net).train()
    twin[1].track_running_stats = False
    twin[1].running_mean = twin[1].running_var = None
    theta = torch.cat([twin[0].weight.data.flatten(), twin[4].weight.data.flatten()])

    def loss(flat):
        parts = {"0.weight": flat[:54].view(3, 2, 3, 3), "4.weight": flat[54:].view(3, 3)}
        return functional.cross_entropy(functional_call(twin, parts, batch.images), batch.labels)

    expected = -theta @ jacrev(grad(loss))(theta) @ grad(loss)(theta)
    assert proxies.grasp(net, batch) == pytest.approx(expected.item(), rel=1e-9)


def test_synflow_of_a_chain_is_conserved_and_leaves_norms_out():
    """Every layer adds R, the product of absolute weights; single precision would overflow."""
    width, depth = 3, 60
    layers = [nn.Conv2d(width, width, 1, bias=False) for _ in range(depth)]
    for layer in layers:
        nn.init.constant_(layer.weight, -100.0)
    norms = [nn.BatchNorm2d(width, affine=False) for _ in range(depth)]
    pairs = (module for pair in zip(layers, norms, strict=True) for module in pair)
    net = nn.Sequential(*pairs, GlobalPool())
    batch = Batch(torch.zeros(2, width, 4, 4), torch.tensor([0, 1]))
    log_r = depth * math.log(width * 100) + math.log(width)
    assert log_r > math.log(torch.finfo(torch.float32).max)
    assert proxies.synflow(net, batch) == pytest.approx(log_r + math.log(depth))


def test_fisher_against_a_loop_over_images_and_channels():
    net = filled(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3))
    batch = random_batch(4, 1, 4, 4)
    z1 = net[0](batch.images).detach()
    z2 = net[3](net[2](net[1](z1))).detach()
    by_z1 = grad(lambda z: functional.cross_entropy(net[3](net[2](net[1](z))), batch.labels))(z1)
    by_z2 = grad(lambda z: functional.cross_entropy(z, batch.labels))(z2)
    expected = sum(
        0.5 * (z[n, c] * slope[n, c]).sum().item() ** 2 / 4
        for z, slope in ((z1, by_z1), (z2, by_z2))
        for n in range(4)
        for c in range(3)
    )
    assert proxies.fisher(net, batch) == pytest.approx(expected)


# ---- kernels ---------------------------------------------------------------------------------


def test_jacob_cov_against_the_jacobian_of_each_image():
    """With normalisation, one image moves the logits of the others too."""
    net, batch = small_net(), random_batch(6, 2, 6, 6)
    twin = copy.deepcopy(net).train()
    rows = []
    for n in range(6):
        image = batch.images[n].clone().requires_grad_()
        images = torch.cat([batch.images[:n], image[None], batch.images[n + 1 :]])
        rows.append(torch.autograd.grad(twin(images).sum(), image)[0].flatten().numpy())
    sigma = np.linalg.eigvals(np.corrcoef(rows)).real
    expected = -np.sum(np.log(sigma + 1e-5) + 1 / (sigma + 1e-5))
    assert proxies.jacob_cov(net, batch) == pytest.approx(expected)


def test_a_row_without_variance_correlates_with_nothing():
    rows = torch.tensor([[0.1, 0.1, 0.1], [1.0, 2.0, 4.0], [-1.0, -2.0, -4.0], [0.0, 0.0, 0.0]])
    expected = torch.zeros(4, 4, dtype=torch.float64)
    expected[1:3, 1:3] = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    torch.testing.assert_close(proxies.correlation(rows), expected)


@pytest.mark.parametrize("seed", range(3))
def test_naswot_against_explicit_hamming_distances(seed):
    net, batch = prepared(seed=seed)
    twin, codes = copy.deepcopy(net).train(), []
    for module in twin.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda m, i, y: codes.append((y > 0).flatten(1)))
    with torch.no_grad():
        twin(batch.images)
    c = torch.cat(codes, 1).numpy()
    units = c.shape[1]
    kernel = units - squareform(pdist(c, "hamming")) * units
    sign, expected = np.linalg.slogdet(kernel)
    assert sign == 1
    assert proxies.naswot(net, batch) == pytest.approx(expected)


@pytest.mark.parametrize("rank", [1, 5, 29, 30])
def test_singular_kernels_are_noticed(rank):
    """Products of whole numbers, of a rank that is known."""
    factor = np.random.default_rng(rank).integers(0, 2, (30, rank)).astype(float)
    kernel = torch.tensor(factor @ factor.T)
    full = np.linalg.matrix_rank(factor) == 30
    assert (proxies.log_determinant(kernel) == LOWEST) != full
    if full:
        assert proxies.log_determinant(kernel) == pytest.approx(np.linalg.slogdet(kernel)[1])


# ---- Zen -------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [nn.Identity, nn.BatchNorm2d])
@pytest.mark.parametrize("layers", [1, 3])
def test_zen_of_wide_linear_layers_is_what_gaussians_give(layers, norm):
    """A layer with weights N(0, 1) and 64 inputs stretches a vector by sqrt(64), so with 64
    channels of 6x6 pixels ‖f(x) - f(x + αε)‖ is about α sqrt(64^layers 64 · 36). Normalisation
    must not change that: its σ put back what it took."""
    modules = [nn.Sequential(nn.Conv2d(64, 64, 1, bias=False), norm(64)) for _ in range(layers)]
    batch = random_batch(16, 64, 6, 6, dtype=torch.float32)
    expected = math.log(ALPHA) + (layers * math.log(64) + math.log(64 * 36)) / 2
    found = proxies.zen(nn.Sequential(*modules, GlobalPool()), batch)
    assert found == pytest.approx(expected, abs=0.1)


# ---- networks that carry nothing -------------------------------------------------------------


def test_the_empty_cell_has_a_defined_score():
    """No path leads from the image to the classifier: what that means, worked by hand."""
    net, batch = prepared(EMPTY)
    for proxy in (proxies.grad_norm, proxies.snip, proxies.grasp):
        assert proxy(net, batch) == 0
    for proxy in (proxies.synflow, proxies.naswot, proxies.zen):
        assert proxy(net, batch) == LOWEST
    all_zero = -32 * (math.log(1e-5) + 1e5)
    assert proxies.jacob_cov(net, batch) == pytest.approx(all_zero)
    logits = net.classifier.linear.bias.detach()
    slope = torch.softmax(logits, 0) - functional.one_hot(batch.labels, 10)
    by_hand = 0.5 * (logits * slope / 32).square().mean(0).sum()
    assert proxies.fisher(net, batch) == pytest.approx(float(by_hand), rel=1e-4)


# ---- every proxy -----------------------------------------------------------------------------


NO_RELU = ("rnn", "transformer", "transformer_blocks")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_scores(family):
    space = FAMILIES[family]
    arch = space.sample(np.random.default_rng(0))
    net, batch = proxies.prepare(space, arch, SKELETON, DATA, 0)
    for name, proxy in PROXIES.items():
        score = proxy(net, batch)
        assert math.isfinite(score) or (name == "naswot" and family in NO_RELU), name


@pytest.mark.parametrize("name", sorted(PROXIES))
@given(arch=st.tuples(*[st.integers(0, 4)] * 6), seed=st.integers(0, 99))
@settings(max_examples=4)
def test_a_score_is_a_number_that_hangs_on_the_seed_alone(name, arch, seed):
    estimate = ZeroCost(SPACE, SKELETON, DATA, PROXIES[name])
    assert estimate(ARCH, seed).score != estimate(ARCH, seed + 1).score
    torch.manual_seed(1)
    one = estimate(arch, seed)
    torch.manual_seed(2)
    two = estimate(arch, seed)
    assert isinstance(one, Evaluation)
    assert one.cost > 0
    assert one.score == two.score < math.inf


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", sorted(PROXIES))
def test_the_network_and_the_generators_are_left_as_they_were(name, training):
    """Nor do the mode and running statistics, which say nothing yet, count."""
    expected = PROXIES[name](*prepared())
    net, batch = prepared()
    net.train(training)
    net.head.norm.eval()
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.fill_(0.5)
    before = copy.deepcopy(net.state_dict())
    modes = [module.training for module in net.modules()]
    images, state = batch.images.clone(), torch.get_rng_state()
    assert PROXIES[name](net, batch) == PROXIES[name](net, batch) == expected
    with pytest.raises(RuntimeError):  # after an error too
        PROXIES[name](net, Batch(torch.zeros(2, 3, 8, 8), batch.labels[:2]))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(batch.images, images)
    assert not batch.images.requires_grad
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert not any(module._forward_hooks for module in net.modules())
    assert all(m.track_running_stats for m in net.modules() if isinstance(m, nn.BatchNorm2d))


# ---- as estimates ----------------------------------------------------------------------------


def test_an_estimate_is_any_proxy_on_a_fresh_network_and_its_first_batch():
    estimate = ZeroCost(SPACE, SKELETON, DATA, proxies.snip)
    net = nets.build(SPACE, ARCH, SKELETON, seed=4).to(memory_format=torch.channels_last)
    images, labels = next(iter(DATA.train_dataloader().reseeded(4)))
    assert torch.equal(images, Batch.draw(DATA, 4).images)
    assert not torch.equal(images, Batch.draw(DATA, 2).images)
    assert estimate(ARCH, 4).score == pytest.approx(proxies.snip(net, Batch(images, labels)))
    own = replace(estimate, proxy=lambda net, batch: batch.labels.float().mean())
    assert own(ARCH, 4).score == float(labels.float().mean())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda e: replace(e, proxy="snip"), TypeError, "function of a network .*'snip'.*naswot"),
        (lambda e: replace(e, skeleton=Skeleton(in_channels=1)), ValueError, "resolution is 32"),
        (lambda e: e((0, 1), 0), ValueError, "6 tokens"),
        (lambda e: e(ARCH, -1), ValueError, "seed must be at least 0"),
    ],
)
def test_bad_input_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call(ZeroCost(SPACE, SKELETON, DATA, proxies.snip))
