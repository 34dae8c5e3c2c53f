"""What the code's shape promises, each promise by itself: walls around libraries, sizes, names, first lines."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "studio").rglob("*.py"))
FILE_ROOMS = ("studio/formats/", "studio/data/cache.py", "studio/engine/checkpoint.py")
WALLS = {
    "gradio": ("studio/ui/",),
    "accelerate": ("studio/engine/machine.py",),
    "torch.cuda": ("studio/hardware.py",),
    "torch.backends": ("studio/hardware.py",),
    "safetensors": FILE_ROOMS,
    "torch.save": FILE_ROOMS,
    "torch.load": FILE_ROOMS,
}
DRAWERS = {"utils", "util", "common", "helpers", "helper", "manager", "misc", "shared"}
FAMILY_QUESTION = re.compile(r"_?is_(sd|sd1|sd15|sd2|sd3|sdxl|xl|flux)(_\w+)?", re.IGNORECASE)


def place(module: Path) -> str:
    return module.relative_to(ROOT).as_posix()


def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def names_in(tree: ast.Module) -> Iterator[str]:
    """Everything a module reaches of other packages: what it imports and the dotted names it writes, spelt in full."""
    full = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                full[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
                yield alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                full[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            head, _, rest = ast.unparse(node).partition(".")
            if head in full:
                yield f"{full[head]}.{rest}"


def identifiers(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        for field in ("id", "attr", "name", "arg"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                yield value


@pytest.mark.parametrize("behind", WALLS)
def test_walls(behind: str) -> None:
    through = {
        place(module)
        for module in MODULES
        if not place(module).startswith(WALLS[behind])
        for name in names_in(tree_of(module))
        if f"{name}.".startswith(f"{behind}.")
    }
    assert not through, f"{behind} belongs to {', '.join(WALLS[behind])}"


def test_the_walls_see_every_way_through() -> None:
    source = "import torch as t, safetensors.torch\nfrom torch import cuda\n\ndef f():\n    t.load(cuda.synchronize())"
    assert {"safetensors.torch", "torch.cuda", "torch.load", "torch.cuda.synchronize"} <= set(
        names_in(ast.parse(source))
    )


@pytest.mark.parametrize("module", MODULES, ids=place)
def test_a_module_is_short_well_named_and_says_what_it_is(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 300
    assert not DRAWERS & set(module.relative_to(ROOT).with_suffix("").parts)
    assert ast.get_docstring(tree_of(module)), "the first line of a module says what it alone knows"


def test_nobody_asks_for_a_family_by_name() -> None:
    rooms = ("studio/families/", "studio/formats/names.py")
    asked = {
        f"{place(module)}: {name}"
        for module in MODULES
        if not place(module).startswith(rooms)
        for name in identifiers(tree_of(module))
        if FAMILY_QUESTION.fullmatch(name)
    }
    assert not asked
