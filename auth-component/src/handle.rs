//! Routes.

use crate::http::{Request, Response};
#[cfg(feature = "parity")]
use crate::parity;
use crate::proxies::{self, Proxy};
use crate::service::Service;
use crate::validate::ErrorBody;
use crate::{documents, introspect, validate};

/// The answer to one request. `now` is in seconds since the Unix epoch.
///
/// The paths and their answers are specified in legacy-stub/README.md, section "The API"; the checks run in the order
/// given there. With switches of parity on, the answer is dressed like that of the Express service.
pub fn handle(request: &Request, service: Service, now: u64) -> Response {
    #[cfg(feature = "parity")]
    if service.parity != parity::Parity::STRICT {
        return parity::answer(request, service.parity, |request| route(request, service, now));
    }
    let response = route(request, service, now).uncached();
    if request.method == "HEAD" { response.without_body() } else { response }
}

fn route(request: &Request, service: Service, now: u64) -> Response {
    match request.path() {
        "/auth/validate" => only_post(request, || validate::answer(request, service, now)),
        "/auth/forward" => proxies::answer(Proxy::Forward, request, service, now),
        "/auth/nginx" => proxies::answer(Proxy::Nginx, request, service, now),
        "/auth/envoy" => proxies::answer(Proxy::Envoy, request, service, now),
        path if path.starts_with("/auth/envoy/") => proxies::answer(Proxy::Envoy, request, service, now),
        "/oauth2/introspect" => only_post(request, || introspect::answer(request, service, now)),
        "/.well-known/jwks.json" => only_get(request, || documents::jwks(service)),
        "/healthz" => only_get(request, documents::healthz),
        "/readyz" => only_get(request, || documents::readyz(service)),
        "/version" => only_get(request, documents::version),
        _ => Response::json(404, &ErrorBody { error: "not_found" }),
    }
}

fn only_post(request: &Request, answer: impl FnOnce() -> Response) -> Response {
    if request.method == "POST" { answer() } else { method_not_allowed("POST") }
}

fn only_get(request: &Request, answer: impl FnOnce() -> Response) -> Response {
    if matches!(request.method, "GET" | "HEAD") { answer() } else { method_not_allowed("GET, HEAD") }
}

fn method_not_allowed(allow: &str) -> Response {
    Response::json(405, &ErrorBody { error: "method_not_allowed" }).with("allow", allow)
}
