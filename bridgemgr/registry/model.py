"""What the registry takes in and gives out, and its rules. Pure: ``now`` comes in, nothing goes out."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from bridgemgr.accounts.model import TimeZone
from bridgemgr.errors import Forbidden, Invalid, Problem
from bridgemgr.principal import Principal
from bridgemgr.text import AreaPath, Code, Email, Name, Note, Phone, fit
from bridgemgr.web import Base
from bridgemgr.web.model import ListQuery, refuse

MAX_CONTACTS = 5
MAX_ENDPOINTS = 50  # of one site; a site has a codec, a router and a line or two

CheckTarget = Callable[[str], str]  # the canonical text of a target, or Invalid

Line = Annotated[str, AfterValidator(partial(fit, max_length=200))]
Kind = Annotated[Name, Field(max_length=50)]
Target = Annotated[str, Field(min_length=1, max_length=255, description="URI, e.g. sip:codec@10.1.2.3")]


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


# A field that a patch leaves out stays as it is, so OpenAPI must not tell of a default.
PATCH = ConfigDict(json_schema_extra=_without_defaults)


def _none_if_blank(value: object) -> object:
    return None if value == "" else value


class Contact(Base):
    """Somebody to call at a site."""

    name: Annotated[Name | None, BeforeValidator(_none_if_blank)] = None
    phone: Annotated[Phone | None, BeforeValidator(_none_if_blank)] = None
    email: Annotated[Email | None, BeforeValidator(_none_if_blank)] = None


class AreaIn(Base):
    """The name of an area's last step."""

    name: Name


class AreaNew(AreaIn):
    """An area with its path."""

    path: AreaPath


class AreaOut(Base):
    """An area as it stands."""

    path: str
    name: str


class SiteIn(Base):
    """A site, created or replaced.

    Attributes:
        area: the path of an area that exists.
        parent: the code of the site that is its uplink.
        office: who edits it; may be left out by those who work for one office alone.
        time_zone: None means that of the office that holds the conference.
        contacts: whom to call, in this order.
        observable: whether it has anything that can be probed.
        successor: the site that took its place when it was abolished or merged.
        endpoints: the targets to probe; None leaves them as they are.
    """

    name: Name
    kind: Kind = "site"
    area: AreaPath | None = None
    parent: Code | None = None
    office: Code | None = None
    time_zone: TimeZone | None = None
    contacts: Annotated[list[Contact], Field(max_length=MAX_CONTACTS, default_factory=list)]
    observable: bool = True
    valid_from: date | None = None
    valid_to: date | None = None
    successor: Code | None = None
    endpoints: Annotated[list[Target], Field(max_length=MAX_ENDPOINTS)] | None = None

    @field_validator("contacts")
    @classmethod
    def _reachable(cls, contacts: list[Contact]) -> list[Contact]:
        if any(contact == Contact() for contact in contacts):
            raise ValueError("holds a contact without name, phone and email: leave it out")
        return contacts

    @field_validator("valid_to")
    @classmethod
    def _not_before_it_began(cls, valid_to: date | None, info: ValidationInfo) -> date | None:
        valid_from = info.data.get("valid_from")
        if valid_to and valid_from and valid_to < valid_from:
            raise ValueError(f"must not lie before valid_from, {valid_from}")
        return valid_to


class SiteNew(SiteIn):
    """A site with its code."""

    code: Code


class SitePatch(SiteIn):
    """What is to change of a site; fields left out stay as they are."""

    model_config = PATCH

    name: Name = ""


class SiteOut(Base):
    """A site as it stands; fields as in SiteIn."""

    code: str
    name: str
    kind: str
    area: str | None
    parent: str | None
    office: str | None
    time_zone: str | None
    contacts: list[Contact]
    observable: bool
    valid_from: date | None
    valid_to: date | None
    successor: str | None
    endpoints: list[str]
    version: int


class SiteQuery(ListQuery):
    """Which sites to list."""

    q: Annotated[Note, Field(max_length=200, description="part of a name or code; accents do not matter")] = ""
    area: Annotated[AreaPath | None, Field(description="this area and those below it")] = None
    kind: Kind | None = None


def wrong(field: str, message: str) -> Invalid:
    """The error for one field of a body that only the database could judge."""
    problem = Problem(f"body.{field}", message)
    return Invalid(f"{problem}.", problems=[problem])


def check(problems: Sequence[Problem]) -> None:
    """Raise Invalid that names every problem, if there is any."""
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise Invalid(f"{problems[0]}{more}.", problems=problems)


def unknown(field: str, noun: str, code: str) -> Problem:
    """The problem of a field that names something which is not there."""
    return Problem(f"body.{field}", f"there is no {noun} {code}")


def own_office(principal: Principal, doing: str) -> str | None:
    """The office meant by somebody who names none: their only one.

    Args:
        doing: what the office does here, such as ``keeps the site``.

    Returns:
        Its code; None for administrators of every office.

    Raises:
        Invalid: they work for several offices, or for all without administering them.
    """
    mine = principal.offices("operator")
    if mine is not None and len(mine) == 1:
        return next(iter(mine))
    if principal.offices("admin") is None:
        return None
    raise wrong("office", f"is required: name the one of your offices that {doing}")


def require_editor(principal: Principal, office: str | None) -> None:
    """Raise Forbidden unless the asker may edit what this office keeps (None: what no office keeps)."""
    if office is not None:
        principal.require("operator", office)
    elif principal.offices("admin") is not None:
        raise Forbidden("No office keeps this, so only administrators of every office may change it.")


def merge(before: SiteOut, patch: SitePatch) -> SiteNew:
    """The whole site that a patch asks for; Invalid when the fields do not fit together."""
    kept = before.model_dump(exclude={"version", "endpoints"})
    try:
        return SiteNew.model_validate(kept | patch.model_dump(exclude_unset=True))
    except ValidationError as error:
        raise refuse(error) from None


def for_audit(item: SiteNew, before: SiteOut | None) -> dict[str, Any]:
    """The fields that change, with their new values.

    Of contacts only how many: the trail cannot be deleted, and people's numbers must not outlive their office.
    """
    old: Mapping[str, Any] = before.model_dump() if before else {}
    left_alone = {"code"} if item.endpoints is not None else {"code", "endpoints"}
    new = item.model_dump(exclude=left_alone)
    changed = {field: value for field, value in new.items() if value != old.get(field)}
    if "contacts" in changed:
        changed["contacts"] = len(item.contacts)
    return changed


def with_parents(path: str, name: str) -> list[tuple[str, str]]:
    """An area and those above it, the highest first, as (path, name); a parent is called as its last step."""
    steps = path.split("/")
    parents = [("/".join(steps[:depth]), steps[depth - 1]) for depth in range(1, len(steps))]
    return [*parents, (path, name)]


def canonical(targets: Sequence[str], check_target: CheckTarget) -> list[str]:
    """Targets as they are stored, each once; Invalid names every one that is none."""
    found: dict[str, None] = {}  # a set that keeps its order
    problems = []
    for index, target in enumerate(targets):
        try:
            found[check_target(target)] = None
        except Invalid as error:
            problems.append(Problem(f"body.endpoints[{index}]", error.message.rstrip(".")))
    check(problems)
    return list(found)
