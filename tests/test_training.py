"""The training loop, against torch's own optimiser and scheduler in a plain loop."""

import math

import d2l.torch as d2l
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nas_lab import training
from nas_lab.data import FashionMNIST
from nas_lab.training import Recipe, evaluate, train

DATA = {"resolution": 8, "batch_size": 64, "images": 320}


def small_net(seed=0, dropout=0.0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Dropout(dropout) if dropout else nn.Identity(),
            nn.Flatten(),
            nn.Linear(64, 10),
        )


@pytest.fixture(scope="module")
def data():
    return FashionMNIST(**DATA)


def weights(net):
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


def plain_training(net, data, recipe, seed):
    """Train with nothing of ours but the order of the images; return loss and accuracy a epoch."""
    loader, validation = data.train_dataloader().reseeded(seed), data.val_dataloader()
    rate, steps = recipe.learning_rate, recipe.epochs * len(loader)
    options = {"weight_decay": recipe.weight_decay, "nesterov": True, "foreach": False}
    optimiser = torch.optim.SGD(net.parameters(), rate, recipe.momentum, **options)
    options = {"pct_start": recipe.warmup, "cycle_momentum": False}
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps, **options)
    record = []
    for _ in range(recipe.epochs):
        net.train()
        losses = []
        for x, y in loader:
            optimiser.zero_grad()
            loss = F.cross_entropy(net(x), y, label_smoothing=recipe.label_smoothing)
            loss.backward()
            optimiser.step()
            scheduler.step()
            losses += [loss.item()] * len(y)
        net.eval()
        right = sum((net(x).argmax(1) == y).sum().item() for x, y in validation)
        record.append((np.mean(losses), right / 4000))
    return record


