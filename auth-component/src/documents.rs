//! What is the same for everybody: keys, health, version.

use serde::Serialize;

use crate::http::Response;
use crate::service::Service;

/// `GET /.well-known/jwks.json`, the one answer that may be kept.
pub(crate) fn jwks(service: Service) -> Response {
    Response::of(200, "application/json", service.tokens.public_keys().into_bytes())
        .with("cache-control", "public, max-age=600")
}

/// `GET /healthz`: asks nobody.
pub(crate) fn healthz() -> Response {
    Response::json(200, &Health { status: "ok", checks: None })
}

/// `GET /readyz`
pub(crate) fn readyz(service: Service) -> Response {
    let (keys, tokens) = (service.keys.are_ready(), service.tokens.are_ready());
    let state = |ready| if ready { "ok" } else { "failed" };
    let checks = Some(Checks { keys: state(keys), jwks: state(tokens) });
    match keys && tokens {
        true => Response::json(200, &Health { status: "ok", checks }),
        false => Response::json(503, &Health { status: "unavailable", checks }),
    }
}

/// `GET /version`
pub(crate) fn version() -> Response {
    Response::json(200, &Version { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") })
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Checks>,
}

#[derive(Serialize)]
struct Checks {
    keys: &'static str,
    jwks: &'static str,
}

#[derive(Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
}
