"""The OpenID-certified provider `oidc-provider` (npm) in a process of its own: somebody else's reading of the standard.

It refuses what it is sent wrongly: redirect address, PKCE, client, code. Node runs it; npm fetches it once, by hashes.
"""

import html
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest

from tests.broker import free_port
from tests.conftest import ROOT

FOLDER = Path(__file__).parent / "oidc-provider"
FILES = ("package.json", "package-lock.json", "serve.mjs")
SECRET = "s%cret: /+~"
WITHIN_S = 60


@contextmanager
def certified(redirect_uri: str) -> Iterator[str]:
    """The provider's issuer, with the clients `basic` (SECRET) and `none` (public). Skips without Node; fails so in CI."""
    absent = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if absent:
        said = f"the certified OpenID provider needs Node 20+ and npm; not on the path: {', '.join(absent)}"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    port = free_port()
    command = ["node", "serve.mjs", str(port), redirect_uri]
    with tempfile.TemporaryFile() as said, subprocess.Popen(command, cwd=_fetched(), stdout=subprocess.PIPE, stderr=said) as run:
        try:
            assert run.stdout is not None
            if b"ready" not in run.stdout.readline():
                said.seek(0)
                pytest.fail(f"the certified provider did not start:\n{said.read().decode()[-2000:]}")
            yield f"http://127.0.0.1:{port}"
        finally:
            run.kill()


def signs_in(address: str, login: str) -> str:
    """Goes through the provider's own pages, its sign-in and its consent; gives where it sends the browser back to."""
    with httpx2.Client() as browser:
        for _ in range(8):
            page = browser.get(address)
            form = re.search(r'<form[^>]* action="([^"]+)"', page.text)
            if form is not None:
                fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)"', page.text))
                page = browser.post(urljoin(address, html.unescape(form[1])), data=fields | {"login": login, "password": "any"})
            assert page.is_redirect, page.text[:2000]
            to = urljoin(str(page.url), page.headers["location"])
            if "/sign-in/oidc/callback" in to:
                return to
            address = to
    pytest.fail("the provider went round in circles")


def _fetched() -> Path:
    """A folder with the provider in it, fetched on first use and again when the lock changes."""
    wanted = b"".join((FOLDER / name).read_bytes() for name in FILES)
    folder = ROOT / ".cache" / "oidc-provider"
    stamp = folder / "installed"
    if stamp.is_file() and stamp.read_bytes() == wanted:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="oidc-provider-", dir=folder.parent) as made:
        fresh = Path(made) / "new"
        fresh.mkdir()
        for name in FILES:
            shutil.copy(FOLDER / name, fresh)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.fail(f"npm could not fetch the certified provider:\n{(done.stdout + done.stderr)[-2000:]}")
        (fresh / "installed").write_bytes(wanted)
        if folder.exists():
            folder.rename(Path(made) / "old")
        fresh.rename(folder)
    return folder
