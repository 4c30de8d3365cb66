"""Carries a Dockerfile out without an engine: a stage is a layer over this machine's own system, which stands for its base.

RUN happens in a root of the stage's own (overlayfs, chroot), COPY copies into its layer. What differs from an engine's
build is said in docs/operations.md. It needs root on Linux, and the right to mount.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.conftest import ROOT
from tests.packaging.dockerfile import Instruction, Stage, context, stages

BASE_PATH = f"{sys.base_prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OF_THE_MACHINE = ("PIP_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
"""How this machine reaches a registry: an engine's build is told so too."""
ENTER = """
set -e
layers=$1 merged=$2 hidden=$3; shift 3
mount -t overlay overlay -o "$layers" "$merged"
mount -t proc proc "$merged/proc"
mount --rbind /dev "$merged/dev"
mount -t tmpfs -o mode=0755 tmpfs "$merged$hidden"
exec chroot "$merged" "$@"
"""


def cannot_build() -> str | None:
    """Why no Dockerfile can be carried out here, or None."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "carrying a Dockerfile out without an engine needs root on Linux"
    tools = [tool for tool in ("unshare", "nsenter", "setpriv", "chroot", "ip", "mount") if shutil.which(tool) is None]
    if tools:
        return f"carrying a Dockerfile out without an engine needs {', '.join(tools)}"
    tried = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
                           capture_output=True, text=True, check=False)  # fmt: skip
    return f"namespaces or mounts are not allowed here: {tried.stderr.strip()}" if tried.returncode else None


@dataclass
class Image:
    """A stage as it has been built so far: its layer, and what it says of itself."""

    folder: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": BASE_PATH})
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)

    @property
    def layer(self) -> Path:
        """What the stage has added to its base."""
        return self.folder / "layer"

    def run(self, command: list[str], more_env: dict[str, str] | None = None) -> None:
        """Runs a command in the stage's root, as root and able to write."""
        for name in ("layer", "work", "merged"):
            (self.folder / name).mkdir(exist_ok=True)
        layers = f"lowerdir=/,upperdir={self.layer},workdir={self.folder / 'work'}"
        env = {"HOME": "/root", **self.env, **(more_env or {})}
        inside = ["env", "-i", "-C", self.workdir, *(f"{name}={value}" for name, value in env.items()), *command]
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "sh", "-c", ENTER, "sh", layers, str(self.folder / "merged"), str(ROOT),
             *inside],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{shlex.join(command)}:\n{done.stdout[-4000:]}"


def build(folder: Path, dockerfile: str, ignore: str, *, instead: dict[str, Callable[[Image], None]] | None = None) -> Image:
    """Carries every stage out; gives the last one. `instead` has other ways for a RUN with these words in it."""
    built: dict[str, Image] = {}
    files = context(ignore)
    image = Image(folder)
    used: set[str] = set()
    for stage in stages(dockerfile):
        image = _begun(folder / stage.name, stage)
        for step in stage.steps:
            other = [words for words in instead or {} if step.name == "RUN" and words in step.value]
            if other:
                used.add(other[0])
                (instead or {})[other[0]](image)
            else:
                _carry_out(image, step, built, files)
        built[stage.name] = image
    assert used == (instead or {}).keys(), "a RUN that was to be replaced is not there"
    return image





def _begun(folder: Path, stage: Stage) -> Image:
    assert stage.base.startswith("python:3.11-slim"), "another base than the one that this machine can stand for"
    (folder / "layer" / "root").mkdir(parents=True)
    # This machine's Python may lie in root's own folder; a base image's does not.
    (folder / "layer" / "root").chmod(0o711)
    return Image(folder)


def _carry_out(image: Image, step: Instruction, built: dict[str, Image], files: list[str]) -> None:
    match step.name:
        case "RUN":
            machine = {name: value for name, value in os.environ.items() if name.startswith(OF_THE_MACHINE)}
            image.run(["/bin/sh", "-c", step.value], machine)
        case "COPY":
            _copy(image, step, built, files)
        case "ENV":
            for word in shlex.split(step.value):
                name, _, value = word.partition("=")
                image.env[name] = value.replace("$PATH", image.env["PATH"])
        case "WORKDIR":
            image.workdir = step.value
            made = image.layer / step.value.lstrip("/")
            if not made.exists():
                made.mkdir(parents=True)
        case "USER":
            image.user = step.value
        case "VOLUME":
            image.volumes += step.words()
        case "ENTRYPOINT":
            image.entrypoint = step.words()
        case "CMD":
            image.command = step.words()
        case "HEALTHCHECK":
            image.healthcheck = replace(step, value=step.value.partition("CMD ")[2]).words()
        case "LABEL" | "EXPOSE":
            pass
        case _:
            raise AssertionError(f"{step.name} is not known here: what it does would not be checked")


def _copy(image: Image, step: Instruction, built: dict[str, Image], files: list[str]) -> None:
    words = step.words()
    if words[0].startswith("--from="):
        name, source, target = words[0].removeprefix("--from="), words[1], words[2]
        origin = built[name].layer / source.lstrip("/")
        subprocess.run(["cp", "-a", str(origin), str(_parent(image, target))], check=True)
        return
    *sources, target = words
    into = image.layer / os.path.join(image.workdir, target).lstrip("/")
    for source in sources:
        chosen = [path for path in files if source == "." or path == source or path.startswith(source + "/")]
        assert chosen, f"COPY {source}: nothing of it is in the build's context"
        for path in chosen:
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, into / path)


def _parent(image: Image, target: str) -> Path:
    made = (image.layer / target.lstrip("/")).parent
    made.mkdir(parents=True, exist_ok=True)
    return made
