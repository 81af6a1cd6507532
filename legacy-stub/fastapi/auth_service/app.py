import base64
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

from fastapi import Depends, FastAPI, Form, HTTPException, Request, Response, status
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from .keys import Grant, Keys
from .tokens import Tokens

ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
CHALLENGE = {"WWW-Authenticate": "Bearer"}
CLAIMS = ["client_id", "exp", "iat", "nbf", "sub", "aud", "iss", "jti"]

bearer = HTTPBearer(auto_error=False)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


def create_app(keys: Keys, tokens: Tokens) -> FastAPI:
    app = FastAPI(title="auth-service", docs_url=None, redoc_url=None, openapi_url=None)

    def authenticate(credential: str | None) -> Grant | None:
        if credential and "." in credential:
            return tokens.verify(credential)
        return keys.find(credential)

    def current_grant(credentials: Credentials) -> Grant:
        grant = authenticate(credentials.credentials if credentials else None)
        if grant is None:
            raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Not authenticated", CHALLENGE)
        return grant

    def introspecting_client(request: Request) -> None:
        client = keys.find(client_key(request, keys))
        if client is None:
            raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Not authenticated", CHALLENGE)
        if "introspect" not in client.scopes:
            raise HTTPException(status.HTTP_403_FORBIDDEN, "Not enough permissions")

    @app.post("/auth/validate")
    async def validate(credentials: Credentials):
        grant = authenticate(credentials.credentials if credentials else None)
        if grant is None:
            refusal = {"valid": False, "user_id": None, "expires_at": None}
            return JSONResponse(refusal, status.HTTP_401_UNAUTHORIZED, CHALLENGE)
        return {"valid": True, "user_id": grant.user_id, "expires_at": milliseconds(grant)}

    @app.api_route("/auth/forward", methods=ANY_METHOD)
    @app.api_route("/auth/nginx", methods=ANY_METHOD)
    async def forward(
        grant: Annotated[Grant, Depends(current_grant)], scope: str | None = None, aud: str | None = None
    ):
        audiences = [grant.aud] if isinstance(grant.aud, str) else grant.aud or []
        if scope and not set(scope.split()) <= set(grant.scopes) or aud and aud not in audiences:
            raise HTTPException(status.HTTP_403_FORBIDDEN, "Not enough permissions")
        return Response(headers=identity(grant))

    @app.api_route("/auth/envoy", methods=ANY_METHOD)
    @app.api_route("/auth/envoy/{path:path}", methods=ANY_METHOD)
    async def envoy(grant: Annotated[Grant, Depends(current_grant)]):
        return Response(headers=identity(grant))

    @app.post("/oauth2/introspect", dependencies=[Depends(introspecting_client)])
    async def introspect(token: Annotated[str, Form()]):
        grant = authenticate(token)
        return {"active": False} if grant is None else describe(grant)

    @app.get("/.well-known/jwks.json")
    async def jwks():
        return {"keys": tokens.public_keys}

    @app.get("/healthz")
    async def healthz():
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz(response: Response):
        checks = {"keys": "ok" if keys.records else "failed", "jwks": "ok" if tokens.keys else "failed"}
        ready = set(checks.values()) == {"ok"}
        response.status_code = 200 if ready else 503
        return {"status": "ok" if ready else "unavailable", "checks": checks}

    @app.get("/version")
    async def own_version():
        try:
            number = version("auth-service")
        except PackageNotFoundError:
            number = "source"
        return {"name": "auth-service", "version": number}

    return app


def milliseconds(grant: Grant) -> str | None:
    if grant.expires_at is None:
        return None
    return grant.expires_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def identity(grant: Grant) -> dict[str, str]:
    headers = {
        "X-Auth-Request-User": grant.user_id,
        "X-Auth-Request-Email": grant.email,
        "X-Auth-Request-Groups": ",".join(grant.groups) if grant.groups else None,
    }
    return {name: value for name, value in headers.items() if value is not None}


def client_key(request: Request, keys: Keys) -> str | None:
    """The key of `Bearer <key>`, or of `Basic base64(user_id:key)` when it belongs to that user."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value
    if scheme.lower() != "basic":
        return None
    try:
        user_id, _, key = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return None
    grant = keys.find(key)
    return key if grant and grant.user_id == user_id else None


def describe(grant: Grant) -> dict:
    described = {"active": True, "scope": " ".join(grant.scopes), "token_type": "Bearer"}
    if grant.claims is None:
        described |= {"exp": int(grant.expires_at.timestamp()), "sub": grant.user_id}
        return described | ({"aud": grant.aud} if grant.aud else {})
    return described | {name: grant.claims[name] for name in CLAIMS if name in grant.claims}
