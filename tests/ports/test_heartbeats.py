"""The Heartbeats: begun once, noted hop by hop; in memory and on the real database."""

from __future__ import annotations

from datetime import timedelta

from tests.integration.conftest import INSTANCE
from tests.ports.platform import Platform

ALWAYS, LATER = timedelta(0), timedelta(hours=1)


def test_a_heartbeat_is_begun_once_and_again_when_it_is_due(platform: Platform) -> None:
    heartbeats = platform.heartbeats
    assert heartbeats.begin([INSTANCE], LATER) == {INSTANCE: 1}
    assert heartbeats.begin([INSTANCE], LATER) == {}
    assert heartbeats.begin([INSTANCE], ALWAYS) == {INSTANCE: 2}
    assert heartbeats.begin(["another"], ALWAYS) == {}


def test_it_goes_round_for_the_tenants_whose_records_flow(platform: Platform) -> None:
    other = platform.register()
    assert set(platform.heartbeats.tenants(INSTANCE)) == {platform.tenant, other}
    platform.registry.set_state(other, "suspended")
    assert list(platform.heartbeats.tenants(INSTANCE)) == [platform.tenant]
    assert list(platform.heartbeats.tenants("another")) == []


def test_each_hop_is_noted_with_what_odoo_said(platform: Platform) -> None:
    heartbeats = platform.heartbeats
    heartbeats.published(INSTANCE)
    assert platform.hops() == [], "nothing is noted of a heartbeat that was never begun"
    heartbeats.begin([INSTANCE], ALWAYS)
    heartbeats.published(INSTANCE)
    heartbeats.arrived(INSTANCE, [platform.tenant], ["comply360_crm_lead_deleted"])
    assert platform.hops() == ["published", "arrived", str(platform.tenant), "comply360_crm_lead_deleted"]
    heartbeats.returned(INSTANCE, 1)
    heartbeats.arrived(INSTANCE, [], [])
    assert platform.hops() == ["published", "arrived", "returned"]
