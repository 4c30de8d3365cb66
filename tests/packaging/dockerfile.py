"""The Dockerfile, read: its instructions by stage, what `.dockerignore` lets into the build, and what an image is told to run."""

import io
import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dockerfile_parse import DockerfileParser

from tests.conftest import ROOT


@dataclass(frozen=True)
class Instruction:
    """One instruction, with the lines it was continued on joined."""

    name: str
    value: str

    def words(self) -> list[str]:
        """Its words: of the form with brackets, or as a shell splits them."""
        return list(json.loads(self.value)) if self.value.startswith("[") else shlex.split(self.value)


@dataclass
class Stage:
    """Everything from one FROM to the next."""

    base: str
    name: str
    steps: list[Instruction] = field(default_factory=list)


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile in order."""
    parser = DockerfileParser(fileobj=_in_memory(text))
    found: list[Stage] = []
    for one in parser.structure:
        step = Instruction(one["instruction"], one["value"])
        if step.name == "COMMENT":
            continue
        if step.name == "FROM":
            base, *named = step.value.split()
            found.append(Stage(base, named[1] if named else str(len(found))))
        else:
            found[-1].steps.append(step)
    return found


def _in_memory(text: str) -> Any:
    return io.BytesIO(text.encode())


def context(ignore: str) -> list[str]:
    """The files of the tree that a build is given: the last line of `.dockerignore` that fits a file or its folder decides."""
    rules = [line.strip() for line in ignore.splitlines() if line.strip() and not line.startswith("#")]
    patterns = [(not rule.startswith("!"), re.compile(_pattern(rule.removeprefix("!")))) for rule in rules]
    return [path for path in _walk(ROOT, "") if not _ignored(path, patterns)]


def _walk(folder: Path, prefix: str) -> list[str]:
    found: list[str] = []
    for entry in sorted(folder.iterdir()):
        if entry.name in (".git", ".venv", ".cache"):  # large, and named by no rule of ours
            continue
        path = prefix + entry.name
        found += _walk(entry, path + "/") if entry.is_dir() and not entry.is_symlink() else [path]
    return found


def _ignored(path: str, patterns: list[tuple[bool, re.Pattern[str]]]) -> bool:
    parts = path.split("/")
    folders = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
    ignored = False
    for ignores, pattern in patterns:
        if any(pattern.fullmatch(one) for one in folders):
            ignored = ignores
    return ignored


def _pattern(rule: str) -> str:
    """Docker's pattern as a regular expression: `**/` is any folders, `*` anything but a slash."""
    anywhere = re.escape(rule).replace(r"\*\*/", "(?:.*/)?")
    return anywhere.replace(r"\*", "[^/]*")
