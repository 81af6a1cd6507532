//! The way of one answer in parity mode.

use std::borrow::Cow;

use super::{Parity, Switch, body, express, proxies};
use crate::http::{Request, Response};

/// What Express would say, where `strict` is the answer of the core, its headers not yet complete.
pub(crate) fn answer(request: &Request, parity: Parity, strict: impl FnOnce(&Request) -> Response) -> Response {
    // The order is that of Express: the body, the route, the handler, and then what `res.json()` adds to everything.
    let read = match parity.has(Switch::JsonBodyFirst) {
        true => body::read(request),
        false => Ok(None),
    };
    let response = match read {
        Err(refused) => express::body_refused(refused, parity),
        Ok(read) => {
            let target = target(request, parity);
            let body = read.as_ref().map_or(request.body, |read| read);
            let response = strict(&Request { target: &target, body, ..*request });
            let response = express::wrong_method(request, parity, response);
            let response = express::not_found(request, parity, response);
            proxies::plain(request, parity, response)
        }
    };
    express::dress(request, parity, response)
}

/// The target that Express's router finds a route for. The path is not decoded (Express does not do it either).
fn target<'a>(request: &Request<'a>, parity: Parity) -> Cow<'a, str> {
    let (path, rest) = request.target.split_at(request.path().len());
    let trimmed = match path.strip_suffix('/') {
        Some(trimmed) if parity.has(Switch::LooseSlash) && !trimmed.is_empty() => trimmed,
        _ => path,
    };
    if parity.has(Switch::IgnorePathCase) && path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(trimmed.to_ascii_lowercase() + rest)
    } else if trimmed.len() < path.len() {
        Cow::Owned(trimmed.to_owned() + rest)
    } else {
        Cow::Borrowed(request.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Body, BodyDefect, Headers};

    struct Nothing;

    impl Headers for Nothing {
        fn values(&self, _name: &str) -> Vec<Vec<u8>> {
            Vec::new()
        }
    }

    impl Body for Nothing {
        fn read(&self, _bytes_max: usize) -> Result<Vec<u8>, BodyDefect> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn a_path_is_as_the_router_sees_it_and_the_query_as_sent() {
        let of = |target, switches: &[Switch]| {
            let parity = switches.iter().fold(Parity::STRICT, |parity, &switch| parity.with(switch));
            let request = Request { method: "GET", target, headers: &Nothing, body: &Nothing };
            super::target(&request, parity).into_owned()
        };
        let (case, slash) = (Switch::IgnorePathCase, Switch::LooseSlash);
        assert_eq!(of("/A/B/?C=/D/", &[]), "/A/B/?C=/D/");
        assert_eq!(of("/A/B/?C=/D/", &[case]), "/a/b/?C=/D/");
        assert_eq!(of("/A/B/?C=/D/", &[slash]), "/A/B?C=/D/");
        assert_eq!(of("/A/B/?C=/D/", &[case, slash]), "/a/b?C=/D/");
        assert_eq!(of("/a//", &[slash]), "/a/", "one slash, not all");
        assert_eq!(of("/", &[slash]), "/");
        assert_eq!(of("/a/%2F", &[case, slash]), "/a/%2f");
    }
}
