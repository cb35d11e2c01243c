"""The real broker's other side: what an administrator or an accident does to it, through its management API."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pika

from sync_daemon.config import Settings
from tests.ports.waiting import until


class Broker:
    """One virtual host of its own on the running broker, and the settings that reach it."""

    def __init__(self, url: str, user: str, password: str, settings: Settings) -> None:
        self._url = url
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._users: list[str] = []
        self.vhost = f"test-{uuid4().hex[:12]}"
        self.settings = settings.model_copy(update={"rabbitmq_vhost": self.vhost})
        self.call("PUT", f"vhosts/{self.vhost}", {})
        for name in (user, settings.rabbitmq_user):
            self.permit(name)

    def remove(self) -> None:
        """Leave nothing behind."""
        self.call("DELETE", f"vhosts/{self.vhost}")
        for user in self._users:
            self.call("DELETE", f"users/{user}")

    def user(self, configure: str = ".*", write: str = ".*", read: str = ".*") -> Settings:
        """Settings of a new user with these rights."""
        name = f"user-{uuid4().hex[:8]}"
        self.call("PUT", f"users/{name}", {"password": "some-password", "tags": ""})
        self._users.append(name)
        self.permit(name, configure, write, read)
        changes = {"rabbitmq_user": name, "rabbitmq_password": type(self.settings.rabbitmq_password)("some-password")}
        return self.settings.model_copy(update=changes)

    def permit(self, user: str, configure: str = ".*", write: str = ".*", read: str = ".*") -> None:
        """Set a user's rights."""
        rights = {"configure": configure, "write": write, "read": read}
        self.call("PUT", f"permissions/{self.vhost}/{user}", rights)

    def limit(self, pattern: str, messages: int) -> None:
        """Let queues of these names hold no more than so many messages."""
        policy = {"pattern": pattern, "definition": {"max-length": messages}, "apply-to": "queues"}
        self.call("PUT", f"policies/{self.vhost}/limit", policy)

    def unlimit(self) -> None:
        """Take the limit away."""
        self.call("DELETE", f"policies/{self.vhost}/limit")

    def connection_names(self) -> list[str]:
        """The open connections, as the broker names them."""
        return [str(row["name"]) for row in self.call("GET", f"vhosts/{self.vhost}/connections")]

    def kill_connections(self) -> int:
        """Close every connection, once there is one; gives how many."""
        names = until(self.connection_names, "the broker shows a connection")
        for name in names:
            self.call("DELETE", f"connections/{quote(name, safe='')}")
        return len(names)

    def delete_queue(self, name: str) -> None:
        """Delete a queue with what it holds."""
        self.call("DELETE", f"queues/{self.vhost}/{name}")

    def unbind(self, exchange: str, queue: str, routing_key: str) -> None:
        """Take one binding away."""
        self.call("DELETE", f"bindings/{self.vhost}/e/{exchange}/q/{queue}/{routing_key}")

    @contextmanager
    def channel(self) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
        """A plain channel, as another program has one."""
        settings = self.settings
        password = settings.rabbitmq_password.get_secret_value()
        parameters = pika.ConnectionParameters(
            settings.rabbitmq_host,
            settings.rabbitmq_port,
            self.vhost,
            pika.PlainCredentials(settings.rabbitmq_user, password),
        )
        connection = pika.BlockingConnection(parameters)
        try:
            yield connection.channel()
        finally:
            connection.close()

    def ready(self, queue: str) -> int:
        """How many messages wait in a queue and are in nobody's hands."""
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def left(self, queue: str) -> int:
        """How many messages a queue holds in all, once its consumers are gone and their messages are back in it."""
        with self.channel() as channel:

            def abandoned() -> int | None:
                answer = channel.queue_declare(queue, passive=True).method
                return None if answer.consumer_count else int(answer.message_count) + 1

            return int(until(abandoned, f"nobody consumes {queue}") or 1) - 1

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One call of the management API; what is not there is None."""
        request = urllib.request.Request(
            f"{self._url}/api/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": self._authorization, "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise AssertionError(f"{method} {path}: {error.code} {error.read()[:200]!r}") from None
        return json.loads(content) if content else None
