//! `/outbound/SCHEME/AUTHORITY/PATH`: what comes of a request to there, as text.

use wasi::http::outgoing_handler;
use wasi::http::types::{ErrorCode, Fields, Method, OutgoingBody, OutgoingRequest, Scheme};

pub fn ask(target: &str) -> String {
    let mut parts = target.splitn(5, '/').skip(2);
    let mut next = || parts.next().unwrap_or_default();
    let (scheme, authority, path) = (next(), next(), next());
    match status(scheme, authority, path) {
        Ok(status) => status.to_string(),
        Err(error) => format!("{error:?}"),
    }
}

fn status(scheme: &str, authority: &str, path: &str) -> Result<u16, ErrorCode> {
    let request = OutgoingRequest::new(Fields::new());
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    request.set_method(&Method::Post).expect("a method");
    request.set_scheme(Some(&scheme)).expect("a scheme");
    request.set_authority(Some(authority)).expect("an authority");
    request.set_path_with_query(Some(&format!("/{path}"))).expect("a path");
    let body = request.body().expect("the body is taken once");
    let answer = outgoing_handler::handle(request, None)?;
    OutgoingBody::finish(body, None)?;
    answer.subscribe().block();
    let response = answer.get().expect("it is there").expect("it is taken once")?;
    Ok(response.status())
}
