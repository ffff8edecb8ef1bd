"""Faults in leases of trials."""

from __future__ import annotations

from tests.mutants.engine import of

AT = "trainables.storage.lease"
MUTANTS = [
    *of(f"{AT}:Driver.ended", "",
        ("self.machine != _machine()", "False"),
        ("psutil.STATUS_ZOMBIE", "psutil.STATUS_RUNNING"),
    ),
    *of(f"{AT}:Leases.claim", "",
        ("not self.storage.local", "False"),
        ("found == self.owner", "False"),
        ("not self._free(file, found, _now(self._folder))", "False"),
    ),
    *of(f"{AT}:Leases.held_by_others", "",
        ("owner != self.owner", "True"),
        ("not self._free(file, owner, now)", "True"),
    ),
    *of(f"{AT}:Leases.remove_stale", "",
        ("not self._beats(name.removesuffix(DRIVER), now)", "False"),
        ("(owner := _text(file)) is not None and self._free(file, owner, now)", "False"),
    ),
    *of(f"{AT}:Leases._free", "",
        ("now - file.stat().st_mtime > STALE", "False"),
    ),
    *of(f"{AT}:Leases._beats", "",
        ("now - last < STALE", "True"),
        ("not (driver is not None and driver.ended)", "True"),
    ),
    *of(f"{AT}:_beat", "",
        ("os.utime(file)", ""),
        ("_created(file, described)", ""),
    ),
    *of(f"{AT}:_leave", "",
        ("_remove(folder / name, owner)", ""),
        ("folder.rmdir()", ""),
    ),
    *of(f"{AT}:_create", "",
        ("'x'", "'w'"),
    ),
    *of(f"{AT}:_now", "",
        ("file.stat().st_mtime", "time.time()"),
    ),
]  # fmt: skip
