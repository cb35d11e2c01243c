from odoo import models


class CalendarEvent(models.Model):
    """A meeting's attendees are of its lead's tenant or of none."""

    _name = "calendar.event"
    _inherit = ["calendar.event", "comply360.walled"]


class CalendarAttendee(models.Model):
    """An attendee is of the meeting's tenant or of none."""

    _name = "calendar.attendee"
    _inherit = ["calendar.attendee", "comply360.walled"]