# ---- what is learnt ------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_equals_a_plain_loop(data, smoothing):
    recipe = Recipe(epochs=3, learning_rate=0.05, label_smoothing=smoothing)
    ours, theirs = small_net(), small_net()
    curve = train(ours, data, recipe, seed=4, num_threads=1)
    losses, accuracies = zip(*plain_training(theirs, data, recipe, seed=4), strict=True)
    torch.testing.assert_close(weights(ours), weights(theirs), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(curve.train_loss, losses, rtol=1e-3)
    np.testing.assert_allclose(curve.val_accuracy, accuracies, atol=0.003)


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
def test_learning_rates_of_a_schedule(schedule):
    recipe = Recipe(learning_rate=0.2, schedule=schedule)
    optimiser = recipe.optimiser(small_net())
    scheduler = recipe.scheduler(optimiser, 100)
    rates = []
    for _ in range(100):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    assert max(rates) == pytest.approx(0.2)
    if schedule == "constant":
        assert min(rates) == max(rates)
        return
    assert rates[-1] < 0.001
    peak = {"one_cycle": 29, "cosine": 0}[schedule]
    assert int(np.argmax(rates)) == peak
    assert all(np.diff(rates)[peak:] < 0)


@pytest.mark.parametrize(("images", "epochs"), [(1, 1), (65, 1), (64, 3)])
@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
def test_trainings_of_a_few_steps(images, epochs, schedule):
    few = FashionMNIST(8, 64, images=images)
    curve = train(small_net(), few, Recipe(epochs=epochs, schedule=schedule, momentum=0))
    assert len(curve) == epochs
    assert curve.status == "finished"


# ---- seeds ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_seed_fixes_the_result_and_nothing_outside_matters_or_is_changed(data, dropout, capfd):
    """The global generator and threads are left alone, nothing is shown, data may be used."""
    threads, used = torch.get_num_threads(), FashionMNIST(**DATA)
    list(used.train_dataloader())

    def run(seed, data):
        torch.rand(1)
        before, net = torch.get_rng_state(), small_net(dropout=dropout)
        curve = train(net, data, Recipe(epochs=2), seed=seed, num_threads=threads + 1)
        assert torch.equal(before, torch.get_rng_state())
        return curve.train_loss, weights(net).tolist()

    assert run(3, data) == run(3, used) != run(4, data)
    assert torch.get_num_threads() == threads
    assert capfd.readouterr() == ("", "")


# ---- ends of a training --------------------------------------------------------------------


def test_events_tell_the_curve_so_far_and_a_bar_shows_all_steps(data, capfd):
    net, events = small_net(), []
    curve = train(net, data, Recipe(epochs=3), on_epoch=events.append, progress=True)
    out, err = capfd.readouterr()
    assert (out, "15/15" in err, "val_acc=" in err) == ("", True, True)
    told = [(event.epoch, event.epochs, len(event.curve)) for event in events]
    assert told == [(1, 3, 1), (2, 3, 2), (3, 3, 3)]
    assert events[-1].curve == curve
    assert curve.accuracy == evaluate(net, data.val_dataloader())
    assert all(np.diff((0, *curve.seconds)) > 0)


def raising(error, epoch):
    def on_epoch(event):
        if event.epoch == epoch:
            raise error

    return on_epoch


def test_an_interrupt_keeps_what_was_learnt_and_an_error_of_the_callback_is_not_swallowed(data):
    net = small_net()
    curve = train(net, data, Recipe(epochs=5), on_epoch=raising(KeyboardInterrupt, 2))
    assert (len(curve), curve.status) == (2, "interrupted")
    assert evaluate(net, data.val_dataloader()) == curve.accuracy
    assert not net.training
    with pytest.raises(LookupError, match="mine"):
        train(net, data, Recipe(epochs=1), on_epoch=raising(LookupError("mine"), 1))


def test_an_interrupt_in_the_first_epoch_leaves_no_accuracy(data):
    def stop(module, inputs):
        if module.training:
            raise KeyboardInterrupt

    net = small_net()
    net.register_forward_pre_hook(stop)
    curve = train(net, data, Recipe(epochs=5))
    assert curve.status == "interrupted"
    assert math.isnan(curve.accuracy)


def test_a_diverging_training_stops_with_a_mark(data):
    events = []
    recipe = Recipe(epochs=4, learning_rate=1e12, schedule="constant")
    curve = train(small_net(), data, recipe, on_epoch=events.append)
    assert curve.status == "diverged"
    assert len(curve) == len(events) < 4
    assert all(math.isfinite(loss) for loss in (*curve.train_loss, *curve.val_loss))


# ---- accuracy ------------------------------------------------------------------------------


def test_accuracy_counts_by_hand():
    logits = torch.tensor([[2.0, 1, 0], [0, 1, 2], [0, 3, 1], [1, 0, 0]])
    labels = torch.tensor([0, 1, 1, 0])
    batches = [(logits[:3], labels[:3]), (logits[3:], labels[3:])]
    assert evaluate(nn.Identity(), batches) == 0.75
    with pytest.raises(ValueError, match="no image"):
        evaluate(nn.Identity(), [])


def test_measuring_puts_every_mode_back(data):
    net = small_net(dropout=0.5).train()
    net[1].eval()
    first = evaluate(net, data.val_dataloader())
    assert [module.training for module in net] == [True, False, True, True, True, True]
    assert evaluate(net, data.val_dataloader()) == first


# ---- arguments -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("epochs", 0, ValueError),
        ("epochs", 1.5, TypeError),
        ("learning_rate", 0.0, ValueError),
        ("learning_rate", math.nan, ValueError),
        ("momentum", 1.0, ValueError),
        ("weight_decay", -1e-4, ValueError),
        ("label_smoothing", 1.0, ValueError),
        ("warmup", 0.0, ValueError),
        ("schedule", "linear", ValueError),
    ],
)
def test_a_bad_recipe_names_what_is_bad(name, value, error):
    with pytest.raises(error, match=name):
        Recipe(**{name: value})
    with pytest.raises(ValueError, match="seed"):
        train(small_net(), None, seed=-1)


# ---- together with d2l ---------------------------------------------------------------------


def test_d2ls_own_trainer_takes_our_data(data):
    class Softmax(d2l.Classifier):
        def __init__(self):
            super().__init__()
            self.lr = 0.1
            self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
            self.board = d2l.ProgressBoard(display=False)

    model = Softmax()
    d2l.Trainer(max_epochs=3).fit(model, data)
    assert model.board.data["val_acc"][-1].y > 0.4


def test_any_d2l_data_can_be_trained_on():
    class Stripes(d2l.DataModule):
        def get_dataloader(self, train):
            x = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
            y = torch.arange(64) % 2
            x[y == 1, :, ::2] += 2
            self.batch_size = 16
            return self.get_tensorloader((x, y), train=False)

    assert train(small_net(), Stripes(), Recipe(epochs=5)).accuracy == 1


def test_our_classes_are_d2ls():
    assert issubclass(training.Trainer, d2l.Trainer)
    assert issubclass(training.Classifier, d2l.Classifier)
