//! Bodies, by what they are: JSON, a form, text, or bytes.

use std::fmt::Write;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::Redactor;
use crate::shadow::decode::decoded;

impl Redactor {
    pub(crate) fn body(&self, headers: &HeaderMap, body: &Bytes) -> String {
        let plain = decoded(headers, body, READ_BYTES_MAX).unwrap_or_else(|_| body.clone());
        let Ok(text) = std::str::from_utf8(&plain) else { return self.stand_ins.of(&plain) };
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if text.len() <= READ_BYTES_MAX && media_type.to_ascii_lowercase().contains("form-urlencoded") {
            self.form(text)
        } else {
            self.fragment(text, false)
        }
    }

    /// A JSON value, or a text when it is none. `secret`: it was found under a name that is made for secrets.
    pub(crate) fn fragment(&self, text: &str, secret: bool) -> String {
        let is_hidden = secret || text.len() > READ_BYTES_MAX;
        self.read(text, secret).unwrap_or_else(|| if is_hidden { self.stand_in(text) } else { self.long_text(text) })
    }

    /// A JSON value. The comparison also reads what is not read here (deeper than 128 levels, beyond a double): nobody
    /// knows then which of its words stand under a secret name.
    pub(crate) fn json(&self, text: &str, secret: bool) -> String {
        self.read(text, secret).unwrap_or_else(|| self.stand_in(text))
    }

    fn read(&self, text: &str, secret: bool) -> Option<String> {
        let value = Some(text).filter(|text| text.len() <= READ_BYTES_MAX).map(serde_json::from_str)?.ok()?;
        let mut shown = Json { redactor: self, out: String::new() };
        shown.value(&value, secret);
        Some(shown.end(text))
    }

    fn form(&self, text: &str) -> String {
        let name_or_value = |text: &str, is_name: bool| {
            if is_name && self.vocabulary.knows_key(text) { text.to_owned() } else { self.stand_in(text) }
        };
        let mut shown = String::new();
        for (index, pair) in text.split('&').enumerate() {
            if shown.len() > SHOWN_BYTES_MAX {
                return shown + "&" + &self.stand_in(text);
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (before, between) = (if index == 0 { "" } else { "&" }, if pair.contains('=') { "=" } else { "" });
            let (name, value) = (name_or_value(name, !between.is_empty()), name_or_value(value, false));
            write!(shown, "{before}{name}{between}{value}").expect("writing to a String cannot fail");
        }
        shown
    }

    fn long_text(&self, text: &str) -> String {
        let (begin, rest) = text.split_at(text.floor_char_boundary(SHOWN_BYTES_MAX));
        self.text(begin) + &self.stand_in(rest)
    }
}

/// `name=value` pairs between `&`, each part replaced.
pub(crate) fn pairs(text: &str, stand_in: impl Fn(&str) -> String) -> String {
    pairs_by(text, "&", stand_in)
}

/// The same between any separator, which may lack the spaces it ends with.
pub(crate) fn pairs_by(text: &str, separator: &str, stand_in: impl Fn(&str) -> String) -> String {
    let shown = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => format!("{}={}", stand_in(name), stand_in(value)),
        None => stand_in(pair),
    };
    text.split(separator.trim_end()).map(|pair| shown(pair.trim())).collect::<Vec<_>>().join(separator)
}

/// JSON as it may be shown: numbers' stand-ins without quotes, strings' with. It is not JSON again.
struct Json<'a> {
    redactor: &'a Redactor,
    out: String,
}

impl Json<'_> {
    /// Once the output is long enough the rest is left out, and stands at the end as one.
    fn value(&mut self, value: &Value, secret: bool) {
        match value {
            _ if self.is_full() => {}
            Value::Null | Value::Bool(_) => self.push(&value.to_string()),
            Value::Number(number) => {
                let text = number.to_string();
                let is_shown = !secret && self.redactor.vocabulary.knows(&text);
                self.push(&if is_shown { text } else { self.redactor.stand_in(&text) });
            }
            Value::String(text) => {
                let is_shown = !secret && text.len() <= SHOWN_BYTES_MAX && self.redactor.vocabulary.knows(text);
                let shown = if is_shown { text.clone() } else { self.redactor.stand_in(text) };
                self.quoted(&shown);
            }
            Value::Array(elements) => {
                self.push("[");
                for (index, element) in elements.iter().enumerate() {
                    if self.is_full() {
                        break;
                    }
                    self.push(if index == 0 { "" } else { "," });
                    self.value(element, secret);
                }
                self.close("]");
            }
            Value::Object(fields) => {
                self.push("{");
                for (index, (key, value)) in fields.iter().enumerate() {
                    if self.is_full() {
                        break;
                    }
                    self.push(if index == 0 { "" } else { "," });
                    self.quoted(&self.redactor.key(key));
                    self.push(":");
                    self.value(value, secret || self.redactor.is_secret(key));
                }
                self.close("}");
            }
        }
    }

    fn end(self, whole: &str) -> String {
        if self.is_full() { self.out + "…" + &self.redactor.stand_in(whole) } else { self.out }
    }

    fn is_full(&self) -> bool {
        self.out.len() > SHOWN_BYTES_MAX
    }

    fn close(&mut self, bracket: &str) {
        if !self.is_full() {
            self.push(bracket);
        }
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn quoted(&mut self, text: &str) {
        self.push(&Value::from(text).to_string());
    }
}

/// Larger bodies are one stand-in.
const READ_BYTES_MAX: usize = 256 * 1024;

/// As much as a person reads.
const SHOWN_BYTES_MAX: usize = 2048;
