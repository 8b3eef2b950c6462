"""What the platform of one session clears away of others: its own kind's remains, and nothing else."""

from pathlib import Path

from hkcli.backend.ephemeral import PREFIX, sweep
from hkcli.backend.home import Home


def test_remains_go_and_a_link_to_somebodys_data_is_not_followed(tmp_path: Path) -> None:
    kept = Home.create(tmp_path / "kept")
    kept.secret()
    database = kept.root / "postgresql" / "data"
    database.mkdir(parents=True)
    remains = Home.create(tmp_path / f"{PREFIX}killed")
    remains.secret()
    (tmp_path / f"{PREFIX}link").symlink_to(kept.root)
    sweep(tmp_path)
    assert not remains.root.exists()
    assert not (kept.root / "lock").exists() and database.exists()
