//! Which endpoint a call is for, under a name that can be shown: paths by template, given or learned, all others as one.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use http::Method;

/// Paths that calls are named by; `*` is one segment of any text.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    /// Those with fewer stars first, so that `/users/me` is not `/users/*`.
    templates: Vec<Named>,
    /// Of paths that legacy knows and nobody gave a template.
    learned: Arc<RwLock<HashMap<String, Names>>>,
    unnamed: Names,
}

impl Endpoints {
    /// All errors at once, each as `"template": what is wrong; what to write`.
    pub(crate) fn parse(templates: &[String]) -> Result<Endpoints, Vec<String>> {
        let mut errors: Vec<String> =
            templates.iter().filter_map(|text| fault(text).map(|fault| format!("{text:?}: {fault}"))).collect();
        if templates.len() > TEMPLATES_MAX {
            errors.push(format!("{} templates; use `*` to write at most {TEMPLATES_MAX}", templates.len()));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let named = |text: &String| Named { template: Template::new(text), names: names(text) };
        let mut templates: Vec<Named> = templates.iter().map(named).collect();
        templates.sort_by_key(|named| named.template.stars());
        Ok(Endpoints { templates, learned: Arc::default(), unnamed: names(UNNAMED) })
    }

    /// `POST /auth/validate` for a path with a template, `POST (unnamed)` for any other: never the path itself, which may
    /// hold a secret or be one of a million. `learnable` is the path with a star for each segment that is no plain word.
    pub(crate) fn name(&self, method: &Method, path: &str, learnable: impl FnOnce() -> String) -> Arc<str> {
        let index = method_index(method);
        if let Some(named) = self.templates.iter().find(|named| named.template.covers(path)) {
            return named.names[index].clone();
        }
        let learned = self.learned.read().expect("nothing panics while it learns");
        learned.get(&learnable()).unwrap_or(&self.unnamed)[index].clone()
    }

    /// Keeps a template for paths like this one, while there is room: the rest stays in one bucket.
    pub(crate) fn learn(&self, path: &str, learnable: impl FnOnce() -> String) {
        if self.templates.iter().any(|named| named.template.covers(path)) {
            return;
        }
        let template = learnable();
        let is_new = |learned: &HashMap<String, Names>| learned.len() < LEARNED_MAX && !learned.contains_key(&template);
        if fault(&template).is_some() || !is_new(&self.learned.read().expect("nothing panics while it learns")) {
            return;
        }
        let mut learned = self.learned.write().expect("nothing panics while it learns");
        if is_new(&learned) {
            let names = names(&template);
            learned.insert(template, names);
        }
    }

    /// The segments that templates spell out, which are no secrets then.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.templates.iter().flat_map(|named| named.template.words())
    }
}

impl Default for Endpoints {
    fn default() -> Self {
        Endpoints::parse(&DEFAULT_TEMPLATES.map(str::to_owned)).expect("the default templates are well-formed")
    }
}

/// The method when it is a standard one, else `OTHER`: a client can invent methods without end.
pub(crate) fn method_name(method: &Method) -> &'static str {
    METHODS[method_index(method)]
}

#[derive(Clone, Debug)]
struct Named {
    template: Template,
    names: Names,
}

/// A path in which `*` is one segment of any text.
#[derive(Clone, Debug)]
pub struct Template {
    segments: Vec<Box<str>>,
}

impl Template {
    /// # Errors
    /// What is wrong with it; what to write.
    pub(crate) fn parse(text: &str) -> Result<Template, &'static str> {
        fault(text).map_or_else(|| Ok(Template::new(text)), Err)
    }

    fn new(text: &str) -> Template {
        Template { segments: text.split('/').skip(1).map(Box::from).collect() }
    }

    fn stars(&self) -> usize {
        self.segments.iter().filter(|segment| &***segment == "*").count()
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().map(|segment| &**segment).filter(|segment| *segment != "*" && !segment.is_empty())
    }

    pub(crate) fn covers(&self, path: &str) -> bool {
        let mut segments = path.split('/').skip(1);
        self.segments.iter().all(|expected| {
            segments.next().is_some_and(|segment| match &**expected {
                "*" => !segment.is_empty(),
                word => word == segment,
            })
        }) && segments.next().is_none()
    }
}

/// One name for each of `METHODS`, made once so that naming a call allocates nothing.
type Names = [Arc<str>; METHODS.len()];

