"""The pages on which operators enter for sites, put together: telephone, paper, who came uninvited, sheets."""

from bridgemgr.attendance.service import CheckIns
from bridgemgr.conferences.invitations import Invitations
from bridgemgr.readiness.service import Readiness
from bridgemgr.screen.entry_held import HeldPages
from bridgemgr.screen.entry_paper import PaperPages
from bridgemgr.screen.entry_phone import PhonePages
from bridgemgr.screen.render import Templates
from bridgemgr.screen.sheets import SheetPages
from bridgemgr.web import Page


def entry_pages(
    check_ins: CheckIns, invitations: Invitations, readiness: Readiness, templates: Templates
) -> list[Page]:
    """The routes of all of them."""
    return [
        *SheetPages(invitations, readiness, templates).pages(),
        *PhonePages(check_ins, invitations, readiness, templates).pages(),
        *PaperPages(check_ins, readiness, templates).pages(),
        *HeldPages(check_ins, readiness, templates).pages(),
    ]
