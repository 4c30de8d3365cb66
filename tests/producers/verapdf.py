"""veraPDF, the judge of PDF/UA-1: one Java process from Maven's jars."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
POM = ROOT / "tests" / "verapdf-dist" / "pom.xml"
HOW_TO_GET_IT = "Debian, Ubuntu: apt install openjdk-17-jre-headless maven; macOS: brew install openjdk maven"


def require() -> None:
    """Skips where it cannot run; on a build server it fails, for a silent skip would pass for a green light."""
    absent = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if absent:
        reason = f"veraPDF needs Java 17+ and Maven; not on the path: {', '.join(absent)} ({HOW_TO_GET_IT})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def jars() -> Path:
    """The folder of its jars, fetched through Maven on first use."""
    lib = Path(os.environ.get("DAYBOOK_TEST_VERAPDF_LIB") or ROOT / ".cache" / "verapdf").resolve()
    stamp, wanted = lib / "pom.xml", POM.read_bytes()
    if stamp.is_file() and stamp.read_bytes() == wanted:
        return lib
    lib.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{lib.name}-", dir=lib.parent) as folder:
        fetched = Path(folder) / "lib"
        command = ["mvn", "-B", "-q", "-f", str(POM), "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={fetched}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, f"Maven could not fetch veraPDF:\n{(done.stdout + done.stderr)[-2000:]}"
        (fetched / "pom.xml").write_bytes(wanted)
        if lib.exists():
            lib.rename(Path(folder) / "old")
        fetched.rename(lib)
    return lib


def judged(files: Sequence[Path]) -> dict[str, list[str]]:
    """By file name: the rules of PDF/UA-1 that it breaks."""
    require()
    java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars()}/*", "org.verapdf.apps.GreenfieldCliWrapper"]
    command = [*java, "--flavour", "ua1", "--format", "json", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (0, 1), done.stderr[-2000:]
    return {Path(job["itemDetails"]["name"]).name: _broken(job) for job in json.loads(done.stdout)["report"]["jobs"]}


def _broken(job: dict[str, Any]) -> list[str]:
    (verdict,) = job["validationResult"]
    assert verdict["profileName"] == "PDF/UA-1 validation profile"
    broken = [f"{rule['clause']}-{rule['testNumber']}: {rule['description']}" for rule in verdict["details"]["ruleSummaries"]]
    assert verdict["compliant"] == (not broken)
    return broken
