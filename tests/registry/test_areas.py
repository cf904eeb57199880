"""Areas over HTTP."""

from tests.registry.house import House

AREAS = "/api/v1/areas"


async def test_parents_are_made_with_the_last_step_as_their_name(house: House) -> None:
    status, area = await house.ask("an", "PUT", f"{AREAS}/hanoi/ba-dinh/x05", {"name": "Phường Phúc Xá"})
    assert (status, area) == (201, {"path": "hanoi/ba-dinh/x05", "name": "Phường Phúc Xá"})
    _, listed = await house.ask("dung", "GET", AREAS)
    assert [(item["path"], item["name"]) for item in listed["items"]] == [
        ("hanoi", "hanoi"),
        ("hanoi/ba-dinh", "ba-dinh"),
        ("hanoi/ba-dinh/x05", "Phường Phúc Xá"),
    ]
    assert await house.ask("an", "PUT", f"{AREAS}/hanoi", {"name": "Hà Nội"}) == (
        200,
        {"path": "hanoi", "name": "Hà Nội"},
    )
    await house.ask("an", "POST", AREAS, {"path": "hanoi/ba-vi", "name": "Ba Vì"})
    assert (await house.ask("dung", "GET", f"{AREAS}/hanoi"))[1]["name"] == "Hà Nội"


async def test_post_refuses_a_path_that_is_there(house: House) -> None:
    assert (await house.ask("an", "POST", AREAS, {"path": "hanoi", "name": "Hà Nội"}))[0] == 201
    status, problem = await house.ask("an", "POST", AREAS, {"path": "hanoi", "name": "Hà Nội"})
    assert (status, problem["detail"]) == (409, "The area hanoi exists already.")


async def test_pages_are_followed_by_the_cursor(house: House) -> None:
    for path in ("b", "a", "a/x", "a-b"):
        await house.ask("an", "PUT", f"{AREAS}/{path}", {"name": path})
    seen, cursor = [], ""
    while cursor is not None:
        _, page = await house.ask("an", "GET", f"{AREAS}?limit=1{cursor and f'&cursor={cursor}'}")
        seen += [item["path"] for item in page["items"]]
        cursor = page["next"]
    assert seen == ["a", "a-b", "a/x", "b"]


async def test_only_an_empty_area_is_deleted(house: House) -> None:
    await house.ask("an", "PUT", f"{AREAS}/hanoi/q01", {"name": "Quận 1"})
    await house.ask("an", "POST", "/api/v1/sites", {"code": "s1", "name": "Site", "area": "hanoi/q01"})
    status, problem = await house.ask("an", "DELETE", f"{AREAS}/hanoi")
    assert (status, problem["detail"]) == (
        409,
        "The area hanoi/q01 lies in hanoi. Delete the areas below first.",
    )
    status, problem = await house.ask("an", "DELETE", f"{AREAS}/hanoi/q01")
    assert status == 409
    assert "Move them to another area first" in problem["detail"]
    await house.ask("an", "DELETE", "/api/v1/sites/s1")
    assert await house.ask("an", "DELETE", f"{AREAS}/hanoi/q01") == (204, None)
    assert (await house.ask("an", "DELETE", f"{AREAS}/hanoi/q01"))[0] == 404


async def test_a_viewer_reads_and_a_device_does_not(house: House) -> None:
    assert (await house.ask("dung", "PUT", f"{AREAS}/hanoi", {"name": "Hà Nội"}))[0] == 403
    assert (await house.ask("device", "GET", AREAS))[0] == 403


async def test_hostile_paths_and_names_are_refused(house: House) -> None:
    for path in ("HANOI", "a//b", "a/b/c/d/e/f/g/h/i", "%00", "a%00b", "..%2f", "x" * 300, "hà-nội"):
        status, problem = await house.ask("an", "PUT", f"{AREAS}/{path}", {"name": "x"})
        assert status in (400, 404, 422), path
        assert problem["detail"]
    for name in ("", " ", "a\0b", "a\x1bb", "x" * 201, 7, None):
        assert (await house.ask("an", "PUT", f"{AREAS}/hanoi", {"name": name}))[0] == 422
