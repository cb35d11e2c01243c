"""docker-compose.yml, odoo.conf and .env.example agree with each other; no container is started."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from stack import odoo_source
from stack.layout import Layout
from sync_daemon.config import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
EXAMPLE = ROOT / ".env.example"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Gives the file as docker-compose itself understands it."""
    command = ["docker-compose", "-f", str(COMPOSE), "config"]
    clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run(command, capture_output=True, text=True, env=clean, check=False)
    assert done.returncode == 0, done.stderr
    assert "not set" not in done.stderr
    return _yaml(done.stdout)


def _yaml(text: str) -> dict[str, Any]:
    # Debian's docker-compose brings its own Python with yaml; the project itself needs none
    program = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
    done = subprocess.run(["/usr/bin/python3", "-c", program], input=text, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def _named_in_example() -> set[str]:
    return set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", EXAMPLE.read_text(), re.MULTILINE))


def test_every_image_is_pinned(compose: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in compose["services"].items()}
    loose = [name for name, image in images.items() if not re.search(r":\d+\.\d+[\w.-]*$", image)]
    assert not loose, images


def test_every_mounted_path_exists(compose: dict[str, Any]) -> None:
    mounts = [mount for service in compose["services"].values() for mount in service.get("volumes", [])]
    sources = [mount.split(":")[0] for mount in mounts]
    paths = [Path(source) for source in sources if source.startswith("/")]
    assert len(paths) >= 4
    assert [path for path in paths if not path.exists()] == []
    assert {source for source in sources if not source.startswith("/")} <= set(compose["volumes"])


def test_every_build_file_exists(compose: dict[str, Any]) -> None:
    builds = [service["build"] for service in compose["services"].values() if "build" in service]
    assert builds
    for build in builds:
        assert (Path(build["context"]) / build["dockerfile"]).is_file()


def test_the_secrets_of_the_file_are_those_that_make_secrets_writes(compose: dict[str, Any], tmp_path: Path) -> None:
    environment = {**os.environ, "C360_SECRETS_DIR": str(tmp_path / "s")}
    subprocess.run([ROOT / "docker" / "make-secrets"], env=environment, check=True)
    first = {path.name: path.read_text() for path in (tmp_path / "s").iterdir()}
    subprocess.run([ROOT / "docker" / "make-secrets"], env=environment, check=True)
    assert first == {path.name: path.read_text() for path in (tmp_path / "s").iterdir()}
    assert set(first) == set(compose["secrets"])
    assert all(len(secret) >= 24 for secret in first.values())
    assert len(set(first.values())) == len(first)


def test_every_service_gets_the_secret_files_it_names(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        text = json.dumps([service.get("environment", {}), service.get("command", [])])
        named = set(re.findall(r"/run/secrets/(\w+)", text))
        given = {secret["source"] if isinstance(secret, dict) else secret for secret in service.get("secrets", [])}
        assert named <= given, name


def test_published_ports_are_bound_to_loopback(compose: dict[str, Any]) -> None:
    ports = [str(port) for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports), ports


def test_every_lasting_service_has_a_health_check(compose: dict[str, Any]) -> None:
    lasting = {name for name, service in compose["services"].items() if service.get("restart") == "unless-stopped"}
    assert lasting == {"postgres", "rabbitmq", "odoo", "bridge"}
    assert {name for name in lasting if "healthcheck" not in compose["services"][name]} == set()


def test_nothing_starts_before_what_it_needs(compose: dict[str, Any]) -> None:
    needs = {
        name: {other: wait["condition"] for other, wait in service.get("depends_on", {}).items()}
        for name, service in compose["services"].items()
    }
    done, healthy = "service_completed_successfully", "service_healthy"
    assert needs["db-init"]["postgres"] == healthy
    assert needs["odoo-init"]["db-init"] == done
    assert needs["odoo"]["odoo-init"] == done
    assert needs["bridge-key"]["odoo"] == healthy
    assert needs["bridge"]["bridge-key"] == done


def test_every_variable_of_the_file_is_in_the_example() -> None:
    variables = set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", COMPOSE.read_text()))
    assert len(variables) >= 5
    assert variables - _named_in_example() == set()


def test_every_setting_the_file_gives_to_the_bridge_is_one(compose: dict[str, Any]) -> None:
    known = {name.upper() for name in Settings.model_fields}
    environment = compose["services"]["bridge"]["environment"]
    assert {name.removesuffix("_FILE") for name in environment} <= known


def test_odoo_conf_names_only_options_that_odoo_knows(stack_layout: Layout) -> None:
    source = odoo_source.locate(stack_layout.cache)
    program = "from odoo.tools import config; print(*config.options, *(o.dest for o in config.options_index.values()))"
    environment = {**os.environ, "PYTHONPATH": str(source.python_path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    conf = ConfigParser()
    conf.read(ROOT / "odoo.conf")
    assert len(conf.options("options")) > 10
    assert set(conf.options("options")) - set(done.stdout.split()) == set()


def test_odoo_reads_odoo_conf_without_a_warning(stack_layout: Layout) -> None:
    source = odoo_source.locate(stack_layout.cache)
    program = (
        "from odoo.tools import config; config.parse_config(['-c', 'odoo.conf'], setup_logging=True);"
        "print(config['workers'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(source.python_path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=ROOT)
    # the paths are those inside the container
    warnings = [line for line in done.stderr.splitlines() if "WARNING" in line and "/mnt/extra-addons" not in line]
    assert (done.returncode, done.stdout.split()[-1:], warnings) == (0, ["2"], []), done.stderr
