//! Which calls may happen a second time, on which side: asking again what changes something would change it twice.

use http::Method;

use super::endpoint::Template;

/// What asking a route again does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteClass {
    /// Changes nothing: may be asked of either side, any number of times.
    Safe,
    /// Changes something: asked of the candidate, once, whose changes are its own.
    Isolated,
    /// Not to be asked of the candidate unless a client is served by it.
    Never,
}

impl std::str::FromStr for RouteClass {
    type Err = String;

    fn from_str(text: &str) -> Result<RouteClass, String> {
        match text {
            "safe" => Ok(RouteClass::Safe),
            "isolated" => Ok(RouteClass::Isolated),
            "never" => Ok(RouteClass::Never),
            _ => Err("is none of safe, isolated, never".to_owned()),
        }
    }
}

/// The classes that somebody wrote down; what they do not cover is classed by method.
#[derive(Clone, Debug, Default)]
pub struct Routes(Vec<Route>);

#[derive(Clone, Debug)]
pub struct Route {
    template: Template,
    /// None: all.
    methods: Option<Vec<Method>>,
    class: RouteClass,
}

impl Route {
    pub fn new(template: Template, methods: Option<Vec<Method>>, class: RouteClass) -> Route {
        Route { template, methods, class }
    }

    fn covers(&self, method: &Method, path: &str) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(method)) && self.template.covers(path)
    }
}

impl Routes {
    /// The first that covers a call decides.
    pub fn new(routes: Vec<Route>) -> Routes {
        Routes(routes)
    }

    pub fn class(&self, method: &Method, path: &str) -> RouteClass {
        match self.0.iter().find(|route| route.covers(method, path)) {
            Some(route) => route.class,
            None if method.is_safe() || only_validates(method, path) => RouteClass::Safe,
            None => RouteClass::Isolated,
        }
    }
}

/// Whether a call asks about a credential and does no more, whatever its method says.
fn only_validates(method: &Method, path: &str) -> bool {
    // Envoy asks with the method of the request it asks about, and with its path behind its own.
    let below_envoy = path.strip_prefix(ENVOY).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    below_envoy || (method == Method::POST && VALIDATING.contains(&path))
}

const ENVOY: &str = "/auth/envoy";
const VALIDATING: [&str; 4] = ["/auth/validate", "/auth/forward", "/auth/nginx", "/oauth2/introspect"];

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(rows: &[(&str, &[&str], RouteClass)]) -> Routes {
        let method = |name: &&str| Method::from_bytes(name.as_bytes()).expect("a method");
        let route = |&(path, methods, class): &(&str, &[&str], RouteClass)| {
            let methods = Some(methods.iter().map(method).collect()).filter(|methods: &Vec<_>| !methods.is_empty());
            Route::new(Template::parse(path).expect("a template"), methods, class)
        };
        Routes::new(rows.iter().map(route).collect())
    }

    fn assert_classes(routes: &Routes, rows: &[(&str, &str, RouteClass)]) {
        for &(method, path, class) in rows {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            assert_eq!(routes.class(&method, path), class, "{method} {path}");
        }
    }

    #[test]
    fn what_nobody_classed_goes_by_its_method_unless_it_only_validates() {
        use RouteClass::{Isolated, Safe};
        assert_classes(
            &Routes::default(),
            &[
                ("GET", "/anything", Safe),
                ("HEAD", "/anything", Safe),
                ("OPTIONS", "*", Safe),
                ("TRACE", "/", Safe),
                ("POST", "/auth/validate", Safe),
                ("POST", "/auth/forward", Safe),
                ("POST", "/auth/nginx", Safe),
                ("POST", "/oauth2/introspect", Safe),
                ("POST", "/auth/envoy", Safe),
                ("DELETE", "/auth/envoy/users/17", Safe),
                ("DELETE", "/auth/envoys", Isolated),
                ("PUT", "/auth/validate", Isolated),
                ("POST", "/auth/validate/more", Isolated),
                ("POST", "/oauth2/token", Isolated),
                ("POST", "/", Isolated),
                ("PURGE", "/", Isolated),
                ("get", "/", Isolated),
            ],
        );
    }

    #[test]
    fn the_first_route_that_covers_a_call_decides() {
        use RouteClass::{Isolated, Never, Safe};
        let routes = routes(&[
            ("/sessions/mine", &["DELETE"], Isolated),
            ("/sessions/*", &["POST", "DELETE"], Never),
            ("/search", &["POST"], Safe),
            ("/logout", &[], Never),
            ("/auth/validate", &["POST"], Isolated),
        ]);
        assert_classes(
            &routes,
            &[
                ("DELETE", "/sessions/mine", Isolated),
                ("POST", "/sessions/mine", Never),
                ("DELETE", "/sessions/17", Never),
                ("GET", "/sessions/17", Safe),
                ("DELETE", "/sessions/17/more", Isolated),
                ("POST", "/search", Safe),
                ("PUT", "/search", Isolated),
                ("GET", "/logout", Never),
                ("POST", "/auth/validate", Isolated),
            ],
        );
    }
}
