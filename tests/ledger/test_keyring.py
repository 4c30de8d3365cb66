"""A forgotten key makes its text unreadable for ever, everywhere, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_entries import new_event

from ledger.book import Book
from ledger.database import Database
from ledger.keyring import KeyMissing, Keyring, NotCipherText
from ledger.verify import verify

ROOT = Path(__file__).parents[2]


def test_text_comes_back_and_is_not_readable_in_between(keyring: Keyring) -> None:
    sealed = keyring.encrypt("acme", "Rang Zoë about the invoice")
    assert sealed.startswith("enc:")
    assert "Zo" not in sealed
    assert keyring.decrypt(sealed) == "Rang Zoë about the invoice"
    assert keyring.encrypt("acme", "x") != keyring.encrypt("acme", "x")


def test_bytes_come_back(keyring: Keyring) -> None:
    sealed = keyring.encrypt_bytes("provider", b"\x00\xff")
    assert keyring.decrypt_bytes(sealed) == b"\x00\xff"
    assert keyring.decrypt_bytes(keyring.encrypt_bytes("provider", b"")) == b""
    keyring.forget("provider")
    assert keyring.decrypt_bytes(sealed) is None


def test_no_text_stays_no_text(keyring: Keyring) -> None:
    assert keyring.encrypt("acme", "") == ""
    assert keyring.decrypt("") == ""


def test_forgotten_text_is_none_and_later_text_is_readable(keyring: Keyring) -> None:
    before, other = keyring.encrypt("acme", "before"), keyring.encrypt("bolt", "other")
    assert keyring.forget("acme")
    after = keyring.encrypt("acme", "after")
    assert [keyring.decrypt(text) for text in (before, other, after)] == [None, "other", "after"]
    assert keyring.forgotten(before)
    assert not keyring.forgotten(other)
    assert keyring.forget("acme")
    assert [keyring.decrypt(text) for text in (before, other, after)] == [None, "other", None]


def test_forgotten_key_is_gone_from_the_file(keyring: Keyring) -> None:
    keyring.encrypt("acme", "x")
    [key] = [entry["key"] for entry in map(json.loads, keyring.path.read_text().splitlines()) if "key" in entry]
    keyring.forget("acme")
    assert key not in "".join(path.read_text() for path in keyring.path.parent.iterdir())


def test_forgetting_somebody_unknown_says_so(keyring: Keyring) -> None:
    assert not keyring.forget("acme")
    keyring.encrypt("bolt", "x")
    assert not keyring.forget("acme")


def test_another_process_sees_new_and_forgotten_keys(keyring: Keyring) -> None:
    other = Keyring(keyring.path)
    sealed = keyring.encrypt("acme", "x")
    assert other.decrypt(sealed) == "x"
    keyring.encrypt("bolt", "x")
    keyring.forget("acme")
    other.refresh()
    assert other.decrypt(sealed) is None
    assert keyring.decrypt(other.encrypt("acme", "y")) == "y"
    assert keyring.encrypt("acme", "z").split(":")[1] == other.encrypt("acme", "z").split(":")[1]


def test_processes_that_start_at_once_agree_on_the_keys(keyring: Keyring) -> None:
    program = (
        "import sys; from ledger.keyring import Keyring; k = Keyring(sys.argv[1]); "
        "k.prepare(f'c{n}' for n in range(50)); [print(k.encrypt(f'c{n}', 'x')) for n in range(50)]"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", program, str(keyring.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    texts = [text for racer in racers for text in racer.communicate()[0].split()]
    assert len(texts) == 200
    assert {keyring.decrypt(text) for text in texts} == {"x"}
    assert len({text.split(":")[1] for text in texts}) == 50


def test_file_is_private_and_a_line_cut_by_a_crash_is_harmless(keyring: Keyring) -> None:
    sealed = keyring.encrypt("acme", "x")
    assert keyring.path.stat().st_mode & 0o777 == 0o600
    with keyring.path.open("a") as file:
        file.write('{"id": "AAAA", "subj')
    again = Keyring(keyring.path)
    assert again.decrypt(sealed) == "x"
    assert Keyring(keyring.path).decrypt(again.encrypt("bolt", "y")) == "y"
    again.forget("bolt")
    assert Keyring(keyring.path).decrypt(sealed) == "x"


def test_text_of_another_keyring_is_not_taken_for_forgotten(keyring: Keyring, tmp_path: Path) -> None:
    sealed = Keyring(tmp_path / "other.jsonl").encrypt("acme", "x")
    with pytest.raises(KeyMissing):
        keyring.decrypt(sealed)


def test_clear_text_is_not_taken_for_cipher_text(keyring: Keyring) -> None:
    with pytest.raises(NotCipherText):
        keyring.decrypt("Rang Zoë")


def test_body_hash_tells_a_repeat_from_a_change_until_forgotten(keyring: Keyring) -> None:
    stored = keyring.body_hash("acme", b"body")
    assert len(stored) == 16
    assert keyring.same_body("acme", b"body", stored) is True
    assert keyring.same_body("acme", b"other", stored) is False
    assert keyring.body_hash("bolt", b"body")[4:] != stored[4:]
    keyring.forget("acme")
    assert keyring.same_body("acme", b"body", stored) is None


def test_book_stays_sound_when_a_client_is_forgotten(book: Book, keyring: Keyring, database: Database) -> None:
    note = keyring.encrypt("acme", "Rang Zoë")
    book.append([new_event(state=json.dumps({"note": note}).encode())])
    keyring.forget("acme")
    assert keyring.decrypt(json.loads(book.read(0, 1)[0].state)["note"]) is None
    assert all(check.ok for check in verify(database))
