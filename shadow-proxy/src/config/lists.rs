//! Lists in a table: all of their items are looked at, like all keys.

use serde::de::DeserializeOwned;
use toml::Value;

use super::reader::{NEEDED, Section};

const ITEMS_MAX: usize = 32;

impl Section {
    /// A list of texts of which each has to be good; not an empty one.
    pub fn list<T>(&mut self, key: &str, example: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        self.ask(key, &example, &"");
        let value = self.take(key)?;
        let texts: Option<Vec<&str>> = items(&value).and_then(|array| array.iter().map(Value::as_str).collect());
        let parsed = match texts {
            None => Err(format!("is not a list of 1 to {ITEMS_MAX} texts")),
            Some(texts) => {
                texts.into_iter().map(|text| parse(text).map_err(|reason| format!("\"{text}\" {reason}"))).collect()
            }
        };
        parsed.map_err(|reason| self.wrong_value(key, &value, &reason, &format!("{key} = {example}"))).ok()
    }

    /// The same for a list of anything.
    pub fn values<T>(
        &mut self,
        key: &str,
        example: &str,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.ask(key, &example, &"");
        let value = self.take(key)?;
        let parsed = match items(&value) {
            None => Err(format!("is not a list of 1 to {ITEMS_MAX}")),
            Some(items) => items.iter().map(|item| parse(item).map_err(|reason| format!("{item} {reason}"))).collect(),
        };
        parsed.map_err(|reason| self.wrong_value(key, &value, &reason, &format!("{key} = {example}"))).ok()
    }

    /// The same where one has to be given.
    pub fn needed_list<T>(
        &mut self,
        key: &str,
        example: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.ask(key, &example, &NEEDED);
        if !self.has(key) {
            self.wrong(key, "is missing", &format!("{key} = {example}"));
        }
        self.list(key, example, parse)
    }

    pub fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        self.ask(key, &"[\"…\"]", &"");
        let value = self.take(key)?;
        let texts: Option<Vec<String>> =
            value.as_array().and_then(|array| array.iter().map(|text| text.as_str().map(str::to_owned)).collect());
        if texts.is_none() {
            self.wrong_value(key, &value, "is not a list of texts", &format!("{key} = [\"…\"]"));
        }
        texts
    }

    pub fn statuses(&mut self, key: &str) -> Option<Vec<u16>> {
        self.ask(key, &"[401, 403]", &"");
        let value = self.take(key)?;
        let status =
            |value: &Value| value.as_integer().and_then(|n| u16::try_from(n).ok()).filter(|n| (100..600).contains(n));
        let statuses: Option<Vec<u16>> = value.as_array().and_then(|array| array.iter().map(status).collect());
        if statuses.is_none() {
            self.wrong_value(key, &value, "is not a list of HTTP statuses", &format!("{key} = [401, 403]"));
        }
        statuses
    }

    /// `shape` says what a table holds, for whoever wrote something else.
    pub fn tables<T: DeserializeOwned>(&mut self, key: &str, shape: &str) -> Vec<T> {
        self.ask(key, &"tables", &"");
        let Some(value) = self.take(key) else { return Vec::new() };
        let Value::Array(array) = value else {
            self.wrong_value(key, &value, "is not a list of tables", &format!("[[{}{key}]]", self.prefix));
            return Vec::new();
        };
        let mut parsed = Vec::new();
        for (index, item) in array.into_iter().enumerate() {
            match item.try_into() {
                Ok(item) => parsed.push(item),
                Err(error) => {
                    let reason: String = error.to_string().trim().replace('\n', " ");
                    self.wrong_at(&format!("{key}[{index}]"), &format!("{reason}; {shape}"));
                }
            }
        }
        parsed
    }
}

/// Those of a list that is not empty and not too long.
fn items(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().filter(|array| (1..=ITEMS_MAX).contains(&array.len()))
}
