"""The subset and its loaders, against the official idx files and torchvision's own reader."""

import gzip
import pickle
import struct
import subprocess

import d2l.torch as d2l
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets, transforms

from nas_lab import checks, data
from nas_lab.data import FashionMNIST

needs_official = pytest.mark.skipif(
    not data.DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed"
)


@pytest.fixture(scope="module")
def subset():
    return data.load(checks.dataset("fashion_mnist.npz"))


@pytest.fixture(scope="module")
def torchvision_root(tmp_path_factory):
    """A folder as torchvision's FashionMNIST lays it out, without a download."""
    root = tmp_path_factory.mktemp("torchvision")
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for packed in data.DEBIAN.glob("*.gz"):
        (raw / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    return root


@pytest.fixture(scope="module")
def torchvision_sets(torchvision_root):
    kinds = {"train": True, "test": False}
    return {k: datasets.FashionMNIST(torchvision_root, train=t) for k, t in kinds.items()}


# ---- the file ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("split", "per_class"), [("train", 1000), ("validation", 400), ("test", 400)]
)
def test_sizes_types_and_balance(subset, split, per_class):
    images, labels = subset[f"{split}_images"], subset[f"{split}_labels"]
    assert images.shape == (10 * per_class, 28, 28)
    assert images.dtype == labels.dtype == np.uint8
    assert np.bincount(labels).tolist() == [per_class] * 10
    assert len(np.unique(subset[f"{split}_indices"])) == 10 * per_class
    assert not np.intersect1d(subset["train_indices"], subset["validation_indices"]).size


@needs_official
@pytest.mark.parametrize(
    ("split", "source"), [("train", "train"), ("validation", "train"), ("test", "test")]
)
def test_rows_are_torchvisions(subset, torchvision_sets, split, source):
    official, rows = torchvision_sets[source], subset[f"{split}_indices"]
    np.testing.assert_array_equal(subset[f"{split}_images"], official.data.numpy()[rows])
    np.testing.assert_array_equal(subset[f"{split}_labels"], official.targets.numpy()[rows])


@needs_official
def test_rebuilding_from_debians_or_torchvisions_files_gives_the_shipped_arrays(
    subset, tmp_path, torchvision_root
):
    data.main(["--source", str(torchvision_root), "--output", str(tmp_path)])
    again = data.build(data.DEBIAN, tmp_path / "again")
    assert again.read_bytes() == (tmp_path / "fashion_mnist.npz").read_bytes()
    rebuilt = data.load(again)
    assert rebuilt.keys() == subset.keys()
    for name, array in subset.items():
        assert rebuilt[name].dtype == array.dtype
        np.testing.assert_array_equal(rebuilt[name], array, err_msg=name)


def test_a_damaged_file_says_what_to_do_and_ours_has_its_checksum(tmp_path):
    shipped = checks.dataset("fashion_mnist.npz")
    path, content = tmp_path / shipped.name, shipped.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    for damaged in (flipped, content[:-9], b""):
        path.write_bytes(damaged)
        with pytest.raises(checks.DamagedFileError, match=r"fashion_mnist\.npz cannot be .*git"):
            data.load(path)
    command = ["sha256sum", "--check", "SHA256SUMS"]
    assert subprocess.run(command, cwd=shipped.parent, capture_output=True).returncode == 0


# ---- idx files -----------------------------------------------------------------------------


def test_idx_header_and_rows(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(struct.pack(">4B3i", 0, 0, 8, 3, 2, 1, 3) + bytes(range(6))))
    assert data.read_idx(path, (2, 1, 3)).tolist() == [[[0, 1, 2]], [[3, 4, 5]]]


WRONG = [
    struct.pack(">4Bi", 0, 0, 8, 1, 3) + b"ab",  # cut
    struct.pack(">4Bi", 0, 0, 8, 1, 3) + b"abcd",  # too long
    struct.pack(">4Bi", 0, 0, 8, 1, 2) + b"abc",  # another length
    struct.pack(">4Bi", 0, 0, 9, 1, 3) + b"abc",  # another type
    b"",
]
PACKED = [gzip.compress(wrong, mtime=0) for wrong in WRONG]
PACKED += [b"no gzip at all", gzip.compress(bytes(9), mtime=0)[:-6], b""]


@pytest.mark.parametrize(
    ("name", "content"),
    [*(("labels", wrong) for wrong in WRONG), *(("labels.gz", packed) for packed in PACKED)],
)
def test_a_wrong_idx_file_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(checks.DamagedFileError, match=r"labels.*Get it anew"):
        data.read_idx(tmp_path / name, (3,))


# ---- tensors -------------------------------------------------------------------------------


