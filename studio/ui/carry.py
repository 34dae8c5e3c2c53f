"""The only file that changes the draft as a whole: by pasted text, another trainer's file, a preset made of it."""

from pathlib import Path
from typing import Any

from studio.errors import SpecError
from studio.ui.desk import Desk
from studio.ui.draft import Draft
from studio.ui.offers import Offer, usual


def offered(desk: Desk, draft: Draft) -> list[Offer]:
    """The methods of the draft that its base can train; raises ModelError."""
    every = desk.offers(desk.about(draft.base))
    picked = usual(every) if draft.picked is None else draft.picked
    return [offer for offer in every if offer.look.kind in picked and not offer.reason]


def sheet(desk: Desk, draft: Draft, offer: Offer) -> Any:
    """What the draft makes of one method; a preset that is gone gives way to the usual one."""
    from studio.own_presets import any_preset
    from studio.ui import setup

    kind = offer.look.kind
    try:
        chosen = any_preset(draft.presets.get(kind) or offer.preset, desk.outputs)
    except SpecError:
        chosen = any_preset(offer.preset, desk.outputs)
    return setup.sheet(draft, kind, chosen)


def text(desk: Desk, toml: str) -> str:
    """Let the draft be what a whole run's TOML says; returns the method. Raises SpecError."""
    from studio.spec import spec_from_toml
    from studio.ui import setup

    spec = spec_from_toml(toml, "The text")
    kind = spec.method.kind

    def taken(draft: Draft) -> Draft:
        draft = _picking(desk, draft.moved(base=spec.base.model), kind)
        return setup.taken_over(draft, kind, sheet(desk, draft, _of(desk, draft, kind)).preset, spec)

    desk.drafts.edit(taken)
    return kind


def preset(desk: Desk, kind: str, name: str) -> str:
    """Make a preset of the user's own of one method's settings, and use it; returns its name. Raises SpecError."""
    from studio.own_presets import keep
    from studio.ui import setup

    draft = desk.drafts.read()
    of = sheet(desk, draft, _of(desk, draft, kind))
    if not of.ready:
        raise SpecError("Something in the form cannot be; mend what is marked red first.")
    made = keep(desk.outputs, name, setup.own_settings(of))
    desk.drafts.edit(lambda draft: draft.without(kind).taking(kind, made.name))
    return made.name


def file(desk: Desk, path: Path) -> Any:
    """Take over another trainer's settings as far as they correspond; returns what did and what did not."""
    from studio import foreign

    found = foreign.read(path)

    def taken(draft: Draft) -> Draft:
        draft = _picking(desk, draft, found.kind).without_own(found.kind)
        _of(desk, draft, found.kind)
        for key, value in found.settings.items():
            draft = draft.with_value(found.kind, key, value)
        return draft

    desk.drafts.edit(taken)
    return found


def _picking(desk: Desk, draft: Draft, kind: str) -> Draft:
    picked = [offer.look.kind for offer in offered(desk, draft)]
    return draft.moved(picked=tuple(dict.fromkeys([*picked, kind])))


def _of(desk: Desk, draft: Draft, kind: str) -> Offer:
    if not kind:
        raise SpecError("No method is picked; pick at least one.")
    desk.looks.begin()
    desk.looks.ready.wait()  # whoever was quicker than the methods came in waits for them
    found = next((offer for offer in offered(desk, draft) if offer.look.kind == kind), None)
    if found is None:
        raise SpecError(f"{desk.looks.of(kind).title} cannot train this base model; choose another method or base.")
    return found
