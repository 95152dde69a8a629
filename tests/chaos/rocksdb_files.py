"""What the RocksDB files of a stopped worker hold."""

from pathlib import Path

from rocksdict import AccessType, Options, Rdict

OFFSET_KEY = b"__faust\0offset__"
"""Under this key Faust keeps the changelog offset of a partition; it is no entry of the table."""


def rocksdb_contents(datadir: Path, table: str) -> dict[tuple[int, bytes], bytes]:
    """(partition, key) -> value of a table, over all its partitions on this disk."""
    contents: dict[tuple[int, bytes], bytes] = {}
    for path in datadir.rglob(f"{table}-*.db"):
        partition = int(path.stem.rpartition("-")[2])
        options = Options(raw_mode=True)
        options.create_if_missing(False)
        db = Rdict(str(path), options, access_type=AccessType.read_only())
        contents.update({(partition, bytes(key)): bytes(value) for key, value in db.items() if key != OFFSET_KEY})  # type: ignore[arg-type]  # raw mode gives bytes
        db.close()
    return contents