@pytest.mark.parametrize("resolution", [7, 12, 16, 28, 32])
def test_resizing_equals_torchvisions_up_to_its_rounding(subset, resolution):
    # torchvision resizes 8-bit pictures and rounds twice; we resize floats
    steps = transforms.Resize((resolution, resolution)), transforms.ToTensor()
    resize = transforms.Compose([*steps, transforms.Normalize(data.MEAN, data.STD)])
    some = subset["train_images"][:20]
    expected = torch.stack([resize(Image.fromarray(image)) for image in some])
    ours = data.normalise(torch.from_numpy(some), resolution)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, expected, rtol=0, atol=1.01 / 255 / data.STD)


@needs_official
def test_mean_and_deviation_are_the_official_training_sets(torchvision_sets):
    pixels = torchvision_sets["train"].data.double() / 255
    assert round(pixels.mean().item(), 4) == data.MEAN
    assert round(pixels.std().item(), 4) == data.STD


def test_every_batch_has_its_shapes_and_types(subset):
    d = FashionMNIST(12, 300)
    for loader in (d.train_dataloader(), d.val_dataloader(), d.test_dataloader()):
        batches = list(loader)
        assert len(batches) == len(loader)
        assert {x.shape[1:] for x, _ in batches} == {(1, 12, 12)}
        assert all(len(x) == len(y) == 300 for x, y in batches[:-1])
        assert sum(len(y) for _, y in batches) == len(loader.labels)
        assert all(y.dtype == torch.int64 for _, y in batches)
    for loader, split in ((d.val_dataloader(), "validation"), (d.test_dataloader(), "test")):
        np.testing.assert_array_equal(loader.labels.numpy(), subset[f"{split}_labels"])


# ---- order ---------------------------------------------------------------------------------


def labels_of(loader):
    return torch.cat([y for _, y in loader])


def test_an_epoch_shows_every_image_once_with_its_label(subset):
    loader = FashionMNIST(28, 128).train_dataloader()
    images, labels = (torch.cat(parts) for parts in zip(*loader, strict=True))
    raw = (images.squeeze(1) * data.STD + data.MEAN).mul(255).round().byte().numpy()
    seen = sorted((x.tobytes(), int(y)) for x, y in zip(raw, labels, strict=True))
    pairs = zip(subset["train_images"], subset["train_labels"], strict=True)
    assert seen == sorted((x.tobytes(), int(y)) for x, y in pairs)


def test_epochs_differ_and_repeat_with_the_seed():
    first, again = (FashionMNIST(4, seed=3).train_dataloader() for _ in range(2))
    epochs = [labels_of(first) for _ in range(3)]
    assert all(torch.equal(epoch, labels_of(again)) for epoch in epochs)
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[0], labels_of(FashionMNIST(4, seed=4).train_dataloader()))


def test_reseeding_starts_another_order_and_validation_keeps_its_own():
    before = torch.get_rng_state()
    loader, validation = FashionMNIST(4).train_dataloader(), FashionMNIST(4).val_dataloader()
    orders = [tuple(labels_of(loader.reseeded(seed)).tolist()) for seed in (0, 1, 2, 1)]
    assert len(set(orders)) == 3
    assert orders[1] == orders[3]
    assert torch.equal(labels_of(validation), labels_of(validation))
    assert torch.equal(before, torch.get_rng_state())  # the global generator is left alone


# ---- arguments -----------------------------------------------------------------------------


@pytest.mark.parametrize("images", [1, 10, 130, 1000, 10_000])
def test_a_prefix_of_the_training_images_is_balanced(images):
    loader = FashionMNIST(4, images=images).train_dataloader()
    counts = torch.bincount(labels_of(loader), minlength=10)
    assert counts.sum() == images
    assert counts.max() - counts.min() <= 1
    assert len(loader) == -(-images // 128)


def test_too_many_images_name_how_many_there_are():
    with pytest.raises(ValueError, match=r"images=10,001.*10,000 to train on"):
        FashionMNIST(4, images=10_001)


def test_it_pickles_small_and_whole():
    d = FashionMNIST(12, 64, 3, images=500)
    assert len(pickle.dumps(d)) < 1000
    copy = pickle.loads(pickle.dumps(d))
    assert copy.hparams == d.hparams
    assert torch.equal(labels_of(copy.train_dataloader()), labels_of(d.train_dataloader()))
    assert FashionMNIST(np.int64(4), images=np.uint16(70)).hparams["images"] == 70


def test_labels_are_d2ls():
    theirs = d2l.FashionMNIST.text_labels(None, range(10))
    assert FashionMNIST(4).text_labels(torch.arange(10)) == theirs
