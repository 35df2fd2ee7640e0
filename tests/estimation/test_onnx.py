"""Networks in 8 bits: close to the network they come from, smaller, and absent politely."""

import sys

import numpy as np
import pytest
import torch

from nas_lab import nets
from nas_lab.data import FashionMNIST
from nas_lab.devices import kernels
from nas_lab.estimation import onnx
from nas_lab.spaces import Skeleton, nasbench201
from nas_lab.training import Recipe, train

SPACE = nasbench201()
SKELETON = Skeleton(channels=16, cells=1, stages=1, stem_stride=2, resolution=12, in_channels=1)
ARCH = (3, 2, 1, 4, 3, 1)
DATA = FashionMNIST(12, 128, images=2000)

needs_edge = pytest.mark.skipif(not onnx.available(), reason="needs nas-lab[edge]")
pytestmark = pytest.mark.filterwarnings("ignore")  # of onnx's protobuf about itself


@pytest.fixture(scope="module")
def trained():
    net = nets.build(SPACE, ARCH, SKELETON)
    train(net, DATA, Recipe(epochs=4), seed=0)
    return net


@needs_edge
def test_both_forms_are_measured(trained):
    plain, small = onnx.compare(trained, DATA)
    assert (plain.name, small.name) == ("float32", "int8")
    images = DATA.val_dataloader()
    with torch.no_grad():
        right = trained.eval()(images.images).argmax(1) == images.labels
    assert plain.accuracy == pytest.approx(float(right.float().mean()), abs=2e-3)
    assert abs(small.accuracy - plain.accuracy) < 0.1
    assert small.accuracy > 0.3
    assert len(plain.latency.runs) == len(small.latency.runs) == 50
    assert 0 < small.latency.busy_seconds < 1


@needs_edge
def test_weights_take_a_quarter_of_the_bytes(tmp_path):
    import onnx as standard

    net = nets.build(SPACE, ARCH, SKELETON)
    onnx.export(net, DATA, tmp_path / "a.onnx")
    onnx.quantise(tmp_path / "a.onnx", tmp_path / "b.onnx", DATA)
    model = standard.load(tmp_path / "b.onnx")
    whole = [i for i in model.graph.initializer if i.data_type == standard.TensorProto.INT8]
    numbers = sum(int(np.prod(i.dims)) for i in whole if len(i.dims) == 4)
    assert numbers == sum(p.numel() for p in net.parameters() if p.dim() == 4)


@needs_edge
@pytest.mark.parametrize("arch", [ARCH, (2, 4, 1, 1, 0, 3)])
def test_kernels_are_those_that_onnx_keeps(arch, tmp_path):
    """What a compiler folds and drops, seen by torch's exporter: all but the ReLUs."""
    import onnx as standard

    net = nets.build(SPACE, arch, SKELETON)
    onnx.export(net, DATA, tmp_path / "net.onnx")
    found = [node.op_type for node in standard.load(tmp_path / "net.onnx").graph.node]
    names = {"conv": "Conv", "avg_pool": "AveragePool", "linear": "Gemm"}
    names["norm"] = "BatchNormalization"
    run = [kernel for _, kernel in kernels(SPACE.network(arch, SKELETON), compiled=True)]
    for kind, name in names.items():
        assert sum(k.kind == kind for k in run) == found.count(name), kind
    assert sum(k.launches for k in run if k.kind == "add") == found.count("Add")


def test_without_the_libraries_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert not onnx.available()
    with pytest.raises(ImportError, match=r"pip install 'nas-lab\[edge\]'"):
        onnx.compare(torch.nn.Identity(), DATA)
