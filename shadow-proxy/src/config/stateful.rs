//! What is said about calls that change something: the tables `[[routes]]` and `[sessions]`.

use std::time::Duration;

use http::Method;

use crate::shadow::endpoint::Template;
use crate::shadow::route_class::{Route, RouteClass, Routes};
use crate::shadow::session::SessionLimits;

use super::reader::Section;

/// Each is looked at for every call that those before it do not cover.
const ROUTES_MAX: usize = 256;

pub struct Stateful {
    pub routes: Routes,
    pub sessions: SessionLimits,
}

/// `wait_max`: for how long a leg of each side may take.
pub fn read(root: &mut Section, wait_max: [Duration; 2]) -> Stateful {
    Stateful { routes: read_routes(root), sessions: read_sessions(root, wait_max) }
}

fn read_routes(root: &mut Section) -> Routes {
    let mut routes = Vec::new();
    for mut route in root.sections("routes", ROUTES_MAX) {
        routes.extend(read_route(&mut route));
        route.close(root);
    }
    Routes::new(routes)
}

fn read_sessions(root: &mut Section, wait_max: [Duration; 2]) -> SessionLimits {
    let mut sessions = root.section("sessions");
    let limits = SessionLimits {
        enabled: sessions.flag("enabled", true),
        entries_max: sessions.number("entries_max", 200_000, 1..=10_000_000, "values") as usize,
        ttl: Duration::from_secs(60 * sessions.number("ttl_minutes", 1_440, 1..=525_600, "minutes")),
        wait_max,
    };
    sessions.close(root);
    limits
}

fn read_route(route: &mut Section) -> Option<Route> {
    let path = route.required("path", "\"/sessions/*\"", |text| Template::parse(text).map_err(str::to_owned));
    let methods = route.list("methods", "[\"POST\"]", method);
    let class = route.required("class", "\"never\"", str::parse::<RouteClass>);
    Some(Route::new(path?, methods, class?))
}

/// Methods are case-sensitive, so `post` would be one that nobody sends.
fn method(text: &str) -> Result<Method, String> {
    let method = Method::from_bytes(text.as_bytes()).ok().filter(|_| !text.bytes().any(|c| c.is_ascii_lowercase()));
    method.ok_or_else(|| "is not a method in capitals".to_owned())
}
