"""The transports against servers that are not what they should be."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import xmlrpc.client
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from sync_daemon.config import Settings
from sync_daemon.errors import BridgeError, ConfigError, FatalError, RejectedError, TransientError
from sync_daemon.odoo import admin
from sync_daemon.odoo.client import RpcOdoo, open_odoo
from sync_daemon.odoo.transports import http_post, kept
from sync_daemon.odoo.transports.xmlrpc import XmlRpc
from sync_daemon.ports import OdooInfo
from tests.ports.certificates import certificate, served
from tests.ports.web_server import WebServer, response

KEY = "canary-api-key"
PING = {
    "protocol": "3",
    "addon": "19.0.1.0.0",
    "addon_on_disk": "19.0.1.0.0",
    "odoo": "19.0",
    "instance_uuid": str(uuid4()),
    "epoch": "1",
    "newest": "0",
    "database": "db",
    "user": "bot",
    "key_expires": "",
    "rpc_deprecated": True,
}


@pytest.fixture(params=["xmlrpc", "json2"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def settings_for(transport: str, url: str, **changes: object) -> Settings:
    own = {"odoo_url": url, "odoo_transport": transport, "odoo_api_key": SecretStr(KEY), "odoo_timeout_seconds": 5.0}
    return Settings().model_copy(update={**own, **changes})


def opened(transport: str, url: str, **changes: object) -> RpcOdoo:
    """Odoo there; over XML-RPC the login's answer comes from the same server, so it is skipped."""
    odoo = open_odoo(settings_for(transport, url, **changes), uuid4())
    if isinstance(odoo._transport, XmlRpc):
        odoo._transport._uid = 7
    return odoo


def ping(transport: str, server: WebServer, **changes: object) -> OdooInfo:
    return opened(transport, server.url, **changes).ping()


def encoded(transport: str, value: Any) -> bytes:
    """A value as the transport's good answer."""
    if transport == "json2":
        return response("200 OK", json.dumps(value).encode(), "Content-Type: application/json")
    return response("200 OK", xmlrpc.client.dumps((value,), methodresponse=True).encode(), "Content-Type: text/xml")


def test_a_good_answer_is_read(transport: str) -> None:
    with WebServer(encoded(transport, PING)) as server:
        assert ping(transport, server).user == "bot"
    assert len(server.requests) == 1


def test_the_newest_mark_is_asked_for_by_login_and_key(transport: str) -> None:
    with WebServer(response("200 OK", b"4711")) as server:
        assert opened(transport, server.url, odoo_login="bot", odoo_database="db").newest() == 4711
    [request] = server.requests
    assert request.startswith(b"POST /comply360_bridge/newest HTTP/1.1")
    assert b"Authorization: Basic " + base64.b64encode(f"bot:{KEY}".encode()) in request
    assert b"X-Odoo-Database: db" in request


@pytest.mark.parametrize("body", [b"", b"-1", b"4.7", b"<html>", b"9" * 20, "٣".encode()])
def test_an_answer_that_is_no_number_of_a_mark_is_refused(transport: str, body: bytes) -> None:
    with WebServer(response("200 OK", body)) as server, pytest.raises(TransientError, match="no number of a mark"):
        opened(transport, server.url).newest()


def test_an_odoo_without_the_route_says_so(transport: str) -> None:
    with WebServer(response("404 Not Found", b"<html>")) as server, pytest.raises(FatalError, match="404"):
        opened(transport, server.url).newest()


