from odoo import api, models
from odoo.tools.misc import groupby

from ..mappers import Refused
from ..mappers.registration import UNDECIDED, Position, position

# with a partner, a lead shares its e-mail and phone: Odoo syncs them both ways
PARTNER_OWNED = {"email_from": "email", "phone": "phone"}
# a change of partner recomputes these although the registration owns them
PARTNER_COMPUTED = ("partner_name", "contact_name")


class CrmLead(models.Model):
    """How the app's documents set a lead's values, salesperson and place in the pipeline."""

    _inherit = "crm.lead"

    _comply360_is_bound_late = True
    _comply360_apart = frozenset({"active", "stage_id", "probability", "automated_probability", "lost_reason_id"})

    @api.model
    def _comply360_defaults(self, entity, tenant):
        company = tenant.company_id
        team = tenant._comply360_team()
        stages = tenant._comply360_stages(won=False, limit=2)
        stage = stages[:1]
        won_stage = tenant._comply360_stages(won=True)
        return {
            "created": {
                "type": "opportunity",
                "company_id": company.id,
                "team_id": team.id,
                "user_id": False,
                "priority": "0",
                "lang_id": False,
                "partner_id": False,
                "expected_revenue": 0.0,
                **self._comply360_no_enrichment(),
            },
            "company_id": company.id,
            Position.OPEN: self._comply360_open(team, stage),
            Position.REVIEW: self._comply360_open(team, stages[-1:]),
            Position.WON: {
                "active": True,
                "stage_id": won_stage.id,
                "probability": 100.0,
                "automated_probability": 100.0,
                "lost_reason_id": False,
            },
            Position.REJECTED: self._comply360_lost("lost_reason_rejected", stage),
            Position.CANCELLED: self._comply360_lost("lost_reason_cancelled", stage),
        }

    @api.model
    def _comply360_open(self, team, stage):
        # one estimate per batch: computing it for each lead would cost more than everything else
        estimate = self.new({"type": "opportunity", "team_id": team.id, "stage_id": stage.id, "user_id": False})
        probability = estimate.automated_probability
        return {
            "active": True,
            "stage_id": stage.id,
            "probability": probability,
            "automated_probability": probability,
            "lost_reason_id": False,
        }

    @api.model
    def _comply360_no_enrichment(self):
        """Keep crm_iap_enrich, if installed, from sending the lead's e-mail domain to an external service."""
        return {"iap_enrich_done": True} if "iap_enrich_done" in self._fields else {}

    @api.model
    def _comply360_lost(self, reason, stage):
        lost_reason = self.env.ref(f"comply360_bridge.{reason}", raise_if_not_found=False)
        return {
            "active": False,
            "stage_id": stage.id,
            "probability": 0.0,
            "automated_probability": 0.0,
            "lost_reason_id": lost_reason.id if lost_reason else False,
        }

    def _comply360_derive(self, entity, values, defaults):
        values = dict(values)
        if "partner_name" in values:
            values["name"] = values["partner_name"]
        self._comply360_leave_to_partner(values)
        values.update(self._comply360_salesperson(values, defaults))
        if not self:
            return self._comply360_new_values(values, defaults)
        if "partner_id" in values:
            # a change of partner recomputes these, and clears the company of a lead without a salesperson
            values.update(
                {name: values.get(name, self[name]) for name in PARTNER_COMPUTED}, company_id=defaults["company_id"]
            )
        values.update(self._comply360_moved(values, defaults))
        return values

    @api.model
    def _comply360_lacking(self, installation, works):
        """Approved registrations wait for a won stage: nothing else would show them as won."""
        found = {}
        for tenant, group in groupby(works, key=lambda work: work.tenant):
            won = self._comply360_to_be_won([work for work in group if _wants_to_be_won(work)])
            if won and not tenant._comply360_stages(won=True):
                team = tenant._comply360_team().display_name or "no sales team"
                message = (
                    f"the registration is approved, but in Odoo {team} has no won stage: the lead stays as it is until "
                    "there is one"
                )
                found.update(
                    {work.document.key: Refused("no_won_stage", message, "status", "approved") for work in won}
                )
        return found

    @api.model
    def _comply360_to_be_won(self, works):
        """The works that take a lead to the won stage; one whose lead was there before leaves it alone."""
        leads = self.browse([work.res_id for work in works if not work.creating])
        former = {lead.id: position(lead.x_comply360_status or "draft", lead.x_comply360_active) for lead in leads}
        return [work for work in works if former.get(work.res_id) is not Position.WON]

    def _comply360_salesperson(self, values, defaults):
        """The salesperson follows a change of the app's assignment; one chosen in Odoo otherwise stays.

        Removing the assignment removes only the salesperson that it had set.
        """
        if "x_comply360_assigned_user_id" not in values:
            return {}
        assigned, former = values["x_comply360_assigned_user_id"], self.x_comply360_assigned_user_id
        if not assigned and (not former or self.user_id != former):
            return {}
        # a change of salesperson recomputes team and company
        kept = {"team_id": self.team_id.id} if self.team_id else {}
        return {"user_id": assigned, **kept, "company_id": defaults["company_id"]}

    def _comply360_leave_to_partner(self, values):
        if values.get("partner_id") or self.partner_id:
            for name, of_partner in PARTNER_OWNED.items():
                # a value that is not the partner's either was written past Odoo
                if values.pop(name, None) is not None and (shown := self.partner_id[of_partner]) != self[name]:
                    values.update({name: shown} if shown and not values.get("partner_id") else {})

    def _comply360_shown_of_survivor(self, mapper):
        """A merged customer's leads show the survivor's address, which the app does not know as theirs."""
        return {
            rule.name
            for rule in mapper.rules
            if rule.target in PARTNER_OWNED
            and rule.codec.decode(self[rule.target]) == rule.codec.decode(self.partner_id[PARTNER_OWNED[rule.target]])
        }

    def _comply360_new_values(self, values, defaults):
        status = values["x_comply360_status"]
        place = position(status, values.get("x_comply360_active", True))
        kept = defaults[position(status, active=True)]
        placed = {**kept, "active": False} if place is Position.ARCHIVED else kept
        contact = {"contact_name": False, "x_comply360_active": True}
        return {**contact, **defaults["created"], **placed, **values}

    def _comply360_moved(self, values, defaults):
        """Pipeline values for a change of the app's status; empty if the lead keeps its place.

        A lead that a salesperson won, lost or moved to a stage keeps that until the app decides again.
        """
        status = values.get("x_comply360_status", self.x_comply360_status) or "submitted"
        place = position(status, values.get("x_comply360_active", self.x_comply360_active))
        former = position(self.x_comply360_status or "draft", self.x_comply360_active)
        if place is former:
            return {}
        if place is Position.ARCHIVED:
            return {"active": False}
        moved = dict(defaults[place])
        is_apps = self.stage_id.id in {defaults[one]["stage_id"] for one in UNDECIDED}
        if {place, former} <= UNDECIDED:
            is_open = self.active and self.won_status == "pending"
            return self._comply360_progress(moved) if is_open and is_apps else {}
        keeps_stage = place is not Position.WON and not self.stage_id.is_won and not (is_apps and place in UNDECIDED)
        if keeps_stage or not moved["stage_id"]:
            # a pipeline without such a stage must not cost the lead the one that it has
            del moved["stage_id"]
        return moved

    def _comply360_progress(self, moved):
        """A lead that stays open takes the stage, but keeps a probability set by a salesperson."""
        if not self.is_automated_probability:
            del moved["probability"]
        return moved


def _wants_to_be_won(work):
    values = work.translation.values
    return position(values.get("status") or "draft", values.get("active", True)) is Position.WON
