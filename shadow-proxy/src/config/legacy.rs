//! The section `[legacy]`, and the URLs and certificates of services in general.

use std::net::IpAddr;
use std::time::Duration;

use http::Uri;

use crate::side::legacy::LegacyLimits;
use crate::side::tls::{Trust, server_name};

use super::reader::Section;
use super::url;

pub struct LegacyConfig {
    pub url: Uri,
    pub limits: LegacyLimits,
    pub trust: Trust,
    /// Whether it is told the addresses of clients, and the candidate with it.
    pub is_forwarded: bool,
}

impl LegacyConfig {
    /// What changes for legacy where clients are on other machines: it knew their addresses until now.
    pub fn unnamed_clients(&self, listen: IpAddr) -> Option<&'static str> {
        let consequence = "legacy sees this proxy's address in place of its clients': whatever it limits, allows or logs by \
             address takes them all for one client; unless a proxy in front names them, set legacy.forwarded = \"append\" \
             and let legacy trust this proxy";
        (!self.is_forwarded && !listen.is_loopback()).then_some(consequence)
    }
}

/// None where the URL is missing or wrong.
pub fn read(root: &mut Section, body_bytes_max: usize) -> (Option<LegacyConfig>, Duration) {
    let mut section = root.section("legacy");
    let url = section.required("url", "\"http://127.0.0.1:3000\"", origin);
    let limits = LegacyLimits {
        connect: section.millis("connect_ms", 1_000),
        deadline: section.millis("deadline_ms", 30_000),
        idle: section.millis("idle_ms", 4_000),
        body_bytes_max,
    };
    let deadline = limits.deadline;
    let trust = read_trust(&mut section, url.as_ref());
    let forwarded = section.parsed("forwarded", "none", "\"append\"", |text| match text {
        "none" => Ok(false),
        "append" => Ok(true),
        _ => Err("is neither append nor none".to_owned()),
    });
    section.close(root);
    let is_forwarded = forwarded.unwrap_or(false);
    (url.map(|url| LegacyConfig { url, limits, trust, is_forwarded }), deadline)
}

/// How the service at a section's `url` is recognised.
pub fn read_trust(section: &mut Section, url: Option<&Uri>) -> Trust {
    let is_tls = url.is_some_and(|url| url.scheme_str() == Some("https"));
    for key in ["ca_file", "server_name"] {
        if url.is_some() && !is_tls && section.has(key) {
            section.wrong(key, "has nothing to check: url is not https", "url = \"https://auth.example\"");
        }
    }
    let ca_file = section.file("ca_file");
    let server_name =
        section.optional("server_name", "\"auth.example\"", |text| server_name(text).map(|_| text.to_owned()));
    Trust { ca_file, server_name }
}

/// `http://HOST:PORT` or `https://HOST:PORT`, without a path.
pub fn origin(text: &str) -> Result<Uri, String> {
    let uri = url(text)?;
    match (uri.scheme_str(), uri.authority(), uri.path_and_query().map(|path| path.as_str())) {
        (Some("http" | "https"), Some(_), None | Some("/")) => Ok(uri),
        (Some("http" | "https"), Some(_), _) => Err("has a path; requests bring their own".to_owned()),
        _ => Err("is not http://HOST:PORT".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Overrides, parse};

    #[test]
    fn clients_that_legacy_does_not_see_are_mentioned_unless_they_are_on_this_machine() {
        for (forwarded, listen, is_mentioned) in [
            ("none", "0.0.0.0", true),
            ("none", "2001:db8::1", true),
            ("none", "127.0.0.1", false),
            ("none", "::1", false),
            ("append", "0.0.0.0", false),
        ] {
            let toml = format!("legacy = {{ url = \"http://127.0.0.1:1\", forwarded = \"{forwarded}\" }}");
            let config = parse(&toml, &Overrides::new()).unwrap_or_else(|wrong| panic!("{wrong:?}"));
            let said = config.legacy.unnamed_clients(listen.parse().unwrap());
            assert_eq!(said.is_some(), is_mentioned, "{forwarded} {listen}");
        }
    }
}