def test_a_good_answer_is_read_where_its_last_byte_closes_the_socket(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As CPython 3.11.8, 3.12.2 and 3.13 do (gh-113199), whichever runs the test."""
    read1 = http.client.HTTPResponse.read1

    def closing(response: http.client.HTTPResponse, size: int = -1) -> bytes:
        piece = read1(response, size)
        if response.length == 0:
            response.close()
        return piece

    monkeypatch.setattr(http.client.HTTPResponse, "read1", closing)
    with WebServer(encoded(transport, PING)) as server:
        assert ping(transport, server).user == "bot"


def test_an_answer_that_is_not_read_keeps_no_socket_open(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[http.client.HTTPResponse] = []
    getresponse = http.client.HTTPConnection.getresponse

    def kept(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        answers.append(getresponse(connection))
        return answers[-1]

    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", kept)
    with WebServer(response("302 Found", b"x" * 10)) as server, pytest.raises(FatalError, match="redirect"):
        ping(transport, server)
    assert [answer.isclosed() for answer in answers] == [True]


def lasting(transport: str) -> bytes:
    """A good answer that leaves the connection open, as a proxy's does."""
    return encoded(transport, PING).replace(b"Connection: close\r\n", b"")


def test_a_connection_that_the_server_leaves_open_serves_the_next_calls(transport: str, tmp_path: Path) -> None:
    good = certificate(tmp_path, "127.0.0.1")
    for tls in (None, served(good)):
        with WebServer(lasting(transport), tls, per_connection=3) as server:
            odoo = opened(transport, server.url, odoo_cafile=str(good))
            for _ in range(3):
                assert odoo.ping().user == "bot"
        assert (server.connections, len(server.requests)) == (1, 3)


def test_a_connection_that_was_closed_between_two_calls_is_made_again(transport: str) -> None:
    with WebServer(lasting(transport)) as server:
        odoo = opened(transport, server.url)
        for _ in range(3):
            assert odoo.ping().user == "bot"
            assert server.ended.acquire(timeout=10)
    assert (server.connections, len(server.requests)) == (3, 3)


def test_bytes_that_nobody_asked_for_are_no_answer_to_the_next_call() -> None:
    found, (own, other) = kept.Kept(), socket.socketpair()
    connection = http.client.HTTPConnection("127.0.0.1")
    connection.sock = own
    found.keep(connection)
    assert found.take() is connection
    found.keep(connection)
    with other:
        other.sendall(b"HTTP/1.1 200 OK\r\n")
        assert found.take() is None
    assert own.fileno() == -1


def test_a_call_whose_kept_connection_breaks_is_not_sent_again(transport: str) -> None:
    with WebServer(lasting(transport), per_connection=2, deaf=True) as server:
        odoo = opened(transport, server.url)
        assert odoo.ping().user == "bot"
        with pytest.raises(TransientError, match="no answer"):
            odoo.ping()
        assert len(server.requests) == 2
        assert odoo.ping().user == "bot"
    assert (server.connections, len(server.requests)) == (2, 3)


def test_an_old_connection_is_not_used(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT_SECONDS", 0.0)
    with WebServer(lasting(transport), per_connection=2) as server:
        odoo = opened(transport, server.url)
        assert [odoo.ping().user for _ in range(2)] == ["bot", "bot"]
    assert server.connections == 2


def test_a_refused_call_ends_its_connection(transport: str) -> None:
    refusal = response("503 Service Unavailable", b"busy", ends=False)
    with WebServer(refusal, per_connection=2) as server:
        odoo = opened(transport, server.url)
        for _ in range(2):
            with pytest.raises(TransientError):
                odoo.ping()
    assert server.connections == 2


def test_an_addon_of_another_release_gets_nothing(transport: str) -> None:
    old = {**PING, "protocol": "2", "addon": "19.0.1.3.0"}
    sentence = "addon 19.0.1.3.0 speaks protocol 2, this bridge 3: bring both to the same release"
    with WebServer(encoded(transport, old)) as server, pytest.raises(FatalError, match=sentence):
        opened(transport, server.url).apply_batch(uuid4(), [])
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
def test_a_redirect_is_not_followed(transport: str, status: str) -> None:
    with WebServer(encoded(transport, PING)) as elsewhere:
        location = f"Location: {elsewhere.url}/"
        with WebServer(response(status, b"", location)) as server, pytest.raises(FatalError, match="redirect"):
            ping(transport, server)
        assert len(server.requests) == 1
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("500 Internal Server Error", TransientError),
        ("502 Bad Gateway", TransientError),
        ("503 Service Unavailable", TransientError),
        ("429 Too Many Requests", TransientError),
        ("413 Content Too Large", RejectedError),
        ("404 Not Found", FatalError),
        ("403 Forbidden", FatalError),
        ("401 Unauthorized", FatalError),
    ],
)
def test_a_status_without_details_still_says_what_to_do(transport: str, status: str, error: type[BridgeError]) -> None:
    with WebServer(response(status, b"<html>a proxy's page</html>")) as server, pytest.raises(error):
        ping(transport, server)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<?xml",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        response("200 OK", b""),
        response("200 OK", b"<html>login</html>"),
        response("200 OK", b"\xff\xfe\x00"),
        response("200 OK", b"{" * 100_000),
        response("200 OK", b"\x1f\x8b\x08", "Content-Encoding: gzip"),
    ],
    ids=["nothing", "headers", "half", "ssh", "empty", "html", "bytes", "depth", "gzip"],
)
def test_an_unusable_answer_is_a_transient_error(transport: str, answer: bytes) -> None:
    with WebServer(answer) as server, pytest.raises(TransientError):
        ping(transport, server)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        "text",
        ["list"],
        {},
        {**PING, "protocol": 3},
        {**PING, "epoch": "one"},
        {**PING, "key_expires": "tomorrow"},
    ],
    ids=["text", "list", "empty", "number", "epoch", "instant"],
)
def test_an_answer_that_breaks_the_contract_is_a_transient_error(transport: str, wrong: object) -> None:
    with WebServer(encoded(transport, wrong)) as server, pytest.raises(TransientError, match="follow the contract"):
        ping(transport, server)


