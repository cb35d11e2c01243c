"""Says in a record's chatter what the app changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .work import CREATED, Work

# those that Odoo shows in a chatter as old and new value
_SHOWN = {"boolean", "char", "date", "datetime", "float", "integer", "many2one", "monetary", "selection", "text"}


def leave_trail(model: Any, works: Iterable[Work]) -> None:
    """Leave one message per changed record: field, old value, new value. It notifies nobody and adds no follower."""
    changed = [(work.record, fields) for work in works if (fields := _changed(work))]
    if not changed or "message_ids" not in model._fields:
        return
    env = model.env
    labels = model.fields_get({name for _record, fields in changed for name in fields})
    author = (env.ref("comply360_bridge.user_bridge", raise_if_not_found=False) or env.user).partner_id
    # plain creation in one go: nothing follows from a note that notifies nobody, and nothing links it yet
    messages = env["mail.message"].with_context(comply360_created=CREATED).create([_note(env, author, record) for record, _fields in changed])
    tracking = env["mail.tracking.value"]
    tracking.create(
        [
            {
                **tracking._create_tracking_values(former, record[name], name, labels[name], record),
                "mail_message_id": message.id,
            }
            for message, (record, fields) in zip(messages, changed, strict=True)
            for name, former in fields.items()
        ]
    )


def _changed(work: Work) -> dict[str, Any]:
    """The former values of what is another value now, by field."""
    fields = work.record._fields
    return {
        name: former
        for name, former in work.former.items()
        if fields[name].type in _SHOWN and work.record[name] != former
    }


def _note(env: Any, author: Any, record: Any) -> dict[str, Any]:
    return {
        "model": record._name,
        "res_id": record.id,
        "author_id": author.id,
        "email_from": author.email_formatted or author.name,
        "reply_to": "",
        "message_type": "notification",
        "subtype_id": env["ir.model.data"]._xmlid_to_res_id("mail.mt_note"),
        "is_internal": True,
    }
