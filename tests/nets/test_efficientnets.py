"""EfficientNets against torchvision's: the same weights give the same outputs, and seeds decide."""

import copy
import pickle
import re

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional

from nas_lab.nets import EfficientNet, efficientnet
from nas_lab.scaling import EFFICIENTNETS, Stage

SMALL = (
    Stage("conv", 8, stride=2),
    Stage("mbconv", 8, layers=2, expansion=2),
    Stage("mbconv", 12, layers=2, kernel=5, stride=2, expansion=3),
    Stage("conv", 32, kernel=1),
)


BLOCK = ("expand", "depthwise", "excitation", "project")
"""Parts of a block in torchvision's order; those of stage 1 have no first one."""


def from_torchvision(state):
    """torchvision's weights under our names."""
    return {_our_name(name): value for name, value in state.items()}


def _our_name(name):
    if block := re.fullmatch(r"features\.(\d+)\.(\d+)\.block\.(\d)\.(.+)", name):
        stage, number, part, rest = block.groups()
        return f"net.stages.{stage}.{number}.{BLOCK[int(part) + (stage == '1')]}.{rest}"
    name = re.sub(r"features\.(\d+)\.", r"stages.\1.0.", name)
    return "net." + name.replace("classifier.1", "classifier")


def small(**options):
    return EfficientNet(SMALL, **({"classes": 10, "in_channels": 1} | options))


def torchvisions(name, **options):
    return getattr(torchvision.models, f"efficientnet_{name}")(**options)


@pytest.fixture(scope="module")
def pair():
    """Torchvision's B0 and ours with the same weights, at which all layers have something to say.

    Its own initial weights let signals vanish: logits are of the order of 1e-14.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = torchvisions("b0")
        for module in theirs.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            if isinstance(module, nn.BatchNorm2d):
                for tensor in (module.weight.data, module.running_var):
                    tensor.uniform_(0.5, 1.5)
                for tensor in (module.bias.data, module.running_mean):
                    tensor.normal_(0, 0.3)
    ours = efficientnet("b0")
    ours.load_state_dict(from_torchvision(theirs.state_dict()))
    return theirs, ours


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_torchvisions_weights_give_torchvisions_outputs_and_gradients(pair):
    theirs, ours = (net.eval() for net in pair)
    x, labels = images(2, 3, 96, 96), torch.tensor([3, 7])
    logits, gradients = [], []
    for net in (theirs, ours):
        net.zero_grad()
        logits.append(net(x))
        functional.cross_entropy(logits[-1], labels).backward()
        gradients.append({name: p.grad for name, p in net.named_parameters()})
    assert logits[0].std() > 1e-3
    torch.testing.assert_close(logits[1], logits[0])
    expected = from_torchvision(gradients[0])
    assert set(expected) == set(gradients[1])
    for name, gradient in gradients[1].items():
        assert expected[name].abs().max() > 0
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)


def test_training_drops_what_torchvision_drops(pair):
    """The same draws of dropout and stochastic depth, in the same order, and the same averages."""
    theirs, ours = (copy.deepcopy(net).train() for net in pair)
    x, logits = images(4, 3, 64, 64), []
    for net in (theirs, ours):
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(5)
            logits.append(net(x))
    torch.testing.assert_close(logits[1], logits[0])
    buffers = from_torchvision(dict(theirs.named_buffers()))
    for name, buffer in ours.named_buffers():
        torch.testing.assert_close(buffer, buffers[name])


@pytest.mark.parametrize("name", list(EFFICIENTNETS))
def test_every_variant_is_built_as_torchvisions(name):
    """Names and shapes of all weights, dropout, stochastic depth, and normalisation."""

    def settings_of(net):
        kinds = (nn.BatchNorm2d, nn.Dropout, torchvision.ops.StochasticDepth)
        found = [module for module in net.modules() if isinstance(module, kinds)]
        names = ("eps", "momentum", "p")
        return [getattr(module, n) for module in found for n in names if hasattr(module, n)]

    with torch.device("meta"):
        theirs, ours = torchvisions(name), efficientnet(name)
    renamed = from_torchvision(theirs.state_dict())
    assert {k: v.shape for k, v in renamed.items()} == {
        k: v.shape for k, v in ours.state_dict().items()
    }
    assert settings_of(ours) == pytest.approx(settings_of(theirs))


# ---- parameters ----------------------------------------------------------------------------------


def test_parameters_depend_on_the_seed_alone():
    state = torch.get_rng_state()
    one, same, other = (small(seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state), "the global generator was used"
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert all(torch.isfinite(value).all() for value in one.values())


def test_initial_spread_is_the_references():
    """Variance 2 / (k^2 c_out) of a group: 2/9 for a depthwise 3x3, 2/64 for a 1x1 to 64."""
    net = EfficientNet(
        [Stage("mbconv", 64, layers=2, expansion=40)], in_channels=64, classes=400, seed=1
    )
    block = net.net.stages[0][0]
    assert block.depthwise[0].weight.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.03)
    assert block.project[0].weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.03)
    assert net.net.classifier.weight.abs().max().item() == pytest.approx(400**-0.5, rel=0.01)


# ---- use -----------------------------------------------------------------------------------------


def test_it_pickles_and_takes_any_size():
    net = small().eval()
    again = pickle.loads(pickle.dumps(net))
    for resolution in (4, 9, 28):
        x = images(2, 1, resolution, resolution)
        assert net(x).shape == (2, 10)
        torch.testing.assert_close(again(x), net(x))


def test_bad_input_is_explained():
    for call, message in {
        (lambda: efficientnet("b8")): "no EfficientNet is called 'b8'; choose from b0",
        (lambda: efficientnet("b0", classes=0)): "classes must be at least 1",
        (lambda: small(seed=-1)): "seed must be at least 0",
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
