//! What the values at a place must be for a rule to explain that they differ.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use super::number::Decimal;
use super::time::Time;
use crate::exchange::{Difference, Kind};
use crate::shadow::class::Class;
use crate::shadow::path::Path;

#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// Any values.
    None,
    /// Exactly these; without one, any on that side.
    Expected {
        legacy: Option<String>,
        candidate: Option<String>,
    },
    /// Both match as a whole.
    Pattern(Regex),
    Class(Class),
    Tolerance(Decimal),
    ToleranceMs(u64),
    Unordered,
    KeyedBy(String),
    RenamedTo(String),
    NullIsMissing,
}

impl Condition {
    /// The values are the real ones, as the comparison found them.
    pub(super) fn holds(&self, difference: &Difference, place: &Path) -> bool {
        let (legacy, candidate) = (difference.legacy.as_deref(), difference.candidate.as_deref());
        let both = |agree: &dyn Fn(&str, &str) -> bool| match (legacy, candidate) {
            (Some(legacy), Some(candidate)) if legacy.len().max(candidate.len()) <= VALUE_BYTES_MAX => {
                agree(&place.text_of(legacy), &place.text_of(candidate))
            }
            _ => false,
        };
        match self {
            // What is paired in another way, or found under another name, has a kind of its own.
            Condition::None | Condition::Unordered | Condition::KeyedBy(_) | Condition::RenamedTo(_) => true,
            Condition::Expected { legacy: before, candidate: after } => {
                let agreed = |expected: &Option<String>, found| expected.is_none() || expected.as_deref() == found;
                agreed(before, legacy) && agreed(after, candidate)
            }
            Condition::Pattern(pattern) => both(&|a, b| pattern.is_match(a) && pattern.is_match(b)),
            Condition::Class(class) => {
                let is_of = |value: Option<&str>| value.is_some_and(|value| Class::at(place, value) == *class);
                is_of(legacy) && is_of(candidate)
            }
            Condition::Tolerance(tolerance) => both(
                &|a, b| matches!((Decimal::parse(a), Decimal::parse(b)), (Some(a), Some(b)) if a.is_within(*tolerance, b)),
            ),
            Condition::ToleranceMs(tolerance) => both(
                &|a, b| matches!((Time::parse(a), Time::parse(b)), (Some(a), Some(b)) if a.is_within_ms(*tolerance, b)),
            ),
            Condition::NullIsMissing => match difference.kind {
                Kind::Missing => legacy == Some("null"),
                Kind::Added => candidate == Some("null"),
                _ => false,
            },
        }
    }
}

/// A pattern that has to match from the first byte to the last. Whatever it is, it takes time linear in the value.
pub(super) fn whole(pattern: &str) -> Result<Regex, String> {
    let compiled = |pattern: &str| {
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(PATTERN_COMPILED_BYTES_MAX).dfa_size_limit(PATTERN_COMPILED_BYTES_MAX).build()
    };
    // Alone first: with brackets that do not match it could leave the ends behind.
    let whole = compiled(pattern).and_then(|_| compiled(&format!(r"\A(?:{pattern})\z")));
    whole.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "takes too much memory; repeat less, e.g. `[0-9a-f]{32}`".to_owned(),
        error => {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("is no regular expression ({reason}); write for example `[0-9a-f]{{32}}`")
        }
    })
}

impl Path {
    /// What a value says: of a JSON string its content, of anything else the value itself.
    fn text_of<'a>(&self, value: &'a str) -> Cow<'a, str> {
        let content = (self.is_json() && value.starts_with('"')).then(|| serde_json::from_str(value).ok()).flatten();
        content.map_or(Cow::Borrowed(value), Cow::Owned)
    }
}

/// Longer values may be cut off where the comparison found them, so nothing is known about how they end.
const VALUE_BYTES_MAX: usize = 60_000;
const PATTERN_COMPILED_BYTES_MAX: usize = 1 << 20;
