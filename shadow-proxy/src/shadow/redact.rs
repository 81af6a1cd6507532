//! The only way for content to leave the process.
//!
//! Only words on a list leave; everything else becomes a keyed stand-in such as `‹text 24 9f2c1ab4›`: its class, its
//! length in bytes, and a hash under a key that lives in this process alone, so that equal secrets stay comparable
//! within one run. Positions that are made for secrets (credentials, cookies, query and form values, JSON under names
//! like `password` or under names not on the list) are stand-ins even when their text is on the list. The same word
//! in ordinary text is still shown: a password that is the word `token` cannot be told from the word.

mod body;
mod curl;
pub(crate) mod headers;
mod stand_in;
pub(crate) mod vocabulary;

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use http::HeaderMap;
use serde::{Deserialize, Serialize};

pub(crate) use self::curl::curl;
use self::stand_in::StandIns;
pub(crate) use self::stand_in::{CLOSE, OPEN};
use self::vocabulary::Vocabulary;
pub(crate) use self::vocabulary::is_secret_like;
use super::class::Class;
use super::endpoint::{self, Endpoints};
use super::path::{self, Path, Root, Segment};
use crate::exchange::{Answer, Call, Difference, Kind};
use crate::random;

/// A call that may be stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShownCall {
    pub method: String,
    /// Path and query.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// An answer that may be stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShownAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// A difference that may be stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShownDifference {
    pub path: String,
    pub kind: Kind,
    pub legacy: Option<String>,
    pub candidate: Option<String>,
    /// Of the real values; none where there is no value, or only the fact is known.
    pub classes: (Option<Class>, Option<Class>),
    pub rule: Option<String>,
}

pub(crate) struct Redactor {
    stand_ins: StandIns,
    vocabulary: Vocabulary,
    /// Whole path segments that endpoint templates spell out.
    segments: HashSet<String>,
    /// By the path as it was found: most differences are found again and again at the same few.
    places: Mutex<HashMap<String, Arc<KnownPlace>>>,
}

struct KnownPlace {
    /// None for a path of which nothing may be shown.
    place: Option<Path>,
    shown: String,
}

impl Redactor {
    /// With a new key, never stored. Fails only where the system has no randomness to give.
    ///
    /// `extra_words` are the user's: words, JSON keys or header names that are no secrets of theirs.
    pub(crate) fn new(extra_words: &[String], endpoints: &Endpoints) -> std::io::Result<Redactor> {
        Ok(Redactor::with_key(&random::key()?, extra_words, endpoints))
    }

    fn with_key(key: &[u8; 32], extra_words: &[String], endpoints: &Endpoints) -> Redactor {
        Redactor {
            stand_ins: StandIns::new(key),
            vocabulary: Vocabulary::new(extra_words.iter().map(String::as_str).chain(endpoints.words())),
            segments: endpoints.words().map(str::to_owned).collect(),
            places: Mutex::default(),
        }
    }

    pub(crate) fn call(&self, call: &Call) -> ShownCall {
        let query = call.uri.query().map(|query| format!("?{}", body::pairs(query, |text| self.stand_in(text))));
        ShownCall {
            method: endpoint::method_name(&call.method).to_owned(),
            path: self.path(call.uri.path()) + &query.unwrap_or_default(),
            headers: self.headers(&call.headers),
            body: self.body(&call.headers, &call.body),
        }
    }

    pub(crate) fn answer(&self, answer: &Answer) -> ShownAnswer {
        ShownAnswer {
            status: answer.status.as_u16(),
            headers: self.headers(&answer.headers),
            body: self.body(&answer.headers, &answer.body),
        }
    }

    /// Stand-ins may be in the path too: of header names and JSON keys that are not on the list.
    pub(crate) fn difference(&self, difference: &Difference) -> ShownDifference {
        let known = self.known(&difference.path);
        let value = |value: &String| match &known.place {
            Some(place) => self.value_at(place, value),
            None => self.stand_in(value),
        };
        let (legacy, candidate) = (difference.legacy.as_ref().map(value), difference.candidate.as_ref().map(value));
        ShownDifference { legacy, candidate, ..outline(&known, difference) }
    }

