"""Says in a record's chatter what the app changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from odoo.tools import SQL
from odoo.tools.mail import generate_tracking_message_id

from .work import Work

# those that Odoo shows in a chatter as old and new value
_SHOWN = {"boolean", "char", "date", "datetime", "float", "integer", "many2one", "monetary", "selection", "text"}


def leave_trail(model: Any, works: Iterable[Work]) -> None:
    """Leave one message per changed record: field, old value, new value. It notifies nobody and adds no follower."""
    changed = {work.record: fields for work in works if (fields := _changed(work))}
    if not changed or "message_ids" not in model._fields:
        return
    env = model.env
    labels = model.fields_get({name for fields in changed.values() for name in fields})
    messages = _notes(env, model._name, [record.id for record in changed])
    tracking = env["mail.tracking.value"]
    tracking.create(
        [
            {
                **tracking._create_tracking_values(former, record[name], name, labels[name], record),
                "mail_message_id": messages[record.id],
            }
            for record, fields in changed.items()
            for name, former in fields.items()
        ]
    )
    model.invalidate_model(["message_ids"], flush=False)


def _changed(work: Work) -> dict[str, Any]:
    """The former values of what is another value now, by field."""
    fields = work.record._fields
    return {
        name: former
        for name, former in work.former.items()
        if fields[name].type in _SHOWN and work.record[name] != former
    }


def _notes(env: Any, model: str, ids: list[int]) -> dict[int, int]:
    """A new message's id by record.

    They are rows and no more: a note without recipients and files has nothing that Odoo would send, check or compute,
    and its creation would cost more than the change itself.
    """
    author = (env.ref("comply360_bridge.user_bridge", raise_if_not_found=False) or env.user).partner_id
    rows = env.execute_query(
        SQL(
            """
            INSERT INTO mail_message
                   (message_id, model, res_id, body, author_id, email_from, message_type, subtype_id, is_internal,
                    date, create_uid, create_date, write_uid, write_date)
            SELECT k.name, %(model)s, k.id, '', %(author)s, %(sender)s, 'notification', %(subtype)s, TRUE,
                   now() AT TIME ZONE 'UTC', %(uid)s, now() AT TIME ZONE 'UTC', %(uid)s, now() AT TIME ZONE 'UTC'
              FROM unnest(%(names)s::text[], %(ids)s::int[]) AS k(name, id)
         RETURNING res_id, id
            """,
            model=model,
            author=author.id,
            sender=author.email_formatted or author.name,
            subtype=env["ir.model.data"]._xmlid_to_res_id("mail.mt_note"),
            uid=env.uid,
            names=[generate_tracking_message_id("comply360") for _id in ids],
            ids=ids,
        )
    )
    return dict(rows)
