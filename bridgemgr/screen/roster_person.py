"""One person of a roster: change, remove, erase the name."""

from aiohttp import web

from bridgemgr.attendance.rosters import Rosters
from bridgemgr.attendance.rosters_model import DelegateIn, DelegateOut, EraseIn, RosterView, no_delegate, number_in
from bridgemgr.errors import BridgemgrError, Forbidden, NotFound
from bridgemgr.screen import roster_form as form
from bridgemgr.screen.entry_form import checked, read_form
from bridgemgr.screen.render import Templates
from bridgemgr.screen.roster_pages import PATH, address
from bridgemgr.web import Call, Page


class PersonPages:
    """GET and POST /conferences/{code}/bridges/{site}/roster/{number}, for operators."""

    def __init__(self, rosters: Rosters, templates: Templates) -> None:
        self._rosters = rosters
        self._templates = templates

    def pages(self) -> list[Page]:
        """The routes."""
        return [Page("GET", f"{PATH}/{{number}}", self.show), Page("POST", f"{PATH}/{{number}}", self.change)]

    async def show(self, call: Call) -> web.StreamResponse:
        """The forms, as the roster has the person."""
        view, person = await self._find(call)
        given = {"name": person.name, "title": person.title, "reason": ""}
        return self._page(call, view, person, given)

    async def change(self, call: Call) -> web.StreamResponse:
        """Save, remove or erase, and back to the roster."""
        view, person = await self._find(call)
        fields = read_form(call.body)
        given = {name: fields.get(name, "") for name in ("name", "title", "reason")}
        wanted = fields.get("do", "save")
        told = ""
        try:
            if wanted == "remove":
                await self._rosters.remove(call.principal, view.conference, view.site, person.number)
                told = f"?removed={person.number}"
            elif wanted == "erase":
                values = {"site": view.site, "numbers": [person.number], "reason": given["reason"].strip()}
                await self._rosters.erase(call.principal, view.conference, checked(EraseIn, values))
            else:
                item = checked(DelegateIn, {"name": given["name"], "title": given["title"]})
                await self._rosters.save(call.principal, view.conference, view.site, person.number, item)
        except (Forbidden, NotFound):
            raise
        except BridgemgrError as error:
            return self._page(call, view, person, given, error)
        return web.Response(status=303, headers={"Location": f"{address(view)}{told}#n{person.number}"})

    async def _find(self, call: Call) -> tuple[RosterView, DelegateOut]:
        number = number_in(call.path["number"])
        view = await self._rosters.of_bridge(call.principal, call.path["code"], call.path["site"], limit=0)
        if not view.holds:
            raise Forbidden("This needs the role operator for an office that holds the conference.")
        after = f"{view.site} {number - 1}"
        found = await self._rosters.page(call.principal, view.conference, after, 1, site=view.site)
        if not found or found[0].number != number:
            raise no_delegate(view.site, number)
        return view, found[0]

    def _page(
        self,
        call: Call,
        view: RosterView,
        person: DelegateOut,
        given: dict[str, str],
        error: BridgemgrError | None = None,
    ) -> web.StreamResponse:
        reader = self._templates.reader(call.request).within(view.time_zone)
        return self._templates.page(
            call.request,
            "roster_person.html",
            reader,
            status=error.http_status if error else 200,
            view=view,
            person=person,
            given=given,
            problem=form.problem(reader, error) if error else None,
            back=address(view),
        )
