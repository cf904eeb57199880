"""What the pages share on which operators enter for sites: reading forms, and who may."""

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote

from aiohttp import web
from markupsafe import Markup
from pydantic import BaseModel, ValidationError

from bridgemgr.errors import BridgemgrError, Forbidden, Malformed
from bridgemgr.principal import Principal
from bridgemgr.readiness.service import ConferenceHead
from bridgemgr.screen.language import N_, Reader
from bridgemgr.text import check_code
from bridgemgr.web import Call
from bridgemgr.web.model import refuse

ModelT = TypeVar("ModelT", bound=BaseModel)

UNKNOWN = N_("It is not known whether this was stored. Send the form again: nothing is stored twice.")

# What is said of a check-in that is not simply accepted, by the rooms below in their own English.
_SAID: Mapping[str, str] = {
    text: text
    for text in (
        N_("The conference is still a draft."),
        N_("The conference is cancelled."),
        N_("The conference is closed. Reopen it first, or send a correct or a void with its reason."),
        N_("observed_at lies in the future."),
        N_("A dismissal needs a reason: the site reads it."),
    )
}


def read_form(body: bytes, most: int = 40) -> dict[str, str]:
    """The fields of a form that were filled in.

    Args:
        most: fields at most, the empty ones too.

    Raises:
        Malformed: it is no form, has more fields, or holds a NUL, which nobody types and PostgreSQL does not take.
    """
    try:
        parsed = parse_qs(body.decode(), max_num_fields=most)
        if b"%00" in body or b"\0" in body:
            raise ValueError(body)
    except ValueError:
        raise Malformed("This form cannot be read. Open the page again and send it once more.") from None
    return {name: values[-1] for name, values in parsed.items()}


def checked(model: type[ModelT], values: Mapping[str, Any]) -> ModelT:
    """An instance of the model; Invalid names every value that does not fit."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refuse(error, "form") from None


def may_enter(principal: Principal, head: ConferenceHead) -> bool:
    """Whether the reader is an operator of an office that holds the conference."""
    return any(principal.allow("operator", office) for office in (head.office, *head.co_offices))


def require_entering(principal: Principal, head: ConferenceHead) -> None:
    """Raise Forbidden unless ``may_enter``."""
    if not may_enter(principal, head):
        raise Forbidden(f"This needs the role operator for an office that holds {head.code}.")


def safe_code(call: Call) -> str:
    """The conference's code in the address; Invalid where it can be none."""
    return check_code(call.path["code"], "The code in the address")


def to(*steps: str, query: str = "") -> web.Response:
    """Send the reader on, by GET, to the page with these steps in its path."""
    path = "/" + "/".join(quote(step, safe="") for step in steps)
    return web.Response(status=303, headers={"Location": path + (f"?{query}" if query else "")})


def said(reader: Reader, error: BridgemgrError | str | None) -> Markup:
    """A verdict's note or an error in the reader's language where it is known; else in its own English."""
    text = error.message if isinstance(error, BridgemgrError) else error or ""
    if text in _SAID:
        return reader.say(text)
    return Markup('<bdi lang="en">{}</bdi>').format(text)
