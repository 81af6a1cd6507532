import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass
class Grant:
    """What a credential stands for."""

    user_id: str | None
    expires_at: datetime | None
    scopes: list[str] = field(default_factory=list)
    aud: str | list[str] | None = None
    email: str | None = None
    groups: list[str] | None = None
    claims: dict[str, Any] | None = None


class Keys:
    def __init__(self, records: dict[str, dict]) -> None:
        self.records = records

    @classmethod
    def load(cls, file: Path) -> "Keys":
        """Reads the key file once: a JSON list of {key, user_id, expires_at, ...}."""
        try:
            return cls({entry["key"]: read_record(entry) for entry in json.loads(file.read_text())})
        except (KeyError, TypeError, ValueError):
            # The parser's message may quote the file, which holds keys.
            message = f'{file} is no list of {{"key", "user_id", "expires_at"}}; correct it, or set KEYS_FILE'
            raise ValueError(message) from None

    def find(self, key: str | None) -> Grant | None:
        record = self.records.get(key)
        now = datetime.now(UTC)
        if record is None or not record["not_before"] <= now < record["end"]:
            return None
        return record["grant"]


def read_record(entry: dict) -> dict:
    expires_at = date(entry["expires_at"])
    if "grace_until" in entry:
        expires_at = min(expires_at, date(entry["grace_until"]))
    grant = Grant(
        user_id=entry["user_id"],
        expires_at=expires_at,
        scopes=entry.get("scopes", []),
        aud=entry.get("aud"),
        email=entry.get("email"),
        groups=entry.get("groups"),
    )
    return {
        "grant": grant,
        "not_before": date(entry.get("not_before", "1970-01-01T00:00:00Z")),
        "end": min(expires_at, date(entry.get("revoked_at", "9999-12-31T23:59:59Z"))),
    }


def date(text: str) -> datetime:
    return datetime.fromisoformat(text)
