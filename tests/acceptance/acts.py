"""What people do in Odoo on an ordinary day, and the app beside them; each act may be refused."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from typing import Any

from tests.acceptance.agencies import CURRENCIES, EMAIL, Found, World

Act = Callable[[World, Random], None]
SALES, INVOICES, BOOKS = "salesperson", "invoicer", "accountant"
DAY = "2026-11-02"
_CLIENT = "(SELECT id FROM {t}.clients ORDER BY id OFFSET %s LIMIT 1)"
TYPED = ("name", "phone", "street", "city", "contact_name", "partner_name", "function", "website", "description")


def _some(luck: Random, found: Sequence[Found], most: int = 3) -> list[Found]:
    return luck.sample(list(found), min(len(found), luck.randint(1, most)))


# -- leads ---------------------------------------------------------------------------------------------------------


def writes_to_whom_odoo_suggests(world: World, luck: Random) -> None:
    lead = luck.choice(world.records("crm.lead"))
    found = world.asks(SALES, "/mail/thread/recipients", thread_model="crm.lead", thread_id=lead.id)
    ids = [recipient["id"] for recipient in found] if isinstance(found, list) else []
    post = {"body": f"<p>{world.word(luck, lead.tenant)}</p>", "partner_ids": ids, "partner_emails": [EMAIL]}
    world.asks(SALES, "/mail/message/post", thread_model="crm.lead", thread_id=lead.id, post_data=post)


def writes_in_the_composer(world: World, luck: Random) -> None:
    lead, partner = luck.choice(world.records("crm.lead")), luck.choice(world.partners())
    values = {
        "model": "crm.lead",
        "res_ids": repr([lead.id]),
        "composition_mode": "comment",
        "body": world.word(luck, lead.tenant),
        "partner_ids": [[6, 0, [partner.id]]],
    }
    if made := world.does(SALES, "mail.compose.message", "create", [values]):
        world.does(SALES, "mail.compose.message", "action_send_mail", made)


def types_into_a_lead(world: World, luck: Random) -> None:
    lead, name = luck.choice(world.records("crm.lead")), luck.choice(TYPED)
    world.does(SALES, "crm.lead", "write", [lead.id], {name: world.word(luck, lead.tenant)})


def gives_leads_an_email(world: World, luck: Random) -> None:
    leads = _some(luck, world.leads())
    world.does(SALES, "crm.lead", "write", [lead.id for lead in leads], {"email_from": EMAIL})


def gives_leads_a_partner(world: World, luck: Random) -> None:
    leads, partner = _some(luck, world.leads()), luck.choice(world.partners())
    world.does(SALES, "crm.lead", "write", [lead.id for lead in leads], {"partner_id": partner.id})


def takes_a_leads_partner_away(world: World, luck: Random) -> None:
    lead = luck.choice(world.records("crm.lead"))
    world.does(SALES, "crm.lead", "write", [lead.id], {"partner_id": False})


def imports_leads(world: World, luck: Random) -> None:
    rows = [
        [str(lead.id), str(luck.choice(world.partners()).id), world.word(luck, lead.tenant)]
        for lead in _some(luck, world.records("crm.lead"))
    ]
    world.does(SALES, "crm.lead", "load", [".id", "partner_id/.id", "function"], rows)


def imports_a_new_lead(world: World, luck: Random) -> None:
    tenant = luck.choice(world.tenants)
    [number] = world.odoo("SELECT id FROM comply360_tenant WHERE uuid = %s", [tenant])[0]
    names = ["name", "email_from", "x_comply360_tenant_id/.id", "partner_id/.id"]
    row = [world.word(luck, tenant), EMAIL, str(number), str(luck.choice(world.partners()).id)]
    world.does(SALES, "crm.lead", "load", names, [row])


def makes_a_lead_in_a_tenants_context(world: World, luck: Random) -> None:
    tenant = luck.choice(world.tenants)
    [number] = world.odoo("SELECT id FROM comply360_tenant WHERE uuid = %s", [tenant])[0]
    values = {"name": world.word(luck, tenant), "email_from": EMAIL}
    context = {"default_x_comply360_tenant_id": number, "default_partner_id": luck.choice(world.partners()).id}
    world.does(SALES, "crm.lead", "create", [values], context=context)


def copies_a_lead(world: World, luck: Random) -> None:
    lead = luck.choice(world.records("crm.lead"))
    defaults = {"partner_id": luck.choice(world.partners()).id} if luck.random() < 0.5 else {}
    made = world.does(SALES, "crm.lead", "copy", [lead.id], defaults)
    world.plain_leads.extend(made if isinstance(made, list) else [made] if made else [])


def merges_leads(world: World, luck: Random) -> None:
    leads = _some(luck, world.leads())
    values = {"opportunity_ids": [[6, 0, [lead.id for lead in leads]]]}
    if made := world.does(SALES, "crm.merge.opportunity", "create", [values]):
        world.does(SALES, "crm.merge.opportunity", "action_merge", made)


def converts_a_lead(world: World, luck: Random) -> None:
    lead = luck.choice(world.leads())
    context = {"active_model": "crm.lead", "active_id": lead.id, "active_ids": [lead.id]}
    values: dict[str, Any] = {"lead_id": lead.id, "name": luck.choice(["convert", "merge"])}
    values["action"] = luck.choice(["create", "exist"])
    if luck.random() < 0.5:
        values["partner_id"] = luck.choice(world.partners()).id
    if made := world.does(SALES, "crm.lead2opportunity.partner", "create", [values], context=context):
        world.does(SALES, "crm.lead2opportunity.partner", "action_apply", made, context=context)


def converts_many_leads(world: World, luck: Random) -> None:
    ids = [lead.id for lead in _some(luck, world.leads())]
    context = {"active_model": "crm.lead", "active_id": ids[0], "active_ids": ids}
    values: dict[str, Any] = {"name": "convert", "action": luck.choice(["create", "exist", "each_exist_or_create"])}
    values["deduplicate"] = luck.random() < 0.5
    if made := world.does(SALES, "crm.lead2opportunity.partner.mass", "create", [values], context=context):
        world.does(SALES, "crm.lead2opportunity.partner.mass", "action_mass_convert", made, context=context)


def wins_or_loses(world: World, luck: Random) -> None:
    lead, method = luck.choice(world.records("crm.lead")), luck.choice(["action_set_won", "action_set_lost"])
    world.does(SALES, "crm.lead", method, [lead.id])


def lets_somebody_follow(world: World, luck: Random) -> None:
    model = luck.choice(["crm.lead", "res.partner", "account.move"])
    found = world.records(model)
    if found:
        partner = luck.choice(world.partners())
        world.does(SALES, model, "message_subscribe", [luck.choice(found).id], [partner.id])


def attaches_a_file(world: World, luck: Random) -> None:
    model = luck.choice(["crm.lead", "res.partner"])
    record = luck.choice(world.records(model))
    word = world.word(luck, record.tenant)
    values = {"name": f"{word}.txt", "datas": base64.b64encode(word.encode()).decode(), "mimetype": "text/plain"}
    world.does(SALES, "ir.attachment", "create", [{**values, "res_model": model, "res_id": record.id}])


def moves_a_file(world: World, luck: Random) -> None:
    rows = world.odoo(
        "SELECT a.id FROM ir_attachment a JOIN crm_lead l ON a.res_model = 'crm.lead' AND a.res_id = l.id"
        "  JOIN comply360_tenant t ON t.id = l.x_comply360_tenant_id WHERE t.uuid = ANY(%s) ORDER BY a.id",
        [world.tenants],
    )
    if rows:
        lead = luck.choice(world.records("crm.lead"))
        world.does(SALES, "ir.attachment", "write", [luck.choice(rows)[0]], {"res_id": lead.id})


def plans_an_activity(world: World, luck: Random) -> None:
    lead = luck.choice(world.records("crm.lead"))
    word = world.word(luck, lead.tenant)
    named = {"act_type_xmlid": "mail.mail_activity_data_todo", "summary": word, "note": word}
    world.does(SALES, "crm.lead", "activity_schedule", [lead.id], **named)


# -- contacts ------------------------------------------------------------------------------------------------------


def gives_a_partner_a_parent(world: World, luck: Random) -> None:
    partners, parent = _some(luck, world.partners()), luck.choice(world.partners())
    world.does(SALES, "res.partner", "write", [partner.id for partner in partners], {"parent_id": parent.id})


def takes_a_partners_parent_away(world: World, luck: Random) -> None:
    world.does(SALES, "res.partner", "write", [luck.choice(world.partners()).id], {"parent_id": False})


def types_into_a_partner(world: World, luck: Random) -> None:
    partner, name = luck.choice(world.partners()), luck.choice(("name", "phone", "street", "city", "zip", "comment"))
    world.does(SALES, "res.partner", "write", [partner.id], {name: world.word(luck, partner.tenant)})


def gives_partners_the_same_email(world: World, luck: Random) -> None:
    partners = _some(luck, world.partners())
    world.does(SALES, "res.partner", "write", [partner.id for partner in partners], {"email": EMAIL, "vat": False})


def merges_partners(world: World, luck: Random) -> None:
    partners = _some(luck, world.partners())
    ids = [partner.id for partner in partners]
    context = {"active_model": "res.partner", "active_ids": ids}
    values = {"partner_ids": [[6, 0, ids]], "dst_partner_id": ids[0], "state": "selection"}
    wizard = "base.partner.merge.automatic.wizard"
    if made := world.does("admin", wizard, "create", [values], context=context):
        world.does("admin", wizard, "action_merge", made, context=context)


def adds_a_contact(world: World, luck: Random) -> None:
    parent = luck.choice(world.partners())
    values = {
        "name": world.word(luck, parent.tenant),
        "parent_id": parent.id,
        "type": luck.choice(["contact", "invoice"]),
    }
    if made := world.does(SALES, "res.partner", "create", [values]):
        world.nobodys.extend(made if parent.tenant is None else [])


def copies_a_partner(world: World, luck: Random) -> None:
    defaults = {"parent_id": luck.choice(world.partners()).id} if luck.random() < 0.5 else {}
    world.does(SALES, "res.partner", "copy", [luck.choice(world.partners()).id], defaults)


def imports_partners(world: World, luck: Random) -> None:
    rows = [
        [str(partner.id), str(luck.choice(world.partners()).id), world.word(luck, partner.tenant)]
        for partner in _some(luck, world.partners())
    ]
    world.does(SALES, "res.partner", "load", [".id", "parent_id/.id", "function"], rows)


def imports_external_ids(world: World, luck: Random) -> None:
    partner, other = luck.choice(world.partners()), luck.choice(world.partners())
    identity = world.odoo("SELECT x_comply360_external_id FROM res_partner WHERE id = %s", [other.id])
    rows = [[str(partner.id), (identity and identity[0][0]) or ""]]
    world.does(SALES, "res.partner", "load", [".id", "x_comply360_external_id"], rows)


def moves_to_a_company(world: World, luck: Random) -> None:
    partner = luck.choice(world.partners())
    [(company,)] = world.odoo("SELECT min(id) FROM res_company")
    world.does(SALES, "res.partner", "write", [partner.id], {"company_id": luck.choice([False, company])})


def makes_its_company(world: World, luck: Random) -> None:
    partner = luck.choice(world.partners())
    if world.does(SALES, "res.partner", "write", [partner.id], {"company_name": world.word(luck, partner.tenant)}):
        world.does(SALES, "res.partner", "create_company", [partner.id])


# -- books ---------------------------------------------------------------------------------------------------------


def approves(world: World, luck: Random) -> None:
    found = _some(luck, world.records("x_commission"), 4)
    world.does(BOOKS, "x_commission", "action_approve_selected", [item.id for item in found])


def bills(world: World, luck: Random) -> None:
    found = _some(luck, world.records("x_commission"), 3)
    ids = [item.id for item in found]
    world.does(BOOKS, "x_commission", "action_approve_selected", ids)
    action = world.does(BOOKS, "x_commission", "action_create_bill", ids)
    if isinstance(action, dict) and action.get("res_id") and luck.random() < 0.8:
        world.does(BOOKS, "account.move", "action_post", [action["res_id"]])


def marks_as_paid(world: World, luck: Random) -> None:
    ids = [item.id for item in _some(luck, world.records("x_commission"), 2)]
    world.does(BOOKS, "x_commission", "action_approve_selected", ids)
    values = {"commission_ids": [[6, 0, ids]], "payment_reference": "CASH 1"}
    if made := world.does(BOOKS, "comply360.commission.payment", "create", [values]):
        world.does(BOOKS, "comply360.commission.payment", "action_confirm", made)


def cancels_or_resets_a_commission(world: World, luck: Random) -> None:
    who, method = luck.choice([(BOOKS, "action_cancel"), ("admin", "action_reset")])
    world.does(who, "x_commission", method, [luck.choice(world.records("x_commission")).id])


def _pay(world: World, luck: Random, found: Sequence[Found], share: float = 1.0, is_written_off: bool = False) -> None:
    if not found:
        return
    ids = [bill.id for bill in found]
    named = {"context": {"active_model": "account.move", "active_ids": ids}}
    values: dict[str, Any] = {"payment_date": DAY, "communication": f"EFT {luck.randrange(1000)}"}
    if share != 1.0:
        [(residual,)] = world.odoo("SELECT abs(amount_residual) FROM account_move WHERE id = %s", [ids[0]])
        values["amount"] = float((Decimal(residual) * Decimal(share)).quantize(Decimal("0.01")))
    if is_written_off:
        [(account,)] = world.odoo("SELECT min(id) FROM account_account WHERE account_type = 'expense'")
        values |= {"payment_difference_handling": "reconcile", "writeoff_account_id": account}
    if made := world.does(BOOKS, "account.payment.register", "create", [values], **named):
        world.does(BOOKS, "account.payment.register", "action_create_payments", made, **named)


def pays_bills(world: World, luck: Random) -> None:
    found = world.bills(state="posted", move_type="in_invoice")
    _pay(world, luck, _some(luck, found, 2) if found else ())


def pays_a_part(world: World, luck: Random) -> None:
    found = world.bills(state="posted", move_type="in_invoice")
    _pay(world, luck, [luck.choice(found)] if found else (), share=luck.choice([0.25, 0.5]))


def writes_a_part_off(world: World, luck: Random) -> None:
    found = world.bills(state="posted", move_type="in_invoice")
    _pay(world, luck, [luck.choice(found)] if found else (), share=0.6, is_written_off=True)


def credits_a_bill(world: World, luck: Random) -> None:
    found = world.bills(state="posted", move_type="in_invoice")
    if not found:
        return
    bill = luck.choice(found)
    named = {"context": {"active_model": "account.move", "active_ids": [bill.id]}}
    [(journal,)] = world.odoo("SELECT journal_id FROM account_move WHERE id = %s", [bill.id])
    values = {"date": DAY, "reason": "Returned", "journal_id": journal}
    if not (made := world.does(BOOKS, "account.move.reversal", "create", [values], **named)):
        return
    action = world.does(BOOKS, "account.move.reversal", luck.choice(["refund_moves", "modify_moves"]), made, **named)
    note = action.get("res_id") if isinstance(action, dict) else None
    if note and luck.random() < 0.7:
        _change_amount(world, luck, note)
        world.does(BOOKS, "account.move", "action_post", [note])


def posts_a_draft(world: World, luck: Random) -> None:
    found = [*world.bills(state="draft"), *world.records("account.move")]
    if found:
        world.does(BOOKS, "account.move", "action_post", [luck.choice(found).id])


def resets_a_bill(world: World, luck: Random) -> None:
    if found := world.bills(state="posted"):
        bill = luck.choice(found)
        world.does(BOOKS, "account.move", "button_draft", [bill.id])
        if luck.random() < 0.3:
            world.does(BOOKS, "account.move", "button_cancel", [bill.id])
        elif luck.random() < 0.5:
            world.does(BOOKS, "account.move", "action_post", [bill.id])


def changes_a_draft(world: World, luck: Random) -> None:
    if found := world.bills(state="draft"):
        bill = luck.choice(found)
        if luck.random() < 0.5:
            _change_amount(world, luck, bill.id)
        else:
            [(currency,)] = world.odoo("SELECT id FROM res_currency WHERE name = %s", [luck.choice(CURRENCIES)])
            world.does(BOOKS, "account.move", "write", [bill.id], {"currency_id": currency})


def _change_amount(world: World, luck: Random, move: int) -> None:
    rows = world.odoo(
        "SELECT id FROM account_move_line WHERE move_id = %s AND x_comply360_commission_id IS NOT NULL", [move]
    )
    if rows and luck.random() < 0.6:
        change = [[1, luck.choice(rows)[0], {"price_unit": float(luck.randrange(100, 5000)) / 100}]]
        world.does(BOOKS, "account.move", "write", [move], {"invoice_line_ids": change})


def takes_a_payment_back(world: World, luck: Random) -> None:
    found = world.bills(state="posted")
    if not found:
        return
    lines = world.odoo(
        "SELECT l.id FROM account_move_line l WHERE l.move_id = %s AND l.matching_number IS NOT NULL",
        [luck.choice(found).id],
    )
    if lines:
        world.does(BOOKS, "account.move.line", "remove_move_reconcile", [line for (line,) in lines])


def links_a_bill_of_its_own(world: World, luck: Random) -> None:
    commission, partner = luck.choice(world.records("x_commission")), luck.choice(world.partners())
    line = {"name": "Office chairs", "quantity": 1, "price_unit": 1.0, "x_comply360_commission_id": commission.id}
    values = {
        "move_type": "in_invoice",
        "partner_id": partner.id,
        "invoice_date": DAY,
        "invoice_line_ids": [[0, 0, line]],
    }
    if made := world.does(INVOICES, "account.move", "create", [values]):
        world.does(INVOICES, "account.move", "action_post", made)
        _pay(world, luck, [Found(made[0], None)])


def copies_a_move(world: World, luck: Random) -> None:
    if found := [*world.bills(), *world.records("account.move")]:
        world.does(BOOKS, "account.move", "copy", [luck.choice(found).id])


def invoices_a_lead(world: World, luck: Random) -> None:
    lead = luck.choice(world.records("crm.lead"))
    action = world.does(BOOKS, "crm.lead", "action_comply360_new_invoice", [lead.id])
    if not isinstance(action, dict):
        return
    line = {"name": world.word(luck, lead.tenant), "quantity": 1, "price_unit": 150.1, "tax_ids": [[6, 0, []]]}
    values: dict[str, Any] = {"invoice_date": DAY, "invoice_line_ids": [[0, 0, line]]}
    if luck.random() < 0.3:
        values["partner_id"] = luck.choice(world.partners()).id
    if (
        made := world.does(BOOKS, "account.move", "create", [values], context=action["context"])
    ) and luck.random() < 0.6:
        world.does(BOOKS, "account.move", "action_post", made)
        _pay(world, luck, [Found(made[0], lead.tenant)])


def gives_an_invoice_away(world: World, luck: Random) -> None:
    if found := world.records("account.move"):
        values = luck.choice(
            [
                {"partner_id": luck.choice(world.partners()).id},
                {"x_comply360_lead_id": luck.choice(world.records("crm.lead")).id},
            ]
        )
        world.does(INVOICES, "account.move", "write", [luck.choice(found).id], values)


# -- the app -------------------------------------------------------------------------------------------------------


def the_app_edits_a_client(world: World, luck: Random) -> None:
    tenant, column = luck.choice(world.tenants), luck.choice(["street_address", "city", "state_province", "mobile"])
    statement = f"UPDATE {{t}}.clients SET {column} = %s WHERE id = {_CLIENT}"
    world.run(tenant, statement, [world.word(luck, tenant), luck.randrange(3)])


def the_app_gives_a_client_the_same_number(world: World, luck: Random) -> None:
    tenant = luck.choice(world.tenants)
    statement = f"UPDATE {{t}}.clients SET tax_number = %s, email = %s WHERE id = {_CLIENT}"
    world.run(tenant, statement, [luck.choice(["4012345678", "9876543210"]), EMAIL, luck.randrange(3)])


def the_app_decides_a_registration(world: World, luck: Random) -> None:
    statement = """
        UPDATE {t}.registrations SET status = %s
         WHERE id = (SELECT id FROM {t}.registrations ORDER BY id OFFSET %s LIMIT 1)
    """
    status = luck.choice(["approved", "in_review", "cancelled", "rejected"])
    world.run(luck.choice(world.tenants), statement, [status, luck.randrange(5)])


def the_app_changes_a_commission(world: World, luck: Random) -> None:
    statement = """
        UPDATE {t}.commissions SET commission_amount = %s
         WHERE id = (SELECT id FROM {t}.commissions ORDER BY id OFFSET %s LIMIT 1) AND status <> 'paid'
    """
    amount = Decimal(luck.randrange(100, 99999)) / 100
    world.run(luck.choice(world.tenants), statement, [amount, luck.randrange(5)])


def the_app_cancels_a_commission(world: World, luck: Random) -> None:
    statement = """
        UPDATE {t}.commissions SET status = 'cancelled'
         WHERE id = (SELECT id FROM {t}.commissions ORDER BY id OFFSET %s LIMIT 1) AND status <> 'paid'
    """
    world.run(luck.choice(world.tenants), statement, [luck.randrange(5)])


ON_LEADS: Sequence[Act] = (
    writes_to_whom_odoo_suggests,
    writes_in_the_composer,
    types_into_a_lead,
    types_into_a_lead,
    gives_leads_an_email,
    gives_leads_a_partner,
    takes_a_leads_partner_away,
    imports_leads,
    imports_a_new_lead,
    makes_a_lead_in_a_tenants_context,
    copies_a_lead,
    merges_leads,
    converts_a_lead,
    converts_many_leads,
    wins_or_loses,
    lets_somebody_follow,
    attaches_a_file,
    moves_a_file,
    plans_an_activity,
)
ON_CONTACTS: Sequence[Act] = (
    gives_a_partner_a_parent,
    gives_a_partner_a_parent,
    takes_a_partners_parent_away,
    types_into_a_partner,
    types_into_a_partner,
    gives_partners_the_same_email,
    merges_partners,
    adds_a_contact,
    copies_a_partner,
    imports_partners,
    imports_external_ids,
    moves_to_a_company,
    makes_its_company,
)
ON_BOOKS: Sequence[Act] = (
    approves,
    bills,
    bills,
    marks_as_paid,
    cancels_or_resets_a_commission,
    pays_bills,
    pays_bills,
    pays_a_part,
    writes_a_part_off,
    credits_a_bill,
    posts_a_draft,
    resets_a_bill,
    changes_a_draft,
    takes_a_payment_back,
    links_a_bill_of_its_own,
    copies_a_move,
    invoices_a_lead,
    gives_an_invoice_away,
)
IN_THE_APP: Sequence[Act] = (
    the_app_edits_a_client,
    the_app_gives_a_client_the_same_number,
    the_app_decides_a_registration,
    the_app_changes_a_commission,
    the_app_cancels_a_commission,
)
OPENING: Sequence[Act] = (
    writes_to_whom_odoo_suggests,
    gives_a_partner_a_parent,
    merges_partners,
    bills,
    bills,
    pays_bills,
    writes_a_part_off,
    credits_a_bill,
)
"""What every example begins with."""