fn names(path: &str) -> Names {
    METHODS.map(|method| format!("{method} {path}").into())
}

fn method_index(method: &Method) -> usize {
    METHODS.iter().position(|name| *name == method.as_str()).unwrap_or(METHODS.len() - 1)
}

fn fault(template: &str) -> Option<&'static str> {
    if template == "/" {
        return None;
    }
    let Some(segments) = template.strip_prefix('/') else {
        return Some("a path begins with a slash; write for example `/auth/validate`");
    };
    let is_plain = |segment: &str| {
        !segment.is_empty()
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()+,;=:@%".contains(&byte))
    };
    if template.len() > TEMPLATE_BYTES_MAX {
        Some("longer than 256 bytes; shorten it with `*`, which stands for one segment")
    } else if !segments.split('/').all(|segment| segment == "*" || is_plain(segment)) {
        Some(
            "a segment is empty or has a character that paths do not have; write for example `/users/*`, without query",
        )
    } else {
        None
    }
}

/// What stands for every path that no template covers.
pub(crate) const UNNAMED: &str = "(unnamed)";

pub(crate) const DEFAULT_TEMPLATES: [&str; 4] = ["/auth/validate", "/healthz", "/readyz", "/"];

const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", METHOD_OF_OTHERS];
/// What stands for a method that could be anybody's word.
pub(crate) const METHOD_OF_OTHERS: &str = "OTHER";

/// Each is a series in the metrics, so a few hundred are already many.
const TEMPLATES_MAX: usize = 256;
const TEMPLATE_BYTES_MAX: usize = 256;
/// Beside those that were given.
const LEARNED_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_named_by_its_template() {
        let endpoints = Endpoints::parse(&["/users/*", "/users/me", "/", "/a/*/c"].map(str::to_owned)).unwrap();
        for (method, path, name) in [
            ("GET", "/", "GET /"),
            ("GET", "/users/17", "GET /users/*"),
            ("GET", "/users/me", "GET /users/me"),
            ("POST", "/users/", "POST (unnamed)"),
            ("POST", "/users", "POST (unnamed)"),
            ("POST", "/users/me/", "POST (unnamed)"),
            ("DELETE", "/a/b/c", "DELETE /a/*/c"),
            ("OPTIONS", "*", "OPTIONS (unnamed)"),
            ("PURGE", "/users/me", "OTHER /users/me"),
            ("get", "/Users/me", "OTHER (unnamed)"),
            ("GET", "", "GET (unnamed)"),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(&*endpoints.name(&method, path, String::new), name, "{method} {path}");
        }
        assert_eq!(&*Endpoints::default().name(&Method::POST, "/auth/validate", String::new), "POST /auth/validate");
    }

    #[test]
    fn templates_are_learned_up_to_a_number() {
        let endpoints = Endpoints::parse(&["/a/*".to_owned()]).unwrap();
        let name = |path: &str, template: &str| endpoints.name(&Method::GET, path, || template.to_owned()).to_string();
        assert_eq!(name("/users/17", "/users/*"), "GET (unnamed)");
        endpoints.learn("/users/17", || "/users/*".to_owned());
        endpoints.learn("/a/17", || unreachable!("it has a template"));
        endpoints.learn("//", || "//".to_owned());
        assert_eq!((name("/users/18", "/users/*"), name("//", "//")), ("GET /users/*".into(), "GET (unnamed)".into()));
        for number in 0..1_000 {
            endpoints.learn("/b", || format!("/b{number}"));
        }
        assert_eq!(name("/b1", "/b1"), "GET /b1");
        assert_eq!(name("/b999", "/b999"), "GET (unnamed)");
    }

    #[test]
    fn what_is_not_a_template_is_refused() {
        let faulty =
            ["", "users", "//", "/users/", "/users?id=1", "/us*rs", "/a b", "/ü", &format!("/{}", "a".repeat(300))];
        let errors = Endpoints::parse(&faulty.map(str::to_owned)).unwrap_err();
        assert_eq!(errors.len(), faulty.len());
        assert!(errors.iter().all(|error| error.contains("; ")), "{errors:?}");
        assert_eq!(Endpoints::parse(&vec!["/a".to_owned(); TEMPLATES_MAX + 1]).unwrap_err().len(), 1);
    }
}
