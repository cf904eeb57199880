"""What OpenAPI says of the patches."""

import pytest
from pydantic import BaseModel

from bridgemgr.conferences.bridge_model import BridgePatch
from bridgemgr.conferences.model import ConferencePatch
from bridgemgr.registry.equipment_model import EndpointPatch
from bridgemgr.registry.model import SitePatch


@pytest.mark.parametrize("patch", [SitePatch, EndpointPatch, ConferencePatch, BridgePatch])
def test_a_patch_has_no_defaults_and_needs_nothing(patch: type[BaseModel]) -> None:
    schema = patch.model_json_schema()
    assert "required" not in schema
    assert not [name for name, field in schema["properties"].items() if "default" in field]
    assert patch.model_validate_json("{}").model_dump(exclude_unset=True) == {}
