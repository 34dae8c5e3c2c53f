"""A base in few bits: it answers nearly as the whole one, passes gradients on, and keeps nothing unpacked."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from studio.families.quantized import Linear

WORST = {"int8": 0.006, "nf4": 0.153}  # of the largest weight: half a step of 127, half the widest gap of nf4's levels


def pair(kind: Any, dtype: torch.dtype = torch.float32) -> tuple[nn.Linear, Linear]:
    torch.manual_seed(1)
    plain = nn.Linear(64, 96).to(dtype).requires_grad_(False)
    return plain, Linear(plain, kind, "cpu")


@pytest.mark.parametrize("kind", WORST)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_are_nearly_the_same_and_products_are_theirs(kind: str, dtype: torch.dtype) -> None:
    plain, few = pair(kind, dtype)
    error = (few.weight.float() - plain.weight.float()).abs().max() / plain.weight.float().abs().max()
    assert 0 < error < WORST[kind] and few.weight.dtype == dtype and few.weight.shape == plain.weight.shape
    x = torch.randn(2, 5, 64, dtype=dtype, requires_grad=True)
    other = x.detach().clone().requires_grad_(True)
    said, meant = few(x), torch.nn.functional.linear(other, few.weight, plain.bias)
    assert torch.equal(said, meant) and said.dtype == dtype
    upstream = torch.randn_like(said)
    said.backward(upstream)
    meant.backward(upstream)
    assert torch.allclose(x.grad, other.grad, atol=1e-5 if dtype == torch.float32 else 0.02)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", WORST)
def test_nothing_is_kept_for_the_gradient(kind: str) -> None:
    _, few = pair(kind)
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        few(torch.randn(3, 64, requires_grad=True))
    assert kept == [] and not any(p.requires_grad for p in few.parameters())


@pytest.mark.parametrize("kind", WORST)
def test_it_follows_autocast_and_takes_no_change(kind: str) -> None:
    plain, few = pair(kind)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        said = few(torch.randn(3, 64))
    assert said.dtype == torch.bfloat16
    before = few.weight
    few.weight.zero_()
    assert torch.equal(few.weight, before)
    few.instead = torch.zeros_like
    assert torch.equal(few(torch.randn(1, 64))[0], plain.bias) and not few.weight.any()
    few.instead = None
    assert torch.equal(few.weight, before)


@pytest.mark.parametrize("kind", WORST)
def test_its_size_is_known_without_content(kind: str) -> None:
    plain, few = pair(kind)
    bare = Linear(plain, kind, "meta")  # type: ignore[arg-type]
    assert {n: (t.shape, t.dtype) for n, t in few.state_dict().items()} == {
        n: (t.shape, t.dtype) for n, t in bare.state_dict().items()
    }
    assert bare(torch.empty(2, 64, device="meta")).shape == (2, 96)
    assert few.codes.nbytes == {"int8": 96 * 64, "nf4": 96 * 32}[kind]
