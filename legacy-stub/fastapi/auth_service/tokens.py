import json
import sys
from datetime import UTC, datetime

import jwt

from .config import Settings
from .keys import Grant

PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k"}


class Tokens:
    def __init__(self, jwks: list[dict], issuer: str, audience: str) -> None:
        self.issuer = issuer
        self.audience = audience
        self.keys = [key for key in map(read_key, jwks) if key is not None]
        self.public_keys = [
            jwk for jwk in jwks if jwk["kty"] != "oct" and any(key.key_id == jwk["kid"] for key in self.keys)
        ]

    @classmethod
    def load(cls, settings: Settings) -> "Tokens":
        """Reads the JWK set once: the keys that tokens may be signed with."""
        try:
            jwks = json.loads(settings.jwks_file.read_text())["keys"]
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{settings.jwks_file} is no JWK set; set JWKS_FILE to one") from None
        return cls(jwks, settings.issuer, settings.audience)

    def verify(self, token: str) -> Grant | None:
        try:
            header = jwt.get_unverified_header(token)
            key = self.choose(header)
            if key is None:
                return None
            claims = jwt.decode(
                token, key.key, algorithms=[key.algorithm_name], issuer=self.issuer, audience=self.audience
            )
        except jwt.PyJWTError:
            return None
        return grant_of(claims)

    def choose(self, header: dict) -> jwt.PyJWK | None:
        """The key of that id; without an id, the only key of that algorithm."""
        if "kid" in header:
            return next((key for key in self.keys if key.key_id == header["kid"]), None)
        fits = [key for key in self.keys if key.algorithm_name == header["alg"]]
        return fits[0] if len(fits) == 1 else None


def grant_of(claims: dict) -> Grant:
    scope = claims.get("scope", "")
    exp = claims.get("exp")
    return Grant(
        user_id=claims.get("sub"),
        expires_at=datetime.fromtimestamp(int(exp), UTC) if exp is not None else None,
        scopes=scope.split(),
        aud=claims["aud"],
        email=claims.get("email"),
        groups=claims.get("groups"),
        claims=claims,
    )


def read_key(jwk: dict) -> jwt.PyJWK | None:
    try:
        return jwt.PyJWK(jwk)
    except (jwt.PyJWTError, ValueError) as error:
        print(f"ignoring the key {jwk.get('kid')!r}: {error}; correct it in JWKS_FILE", file=sys.stderr)
        return None