    /// Without the values, which cost the most and are kept of few exchanges; those of a decision are words.
    pub(crate) fn outline(&self, difference: &Difference) -> ShownDifference {
        let known = self.known(&difference.path);
        match &known.place {
            Some(Path { root: Root::Decision, .. }) => self.difference(difference),
            _ => outline(&known, difference),
        }
    }

    fn known(&self, path: &str) -> Arc<KnownPlace> {
        let mut places = self.places.lock().expect("nothing panics while it looks one up");
        if let Some(known) = places.get(path) {
            return known.clone();
        }
        let place = Path::parse(path).ok();
        let shown = place.as_ref().map_or_else(|| self.stand_in(path), |place| self.place(place));
        let known = Arc::new(KnownPlace { place, shown });
        if places.len() >= PLACES_MAX {
            places.clear();
        }
        places.insert(path.to_owned(), known.clone());
        known
    }

    fn place(&self, place: &Path) -> String {
        let mut shown = place.root.name().to_owned();
        for (index, segment) in place.segments.iter().enumerate() {
            let is_part_of_token = index > 0 && place.segments[index - 1] == Segment::Token;
            match segment {
                Segment::Key(name) if place.root == Root::Header && index == 0 => {
                    path::push_key(&mut shown, &self.header_name(name));
                }
                Segment::Key(key) if !is_part_of_token => path::push_key(&mut shown, &self.key(key)),
                segment => write!(shown, "{segment}").expect("writing to a String cannot fail"),
            }
        }
        shown
    }

    fn value_at(&self, place: &Path, value: &str) -> String {
        let is_secret = |key: &Segment| matches!(key, Segment::Key(key) if self.is_secret(key));
        match (place.root, place.segments.as_slice()) {
            // The token is a secret; what it says is judged by the names of its claims.
            _ if let Some([Segment::Key(part), claims @ ..]) = place.in_token() => {
                self.json(value, part == "signature" || claims.iter().any(is_secret))
            }
            (Root::Status | Root::Decision, _) => self.text(value),
            (Root::Header, [Segment::Key(name)]) => self.header_value(name, value.as_bytes()),
            (Root::Body, []) => self.fragment(value, false),
            (Root::Body, keys) => self.json(value, keys.iter().any(is_secret)),
            (Root::Header | Root::Jwt, _) => self.stand_in(value),
        }
    }

    /// What may be the name of an endpoint.
    pub(crate) fn template(&self, path: &str) -> String {
        self.vocabulary.template(path)
    }

    fn path(&self, path: &str) -> String {
        let shown = |segment: &str| {
            let is_known = segment == "*" || self.segments.contains(segment);
            if is_known { segment.to_owned() } else { self.stand_in(segment) }
        };
        path.split('/').map(shown).collect::<Vec<_>>().join("/")
    }

    fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let shown = |name: &str, value: &[u8]| (self.header_name(name), self.header_value(name, value));
        headers.iter().map(|(name, value)| shown(name.as_str(), value.as_bytes())).collect()
    }

    fn header_name(&self, name: &str) -> String {
        if self.vocabulary.is_header(name) { name.to_owned() } else { self.stand_in(name) }
    }

    fn key(&self, key: &str) -> String {
        if self.vocabulary.knows_key(key) { key.to_owned() } else { self.stand_in(key) }
    }

    /// What a name that nobody listed holds is nobody's guess.
    fn is_secret(&self, key: &str) -> bool {
        !self.vocabulary.knows_key(key) || vocabulary::is_secret_like(key)
    }

    fn text(&self, text: &str) -> String {
        self.vocabulary.shown(text, |hidden| self.stand_in(hidden))
    }

    fn stand_in(&self, text: &str) -> String {
        self.stand_ins.of(text.as_bytes())
    }
}

fn outline(known: &KnownPlace, difference: &Difference) -> ShownDifference {
    let Difference { kind, legacy, candidate, rule, .. } = difference;
    let class = |value: &str| match &known.place {
        Some(place) => Class::at(place, value),
        None => Class::of(value.as_bytes()),
    };
    ShownDifference {
        path: known.shown.clone(),
        kind: *kind,
        legacy: None,
        candidate: None,
        classes: (legacy.as_deref().map(class), candidate.as_deref().map(class)),
        rule: rule.as_deref().map(str::to_owned),
    }
}

/// Names in paths may be anybody's, so that there is an end to those that are remembered.
const PLACES_MAX: usize = 4_096;

#[cfg(test)]
mod tests;
