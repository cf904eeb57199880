"""What belongs to nobody's office needs the role for every office."""

import pytest

from bridgemgr.errors import Forbidden
from bridgemgr.principal import Grant, Principal


def test_a_role_for_every_office_is_not_made_of_roles_for_some() -> None:
    some = Principal("user", "user:an", (Grant("admin", "party"), Grant("admin", "council"), Grant("viewer")))
    with pytest.raises(Forbidden, match="admin for every office"):
        some.require_everywhere("admin")
    some.require_everywhere("viewer")
    Principal("user", "user:binh", (Grant("admin"),)).require_everywhere("operator")
