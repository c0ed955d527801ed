"""What goes with a message beside its invoices' PDFs: the files its template names, the RIB."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from relance.accounts.models import Organisation
from relance.dunning.models import Template
from relance.outbox import own_files
from relance.outbox.models import Message, OwnFile

StepKey = tuple[int, int]
"""Plan and level."""


class Enclosed(NamedTuple):
    """What the template of a level asks for."""

    files: tuple[OwnFile, ...] = ()
    with_rib: bool = False

    def names(self, organisation: Organisation) -> list[str]:
        """What the customer will find, before anything is made; no RIB without an IBAN."""
        rib = [own_files.RIB_NAME] if self.with_rib and organisation.iban else []
        return [*(one.name for one in self.files), *rib]


NOTHING = Enclosed()


def of_template(template: Template) -> Enclosed:
    """What the messages of this template take along."""
    files = template.files.filter(retired_at=None).order_by("name", "pk")
    return Enclosed(tuple(files), template.with_rib)


def of_message(message: Message) -> Enclosed:
    """What a message called back took along, to be ticked again."""
    kept = OwnFile.objects.filter(
        organisation_id=message.organisation_id, file__in=message.files.values("file")
    )
    return Enclosed(
        tuple(kept.filter(made_from="", retired_at=None).order_by("name", "pk")),
        kept.exclude(made_from="").exists(),
    )


def read(templates: Mapping[StepKey, tuple[int, bool]]) -> dict[StepKey, Enclosed]:
    """For each level, from its template's id and whether that takes the RIB; one query."""
    links = Template.files.through.objects.filter(
        template_id__in={pk for pk, _rib in templates.values()}, ownfile__retired_at=None
    ).select_related("ownfile")
    files: dict[int, list[OwnFile]] = {}
    for link in links.order_by("ownfile__name", "ownfile_id") if templates else []:
        files.setdefault(link.template_id, []).append(link.ownfile)
    return {
        step: Enclosed(tuple(files.get(pk, ())), rib)
        for step, (pk, rib) in templates.items()
        if rib or pk in files
    }


def given(
    organisation: Organisation, enclosed: Mapping[StepKey, Enclosed], *, now: datetime
) -> dict[StepKey, tuple[OwnFile, ...]]:
    """The files themselves; the RIB is made once for all, and left out without an IBAN."""
    rib = None
    if any(one.with_rib for one in enclosed.values()):
        rib = own_files.rib_of(organisation, now=now)
    return {
        step: (*one.files, *((rib,) if rib and one.with_rib else ()))
        for step, one in enclosed.items()
    }


def files_of(
    organisation: Organisation, enclosed: Enclosed, *, now: datetime
) -> tuple[OwnFile, ...]:
    """The files of one message that belongs to no level, its RIB made if it takes one."""
    return given(organisation, {(0, 0): enclosed}, now=now)[0, 0]
