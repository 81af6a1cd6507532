//! What is the same for everybody: keys, health, version.

use serde::Serialize;

use crate::grant::StoreUnavailable;
use crate::http::Response;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::validate::ErrorBody;

/// `GET /.well-known/jwks.json`, the one answer that may be kept.
pub(crate) fn jwks(service: Service) -> Response {
    match service.tokens.public_keys() {
        Ok(keys) => {
            Response::of(200, "application/json", keys.into_bytes()).with("cache-control", "public, max-age=600")
        }
        Err(StoreUnavailable) => {
            let refusal = Refusal::Unavailable;
            refusal.mark(Response::json(refusal.status(), &ErrorBody { error: "temporarily_unavailable" }))
        }
    }
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
