"""Connections to the broker, and pika's exceptions translated where they end."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pika
from pika import exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from sync_daemon.config import Settings
from sync_daemon.errors import BridgeError, FatalError, TransientError
from sync_daemon.urls import require_encryption

HEARTBEAT_SECONDS = 30
CONNECT_SECONDS = 5.0
HANDSHAKE_SECONDS = 10.0
BLOCKED_SECONDS = 10.0

_REFUSED = 403
_NOT_ALLOWED = 530


def connect(settings: Settings, purpose: str, heartbeat: int = HEARTBEAT_SECONDS) -> pika.BlockingConnection:
    """Open a connection that `purpose` names in the broker's list.

    Raises: TransientError when the broker is away; FatalError when it refuses user, password or virtual host.
    """
    with broker_errors(settings):
        parameters = _parameters(settings, purpose, heartbeat)
        try:
            return pika.BlockingConnection(parameters)
        except ValueError as error:
            # what pika makes of a connection that is reset between being made and being looked at
            raise ConnectionResetError(str(error)) from None


@contextmanager
def broker_errors(settings: Settings) -> Iterator[None]:
    """Turn pika's exceptions into a TransientError or FatalError with a plain sentence."""
    try:
        yield
    except BridgeError:
        raise
    # a handshake that runs out of time is none of pika's AMQPErrors
    except (exceptions.AMQPError, exceptions.ChannelError, AMQPConnectorException, OSError) as error:
        raise _translated(error, settings) from None


def close_quietly(connection: pika.BlockingConnection | None) -> None:
    """Close a connection that may already be broken."""
    if connection is not None:
        with suppress(Exception):
            connection.close()


def _parameters(settings: Settings, purpose: str, heartbeat: int) -> pika.ConnectionParameters:
    return pika.ConnectionParameters(
        host=settings.rabbitmq_host,
        port=settings.rabbitmq_port,
        virtual_host=settings.rabbitmq_vhost,
        credentials=pika.PlainCredentials(settings.rabbitmq_user, settings.rabbitmq_password.get_secret_value()),
        ssl_options=_tls(settings),
        heartbeat=heartbeat,
        socket_timeout=CONNECT_SECONDS,
        stack_timeout=HANDSHAKE_SECONDS,
        blocked_connection_timeout=BLOCKED_SECONDS,
        connection_attempts=1,
        client_properties={"connection_name": f"comply360-bridge {purpose}"},
    )


def _tls(settings: Settings) -> pika.SSLOptions | None:
    require_encryption("RABBITMQ_TLS", settings.rabbitmq_host, settings.rabbitmq_tls, "set RABBITMQ_TLS=true")
    if not settings.rabbitmq_tls:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.rabbitmq_cafile or None)
    except OSError as error:
        raise FatalError(f"RABBITMQ_CAFILE {settings.rabbitmq_cafile} cannot be used: {error}") from None
    return pika.SSLOptions(context, settings.rabbitmq_host)


def _translated(error: Exception, settings: Settings) -> BridgeError:
    where = f"RabbitMQ at {settings.rabbitmq_host}:{settings.rabbitmq_port}"
    if "CERTIFICATE_VERIFY_FAILED" in repr(error):
        return FatalError(f"{where} presents a certificate that cannot be trusted: {_reason(error)}")
    match _reply_code(error):
        case 403 | 530 if isinstance(error, exceptions.AMQPConnectionError):
            user, vhost = settings.rabbitmq_user, settings.rabbitmq_vhost
            return FatalError(f"{where} refuses user {user} on virtual host {vhost}: {_reason(error)}")
        case 403:
            return FatalError(f"{where} denies user {settings.rabbitmq_user} a permission: {_reason(error)}")
        case 406:
            return FatalError(f"{where} has an object of that name with other arguments: {_reason(error)}")
        case _:
            return TransientError(f"{where}: {_reason(error)}")


def _reply_code(error: Exception) -> int:
    if isinstance(error, exceptions.ConnectionClosed | exceptions.ChannelClosed):
        return int(error.reply_code)
    if isinstance(error, exceptions.ProbableAuthenticationError | exceptions.ProbableAccessDeniedError):
        # pika keeps only the repr of the broker's answer; without one the connection was merely lost
        return next((code for code in (_REFUSED, _NOT_ALLOWED) if f"({code})" in str(error)), 0)
    return _REFUSED if isinstance(error, exceptions.AuthenticationError) else 0


def _reason(error: Exception) -> str:
    cause = _innermost(error)
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    # str() of pika's connection errors is often empty, their repr never
    return " ".join(repr(error).split())[:300]


def _innermost(error: BaseException) -> BaseException:
    """What pika wrapped, as an argument or as `exception`."""
    inner = [*error.args, getattr(error, "exception", None)]
    return next((_innermost(item) for item in inner if isinstance(item, BaseException)), error)
