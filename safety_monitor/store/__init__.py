"""The store: everything that is kept, in SQLite or PostgreSQL, and the one way to write it.

``tables`` are the rows, ``session`` the only commit, ``audit`` the history that triggers write.
"""

from safety_monitor.store.session import (
    StoreError,
    bulk_insert,
    clear,
    connect,
    downgrade,
    is_current,
    pending,
    reading,
    transaction,
    upgrade,
)

__all__ = [
    "StoreError",
    "bulk_insert",
    "clear",
    "connect",
    "downgrade",
    "is_current",
    "pending",
    "reading",
    "transaction",
    "upgrade",
]
