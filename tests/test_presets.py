from __future__ import annotations

from pathlib import Path

import pytest

from studio.methods import registry
from studio.spec import PRESETS, load_spec, preset, presets, spec_from_toml

NAMES = [path.stem for path in sorted(PRESETS.glob("*.toml"))]
STARTERS = [name for name in NAMES if name.endswith("-starter")]


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_parses_round_trips_and_says_when_to_take_it(name: str) -> None:
    found = preset(name)
    spec = load_spec(name)
    assert spec_from_toml(spec.to_toml()) == spec == found.spec()
    assert found.title and found.when.endswith(".")
    called = "finetune" if name.startswith("finetune") else spec.method.kind  # DreamBooth's weights, on captions alone
    assert name.startswith(called)
    tier = name.removeprefix(f"{called}-").split("-")
    assert tier[0] == found.family
    assert (tier[-1] == f"{found.memory_gb:.0f}gb") if found.memory_gb else tier == ["starter"]


def test_every_method_has_a_preset_and_every_starter_preset_could_start(base: Path) -> None:
    assert {preset.settings["method"]["kind"] for preset in presets()} == set(registry())
    for name in STARTERS:
        assert load_spec(name, {"base.model": str(base)}).problems() == []


def test_all_starter_presets_can_stand_in_one_comparison() -> None:
    from studio.compare.members import differences
    from studio.section import SHARED

    apart = differences([load_spec(name) for name in STARTERS])
    assert {key: values for key, values in apart.items() if key.startswith(SHARED)} == {}
    assert {load_spec(name).method.kind for name in STARTERS} == set(registry())
