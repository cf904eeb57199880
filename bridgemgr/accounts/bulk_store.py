"""What a table of offices is in the database."""

from bridgemgr.db.staging import Field, Incoming, Target

OFFICES = Target(
    table="offices",
    columns={
        "code": "text",
        "name": "text",
        "name_sort": "bytea",
        "timezone": "text",
        "contact": "text",
        "phone": "text",
    },
    key="coalesce(t.code, i.code)",
    keys=("code",),
    stored="offices t",
    match="lower(t.code) = lower(i.code)",
    conflict="lower(code)",
    fields=(
        Field("name", "t.name", {"name": "i.name", "name_sort": "i.name_sort"}),
        Field("timezone", "t.time_zone", {"time_zone": "i.timezone"}),
        Field("contact", "t.contact", {"contact": "i.contact"}),
        Field("phone", "t.phone", {"phone": "i.phone"}),
    ),
    once={"code": "i.code"},
    summary="i.name || ', ' || i.timezone",
)


async def refuse_others(incoming: Incoming, administered: frozenset[str] | None) -> None:
    """Refuse rows that would make or change an office that is none of these codes; None allows all."""
    if administered is not None:
        await incoming.refuse_all(
            f"SELECT DISTINCT line, key FROM {incoming.changes} WHERE key <> ALL($1::text[]) ORDER BY line",
            "code",
            "this needs the role admin for office {}",
            sorted(administered),
        )


async def refuse_given_to_others(incoming: Incoming, offices: frozenset[str] | None) -> None:
    """Refuse rows that would make something for, or give it to, an office that is none of these."""
    if offices is not None:
        await incoming.refuse_all(
            f"SELECT DISTINCT line, i.office FROM {incoming.changes} c JOIN {incoming.rows} i USING (line)"
            " WHERE (c.created OR c.field = 'office') AND i.office <> ALL($1::text[]) ORDER BY line",
            "office",
            "this needs the role operator for office {}",
            sorted(offices),
        )
