//! The object `introspection` of the settings: whom to ask, as whom, and for how long an answer is kept.

use base64ct::{Base64, Encoding};
use serde::Deserialize;

use super::Question;
use crate::form;

pub struct Endpoint {
    is_secure: bool,
    authority: String,
    path_and_query: String,
    pub(super) client_id: String,
    client_secret: String,
    /// Whose tokens these are: an answer that names another is about a token that is not for here.
    pub(super) issuer: String,
    /// A token must name one of these; where there are none, the issuer decides whom it tells about which token.
    pub(super) audiences: Vec<String>,
    pub(super) cache_s_max: u64,
    pub(super) negative_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct RawEndpoint {
    url: String,
    client_id: String,
    client_secret: String,
    issuer: String,
    #[serde(default)]
    audiences: Vec<String>,
    #[serde(default = "cache_s_max")]
    cache_s_max: u64,
    #[serde(default = "negative_s")]
    negative_s: u64,
}

const TOKEN: &str = "token=";
const HINT: &str = "&token_type_hint=access_token";
const TEXT_BYTES_MAX: usize = 256;
const URL_BYTES_MAX: usize = 2_048;
const AUDIENCES_MAX: usize = 32;
/// For so long a revoked token may stay good.
pub const CACHE_S_MAX: u64 = 300;
pub const NEGATIVE_S_MAX: u64 = 60;

fn cache_s_max() -> u64 {
    60
}

fn negative_s() -> u64 {
    5
}

impl RawEndpoint {
    /// None where something is too long or too large, or the URL is no URL.
    pub(in crate::store) fn read(self) -> Option<Endpoint> {
        let (is_secure, authority, path_and_query) = parts(&self.url)?;
        let texts = [&self.client_id, &self.client_secret, &self.issuer];
        let are_good = texts.into_iter().chain(&self.audiences).all(|text| is_plain(text))
            && self.audiences.len() <= AUDIENCES_MAX
            && self.cache_s_max <= CACHE_S_MAX
            && self.negative_s <= NEGATIVE_S_MAX;
        are_good.then(|| Endpoint {
            is_secure,
            authority: authority.to_owned(),
            path_and_query: path_and_query.to_owned(),
            client_id: self.client_id,
            client_secret: self.client_secret,
            issuer: self.issuer,
            audiences: self.audiences,
            cache_s_max: self.cache_s_max,
            negative_s: self.negative_s,
        })
    }
}

impl Endpoint {
    /// Whether a question can be sent there: `https://` or `http://`, a host, a path.
    pub fn is_url(text: &str) -> bool {
        parts(text).is_some()
    }

    /// Whether the token is active (RFC 7662 §2.1), from a client with a password (RFC 6749 §2.3.1).
    pub(super) fn question(&self, token: &str) -> Question<'_> {
        let mut user = String::new();
        form::encode(&self.client_id, &mut user);
        user.push(':');
        form::encode(&self.client_secret, &mut user);
        // Room for all of it at once, for it may be the longest text of the request.
        let mut body = String::with_capacity(TOKEN.len() + 3 * token.len() + HINT.len());
        body.push_str(TOKEN);
        form::encode(token, &mut body);
        body.push_str(HINT);
        Question {
            is_secure: self.is_secure,
            authority: &self.authority,
            path_and_query: &self.path_and_query,
            headers: vec![
                ("authorization", format!("Basic {}", Base64::encode_string(user.as_bytes()))),
                ("content-type", "application/x-www-form-urlencoded".to_owned()),
                ("content-length", body.len().to_string()),
                ("accept", "application/json".to_owned()),
            ],
            body,
        }
    }
}

/// Never the secret.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "{} of {}", self.client_id, self.issuer)
    }
}

/// Whether by https, `HOST[:PORT]`, and the rest, which begins with a slash.
fn parts(url: &str) -> Option<(bool, &str, &str)> {
    let (is_secure, rest) = match url.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("http://")?),
    };
    let (authority, path_and_query) = rest.split_at(rest.find('/')?);
    let is_authority_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let is_good = url.len() <= URL_BYTES_MAX
        && !authority.is_empty()
        && authority.bytes().all(is_authority_byte)
        && path_and_query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    is_good.then_some((is_secure, authority, path_and_query))
}

fn is_plain(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.bytes().any(|byte| byte.is_ascii_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str, more: &str) -> Option<Endpoint> {
        let text = format!(
            "{{\"url\":\"{url}\",\"client_id\":\"a b:c\",\"client_secret\":\"s%\u{e9}\",\"issuer\":\"i\"{more}}}"
        );
        serde_json::from_str::<RawEndpoint>(&text).ok()?.read()
    }

    #[test]
    fn the_question_is_as_the_rfcs_have_it() {
        let endpoint = read("https://as.example:8443/oauth2/introspect?x=1", "").expect("good settings");
        assert_eq!((endpoint.cache_s_max, endpoint.negative_s), (60, 5));
        let question = endpoint.question("a+/~_-9.==");
        assert!(question.is_secure);
        assert_eq!((question.authority, question.path_and_query), ("as.example:8443", "/oauth2/introspect?x=1"));
        assert_eq!(question.body, "token=a%2B%2F%7E_-9.%3D%3D&token_type_hint=access_token");
        let expected = [
            ("authorization", format!("Basic {}", Base64::encode_string(b"a+b%3Ac:s%25%C3%A9"))),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("content-length", question.body.len().to_string()),
            ("accept", "application/json".to_owned()),
        ];
        assert_eq!(question.headers, expected);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for good in ["http://a/", "https://[::1]:1/x", "http://127.0.0.1:8080/oauth2/introspect"] {
            assert!(read(good, "").is_some(), "{good}");
        }
        for bad in [
            "",
            "http://a",
            "http:///x",
            "ftp://a/",
            "http://u@a/",
            "http://a b/",
            "http://a/ b",
            "http://a/#b",
            "HTTP://a/",
        ] {
            assert!(read(bad, "").is_none(), "{bad}");
        }
        for good in [",\"cache_s_max\":0,\"negative_s\":0", ",\"cache_s_max\":300", ",\"audiences\":[\"a\"]"] {
            assert!(read("http://a/", good).is_some(), "{good}");
        }
        for bad in [
            ",\"cache_s_max\":301",
            ",\"cache_s_max\":-1",
            ",\"negative_s\":61",
            ",\"audiences\":[\"\"]",
            ",\"audiences\":[\"a\\n\"]",
            ",\"audience\":\"a\"",
            ",\"issuer\":\"j\"",
        ] {
            assert!(read("http://a/", bad).is_none(), "{bad}");
        }
    }
}
