"""Dockerfile, .dockerignore and compose.yaml as others read them: the linter, the published schema, and what they promise."""

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from daybook.settings import Settings
from tests.conftest import ROOT
from tests.packaging.dockerfile import context, stages

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SCHEMA = json.loads((Path(__file__).parent / "vendor" / "compose-spec" / "compose-spec.json").read_text("utf-8"))
OURS = ("migrate", "topics", "worker", "web")
ONE_SHOT = ("migrate", "topics")


def lint(text: str) -> subprocess.CompletedProcess[str]:
    """What hadolint says of a Dockerfile."""
    hadolint = Path(sys.executable).parent / "hadolint"
    return subprocess.run([str(hadolint), "--no-color", "-"], input=text, capture_output=True, text=True, check=False)


def test_the_dockerfile_is_clean() -> None:
    done = lint(DOCKERFILE)
    assert (done.returncode, done.stdout) == (0, "")


BROKEN = [("FROM python:3.11-slim-bookworm\n", "FROM python\n"), ("CMD [", "CMD web ["), ("COPY . .", "COPPY . .")]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda pair: pair[1].strip())
def test_the_linter_would_say_what_is_wrong(broken: tuple[str, str]) -> None:
    assert lint(DOCKERFILE.replace(*broken)).returncode != 0


def test_the_compose_file_follows_the_published_schema() -> None:
    jsonschema_rs.validator_for(SCHEMA).validate(COMPOSE)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file["services"]["web"].update(cap_drop="ALL"),
        lambda file: file["services"]["web"].update(readonly=True),
        lambda file: file["services"]["worker"]["depends_on"]["migrate"].update(condition="done"),
        lambda file: file["services"]["worker"]["healthcheck"].update(every="1s"),
    ],
    ids=["a value of another kind", "an unknown key", "an unknown condition", "an unknown part of a health check"],
)
def test_the_schema_refuses_what_is_wrong(spoil: Callable[[Any], None]) -> None:
    file = copy.deepcopy(COMPOSE)
    spoil(file)
    assert not jsonschema_rs.validator_for(SCHEMA).is_valid(file)


@pytest.mark.parametrize("name", OURS)
def test_our_services_have_no_rights_they_do_not_need(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"] == ["/tmp"]
    assert service["volumes"] == ["daybook-home:/var/lib/daybook"]
    assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")
    assert set(service["environment"]) <= {f"DAYBOOK_{field.upper()}" for field in Settings.model_fields}


def test_all_listens_on_this_machine_only() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_worker_waits_for_tables_and_topics_and_they_for_their_servers() -> None:
    waits = {
        name: {other: how["condition"] for other, how in COMPOSE["services"][name].get("depends_on", {}).items()} for name in OURS
    }
    done, healthy = "service_completed_successfully", "service_healthy"
    assert waits == {
        "migrate": {"postgres": healthy},
        "topics": {"kafka": healthy},
        "worker": {"migrate": done, "topics": done},
        "web": {"migrate": done},
    }
    # `up --wait` takes the end of a service for a failure unless another one waits for just that.
    assert set(ONE_SHOT) <= {other for wanted in waits.values() for other, how in wanted.items() if how == done}


def test_a_batch_in_hand_has_time_to_be_finished() -> None:
    assert int(COMPOSE["services"]["worker"]["stop_grace_period"].removesuffix("s")) >= 60


def test_only_the_product_goes_into_a_build() -> None:
    files = context((ROOT / ".dockerignore").read_text("utf-8"))
    rooms = {path.split("/")[0] for path in files if "/" in path}
    hatch = (ROOT / "pyproject.toml").read_text("utf-8")
    packages = re.search(r"^packages = \[(.*)\]$", hatch, re.MULTILINE)
    assert packages
    assert rooms == set(re.findall(r'"(\w+)"', packages[1]))
    assert {path for path in files if "/" not in path} == {"README.md", "constraints.txt", "pyproject.toml"}
    assert not [path for path in files if "__pycache__" in path or "/." in path]
    assert "daybook/migrations/0200_access.sql" in files


def test_no_secret_is_in_an_image() -> None:
    said = [step for stage in stages(DOCKERFILE) for step in stage.steps if step.name in ("ENV", "ARG")]
    names = {word.partition("=")[0] for step in said for word in step.value.split()}
    assert not [name for name in names if re.search("KEY|SECRET|PASSWORD|TOKEN|URL", name)]
