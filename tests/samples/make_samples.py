"""Writes the sample of every published record version that has none yet; one that exists is never touched."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE.parent / "schemas")]

from wire_values import example  # noqa: E402

from schemas.codec import encode  # noqa: E402
from schemas.json_lines import dump  # noqa: E402
from schemas.registry import published  # noqa: E402


def main() -> None:
    for record, reader in sorted(published().readers.items()):
        path = HERE / f"{record}.v{reader.version}.bin"
        if path.exists():
            continue
        path.write_bytes(encode(record, example(record)))
        path.with_suffix(".json").write_text(dump(record, example(record)) + "\n", "utf-8")
        print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
