import os
from dataclasses import dataclass
from pathlib import Path

LEGACY_STUB = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    host: str
    port: int
    keys_file: Path
    jwks_file: Path
    issuer: str
    audience: str

    @classmethod
    def from_env(cls) -> "Settings":
        env = os.environ
        return cls(
            host=env.get("HOST") or "127.0.0.1",
            port=port(env.get("PORT") or "3000"),
            keys_file=Path(env.get("KEYS_FILE") or LEGACY_STUB / "keys.json"),
            jwks_file=Path(env.get("JWKS_FILE") or LEGACY_STUB / "contract/keys/verification.json"),
            issuer=env.get("JWT_ISSUER") or "https://issuer.example",
            audience=env.get("JWT_AUDIENCE") or "https://api.example",
        )


def port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise ValueError(f'PORT is "{text}"; set it to a number from 0 (any free port) to 65535')
    return int(text)
