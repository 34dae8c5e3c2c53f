from __future__ import annotations

import pytest

from studio import errors


def tree(cls: type) -> list[type]:
    return [cls, *(found for child in cls.__subclasses__() for found in tree(child))]


@pytest.mark.parametrize("cls", tree(errors.CrucibleError))
def test_every_error_is_drawn_in_the_tree_and_has_the_exit_code_of_its_branch(cls: type[errors.CrucibleError]) -> None:
    assert cls.__name__ in (errors.__doc__ or "")
    assert cls.exit_code == (2 if issubclass(cls, errors.UserError) else 1)
