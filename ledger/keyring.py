"""Personal text is written under a key per client or agent, kept outside the database: to erase it, forget the key.

The keyring is one file of JSON lines, 0600, shared by processes: a key is on disk before anything is encrypted under
it. Forgetting rewrites the file without the key and leaves a tombstone, so that forgotten text (`None`) can be told
from text whose keyring is missing (`KeyMissing`). Losing the file forgets everybody: back it up apart from the ledger.
"""

import base64
import fcntl
import hashlib
import json
import os
import threading
from binascii import b2a_base64 as _base64
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = "enc:"
KEY_BYTES = 32
KEY_ID_BYTES = 12
NONCE_BYTES = 12
BODY_TAG_BYTES = 4
BODY_MAC_BYTES = 12


class KeyMissing(Exception):
    """A text's key was never in this keyring: the keyring file belongs to another ledger, or a part of it is lost."""


class NotCipherText(ValueError):
    """What should be cipher text is not; personal text may have been stored in clear."""


@dataclass(frozen=True, slots=True)
class _Key:
    label: str  # "enc:<key id>:", what every text under this key begins with
    key_id: bytes
    cipher: AESGCM
    body_tag: bytes
    body_mac: Any  # keyed already: each body is hashed by a copy of it, which saves hashing the key again


class Keyring:
    """One key a subject (a client id, an agent, "provider"); forgetting the key erases the subject's text everywhere."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._guard = threading.RLock()
        self._state: tuple[int, int, int] | None = None
        self._generation = b""
        self._read_upto = 0
        self._current: dict[str, _Key] = {}
        self._by_id: dict[str, _Key] = {}
        self._forgotten: set[str] = set()
        self.refresh()

    def prepare(self, subjects: Iterable[str]) -> None:
        """Makes the keys that are missing, with one fsync for all; call it once a batch, before encrypting."""
        self.refresh()
        missing = {subject for subject in subjects if subject not in self._current}
        if not missing:
            return
        with self._guard, self._exclusively():
            self.refresh()  # another process may have made some meanwhile
            lines = [_key_line(subject) for subject in sorted(missing) if subject not in self._current]
            if lines:
                self._append(lines)
            self.refresh()

    def refresh(self) -> None:
        """Notices what other processes added or forgot; costs one stat when nothing changed."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return
        if (status.st_ino, status.st_size, status.st_mtime_ns) != self._state:
            with self._guard:
                self._read()

    def encrypt(self, subject: str, text: str) -> str:
        """The text under the subject's key, as "enc:<key id>:<base64>"; "" stays ""."""
        if not text:
            return ""
        key = self._key(subject)
        nonce = os.urandom(NONCE_BYTES)
        return key.label + _base64(nonce + key.cipher.encrypt(nonce, text.encode(), None), newline=False).decode()

    def decrypt(self, text: str) -> str | None:
        """The clear text, or None if its key was forgotten."""
        if not text:
            return ""
        prefix, _, rest = text.partition(":")
        key_id, _, sealed = rest.partition(":")
        if prefix + ":" != PREFIX or not sealed:
            raise NotCipherText(f"not a cipher text: {len(text)} characters without {PREFIX!r}")
        key = self._key_by_id(key_id)
        if key is None:
            return None
        raw = base64.b64decode(sealed)
        return key.cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None).decode()

    def encrypt_bytes(self, subject: str, value: bytes) -> bytes:
        """Bytes under the subject's key: key id, nonce, cipher text."""
        key = self._key(subject)
        nonce = os.urandom(NONCE_BYTES)
        return key.key_id + nonce + key.cipher.encrypt(nonce, value, None)

    def decrypt_bytes(self, sealed: bytes) -> bytes | None:
        """The clear bytes, or None if their key was forgotten."""
        key = self._key_by_id(_name(sealed[:KEY_ID_BYTES]))
        if key is None:
            return None
        start = KEY_ID_BYTES + NONCE_BYTES
        return key.cipher.decrypt(sealed[KEY_ID_BYTES:start], sealed[start:], None)

    def body_hash(self, subject: str, body: bytes) -> bytes:
        """16 bytes that tell a repeated message from a changed one and, once the key is forgotten, nothing else."""
        key = self._key(subject)
        mac = key.body_mac.copy()
        mac.update(body)
        digest: bytes = mac.digest()
        return key.body_tag + digest

    def same_body(self, subject: str, body: bytes, stored: bytes) -> bool | None:
        """Whether `stored` is this body's hash; None if it was made under a key forgotten since: nobody can tell."""
        if self._key(subject).body_tag != stored[:BODY_TAG_BYTES]:
            return None
        return self.body_hash(subject, body) == stored

    def forget(self, subject: str) -> bool:
        """Erases every key of the subject from the file; later text of the subject gets a new one. False if none."""
        with self._guard, self._exclusively():
            self.refresh()
            if not self.path.exists():
                return False
            kept = [_generation_line()]
            erased: list[str] = []
            for line in self.path.read_text(encoding="utf-8").splitlines():
                entry = _parse(line)
                if "key" in entry and entry["subject"] == subject:
                    erased.append(entry["id"])
                elif "id" in entry:
                    kept.append(line)
            if erased:
                self._replace([*kept, *(json.dumps({"id": key_id, "subject": subject}) for key_id in erased)])
                self.refresh()
            return bool(erased)

    def forgotten(self, text: str) -> bool:
        """Whether this cipher text can never be read again."""
        self.refresh()
        return text.removeprefix(PREFIX).partition(":")[0] in self._forgotten

    def _key(self, subject: str) -> _Key:
        key = self._current.get(subject)
        if key is None:
            self.prepare([subject])
            key = self._current[subject]
        return key

    def _key_by_id(self, key_id: str) -> _Key | None:
        key = self._by_id.get(key_id)
        if key is None and key_id not in self._forgotten:
            self.refresh()
            key = self._by_id.get(key_id)
            if key is None and key_id not in self._forgotten:
                raise KeyMissing(f"key {key_id} is not in {self.path.name}: is this the keyring of this ledger?")
        return key

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        # On a file beside it, because forgetting replaces the keyring itself.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _append(self, lines: list[str]) -> None:
        is_new = not self.path.exists()
        if is_new:
            lines = [_generation_line(), *lines]
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            # A line cut by a crash was never used; end it so that ours starts on its own.
            size = os.fstat(file).st_size
            torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
            _write_all(file, (("\n" if torn else "") + "".join(line + "\n" for line in lines)).encode())
            os.fsync(file)
        finally:
            os.close(file)
        if is_new:
            _sync_folder(self.path.parent)

    def _replace(self, lines: list[str]) -> None:
        fresh = self.path.with_name(self.path.name + ".new")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write_all(file, "".join(line + "\n" for line in lines).encode())
            os.fsync(file)
        finally:
            os.close(file)
        fresh.rename(self.path)
        _sync_folder(self.path.parent)

    def _read(self) -> None:
        with self.path.open("rb") as file:
            status = os.fstat(file.fileno())
            generation = file.readline()
            if generation != self._generation:  # rewritten by a forget: read anew, into fresh tables
                self._read_upto = 0
                current, by_id, forgotten = {}, {}, set()
            else:
                current, by_id, forgotten = self._current, self._by_id, self._forgotten
            file.seek(self._read_upto)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]  # a line still being written is read next time
        for line in whole.splitlines():
            entry = _parse(line)
            if "key" in entry:
                by_id[entry["id"]] = current[entry["subject"]] = _open_key(entry["id"], entry["key"])
            elif "id" in entry:
                forgotten.add(entry["id"])
        self._current, self._by_id, self._forgotten = current, by_id, forgotten
        self._read_upto += len(whole)
        self._generation = generation
        self._state = (status.st_ino, status.st_size, status.st_mtime_ns)


def _parse(line: str | bytes) -> dict[str, str]:
    try:
        entry: dict[str, str] = json.loads(line)
    except ValueError:
        return {}  # cut by a crash before its fsync, so nothing was encrypted under it
    return entry


def _generation_line() -> str:
    return json.dumps({"generation": os.urandom(KEY_ID_BYTES).hex()})


def _key_line(subject: str) -> str:
    return json.dumps({
        "id": _name(os.urandom(KEY_ID_BYTES)),
        "subject": subject,
        "key": base64.b64encode(os.urandom(KEY_BYTES)).decode(),
    })  # fmt: skip


def _open_key(name: str, encoded: str) -> _Key:
    key_id, secret = base64.urlsafe_b64decode(name), base64.b64decode(encoded)
    body_mac_key = hashlib.blake2b(secret, digest_size=32, person=b"daybook body").digest()
    return _Key(
        label=f"{PREFIX}{name}:",
        key_id=key_id,
        cipher=AESGCM(secret),
        body_tag=key_id[:BODY_TAG_BYTES],
        body_mac=hashlib.blake2b(key=body_mac_key, digest_size=BODY_MAC_BYTES),
    )


def _name(key_id: bytes) -> str:
    return base64.urlsafe_b64encode(key_id).decode()


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
