"""A range of records is passed over by its digest only if looking at each record would come to the same."""

from __future__ import annotations

from hypothesis import given

from sync_daemon.domain.drift import AppRecord, Finding, OdooRecord, as_expected, compare, range_digest
from tests.contract import addon
from tests.unit.test_drift import APP_RECORDS, KEY, ODOO_RECORDS


@given(APP_RECORDS, ODOO_RECORDS)
def test_a_range_is_passed_over_only_if_a_closer_look_would_find_the_same(app: AppRecord, odoo: OdooRecord) -> None:
    answer = {
        "record_id": str(KEY.record_id),
        "state": odoo.state.value,
        "digest": odoo.digest,
        "opted_out": odoo.is_opted_out,
        "waiting": odoo.is_waiting,
        "twins": list(odoo.twins),
        "deviations": list(odoo.deviations),
    }
    if range_digest([app]) == addon.document.range_digest([addon.document.range_line(answer)]):
        [closely] = compare({KEY: app}, {KEY: odoo})
        assert as_expected(app).finding is closely.finding


@given(APP_RECORDS)
def test_a_record_that_odoo_has_not_is_passed_over_only_if_it_should_not_be_there(app: AppRecord) -> None:
    if range_digest([app]) == addon.document.range_digest([]):
        [closely] = compare({KEY: app}, {})
        assert as_expected(app).finding is closely.finding is Finding.FILTERED