def test_an_answer_without_end_is_cut_off(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_post, "LARGEST_ANSWER", 1_000_000)
    with (
        WebServer(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2_000_000) as server,
        pytest.raises(TransientError, match="larger"),
    ):
        ping(transport, server)


def test_an_xml_bomb_is_refused_at_its_declaration() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><methodResponse>&b;'
    with WebServer(response("200 OK", bomb)) as server, pytest.raises(TransientError, match="not XML-RPC"):
        ping("xmlrpc", server)


@pytest.mark.parametrize(
    "url",
    [
        "http://odoo.example.com",
        "http://10.0.0.1:8069",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "127.0.0.1:8069",
        "https://user:canary-password@odoo.example.com",
        "https://user:canary/password@odoo.example.com",
        "https://user:12/canary@odoo.example.com",
        "ftp://user:12?canary@odoo.example.com",
        "https://canary:password",
    ],
)
def test_an_address_that_would_show_the_key_is_refused(transport: str, url: str) -> None:
    with pytest.raises(ConfigError, match="ODOO_URL") as caught:
        open_odoo(settings_for(transport, url), uuid4())
    assert "canary" not in str(caught.value)


def test_the_key_is_sent_once_and_in_its_place(transport: str) -> None:
    with WebServer(encoded(transport, PING)) as server:
        ping(transport, server)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert (KEY.encode() in head) == (transport == "json2")
    assert (KEY.encode() in body) == (transport == "xmlrpc")
    assert KEY.encode() not in head.split(b"\r\n")[0]


def test_only_a_trusted_certificate_for_the_right_name_is_accepted(transport: str, tmp_path: Path) -> None:
    good, other_name = certificate(tmp_path, "127.0.0.1"), certificate(tmp_path, "127.0.0.2")
    with WebServer(encoded(transport, PING), served(good)) as server:
        assert ping(transport, server, odoo_cafile=str(good)).user == "bot"
        with pytest.raises(FatalError, match="certificate"):
            ping(transport, server)
    with WebServer(encoded(transport, PING), served(other_name)) as server:
        with pytest.raises(FatalError, match="certificate"):
            ping(transport, server, odoo_cafile=str(other_name))
        assert server.requests == []


def test_the_administrator_does_not_trust_an_unknown_certificate_or_a_redirect(tmp_path: Path) -> None:
    with WebServer(response("200 OK", b"{}"), served(certificate(tmp_path, "127.0.0.1"))) as server:
        with pytest.raises(FatalError, match="certificate"):
            admin.server_version(settings_for("xmlrpc", server.url))
        assert server.requests == []
    with WebServer(response("200 OK", b"{}")) as elsewhere:
        location = f"Location: {elsewhere.url}/"
        with WebServer(response("302 Found", b"", location)) as server, pytest.raises(FatalError):
            admin.server_version(settings_for("xmlrpc", server.url))
        assert elsewhere.requests == []
