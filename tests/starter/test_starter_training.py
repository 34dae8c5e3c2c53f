"""Training can be cut at any save, goes on from there, and its optimizer does what it says."""

import torch
from torch import nn

from studio.formats.tensors import load_tensors, read_metadata, save_tensors
from studio.starter import training
from studio.starter.optim import Muon, optimizers, orthogonal


class Line:
    """Learns y = Wx; the smallest task there is."""

    lr = 1e-2
    batch = 8

    def __init__(self, work, device):
        self.model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).to(device)

    def loss(self, draw):
        inputs = torch.randn(8, 6, generator=draw)
        return (self.model(inputs).float() - inputs[:, :3]).square().mean()


def job(work, minutes):
    return training.Job("line", work, Line, minutes, 1, "cpu")


def test_it_stops_saves_and_goes_on(tmp_path):
    training.run(job(tmp_path, 0.002))
    first = training.spent(tmp_path / "line.safetensors")
    assert first["steps"] >= training.MEET_EVERY and first["samples"] == first["steps"] * Line.batch
    training.run(job(tmp_path, 0.002))
    assert training.spent(tmp_path / "line.safetensors") == first
    training.run(job(tmp_path, first["minutes"] + 0.002))
    assert training.spent(tmp_path / "line.safetensors")["steps"] > first["steps"]
    assert set(training.averaged(tmp_path / "line.safetensors")) == set(Line(tmp_path, "cpu").model.state_dict())


def test_a_saved_trainer_is_restored_exactly(tmp_path):
    training.run(job(tmp_path, 0.002))
    one = training.Trainer(0, job(tmp_path, 1.0), Line(tmp_path, torch.device("cpu")), torch.device("cpu"))
    saved = load_tensors(tmp_path / "line.safetensors")
    one.save()
    again = load_tensors(tmp_path / "line.safetensors")
    assert saved.keys() == again.keys()
    assert all(torch.equal(saved[name], again[name]) for name in saved)


def test_tensor_files_are_whole_or_absent(tmp_path):
    path = tmp_path / "deep" / "file.safetensors"
    both = torch.arange(6.0)
    save_tensors(path, {"a": both[:3], "b": both.view(2, 3).T}, {"step": "3"})
    assert read_metadata(path) == {"step": "3"}
    assert torch.equal(load_tensors(path)["b"], both.view(2, 3).T)
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_orthogonal_updates_have_even_spread():
    values = torch.linalg.svdvals(orthogonal(torch.randn(4, 20, 60)).float())
    assert float(values.min()) > 0.5 and float(values.max()) < 1.4


def test_tables_and_vectors_are_left_to_adamw():
    model = nn.ModuleDict({"token_embedding": nn.Embedding(9, 4), "inner": nn.Linear(4, 4)})
    muon, adam = optimizers(model, 1e-3)
    assert isinstance(muon, Muon)
    assert [weight.shape for weight in muon.param_groups[0]["params"]] == [(4, 4)]
    assert len(adam.param_groups[0]["params"]) == 2
