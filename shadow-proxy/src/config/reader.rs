//! Reading a TOML table key by key, so that everything wrong with it is found, not the first thing only.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::{Table, Value};

use crate::shift::plan::span;

/// A table of which every known key is taken out; what is left is unknown.
pub struct Section {
    /// Empty for the root, else `name.`.
    pub(super) prefix: String,
    table: Table,
    /// Keys asked for, to suggest one for a misspelt key.
    known: Vec<String>,
    /// What they take: the reference is made of it.
    #[cfg(test)]
    pub asked: Vec<Asked>,
    errors: Vec<String>,
}

/// A key with the values that it takes, and what stands for none.
#[cfg(test)]
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub key: String,
    pub takes: String,
    pub default: String,
}

/// Puts a flag's value where the file would have it. `key` may be `section.key`.
pub fn set(table: &mut Table, key: &str, value: Value) {
    let (section, key) = key.split_once('.').map_or((None, key), |(section, key)| (Some(section), key));
    let table = match section {
        None => Some(table),
        Some(section) => table.entry(section).or_insert_with(|| Table::new().into()).as_table_mut(),
    };
    // A section that is no table is reported when it is read.
    if let Some(table) = table {
        table.insert(key.to_owned(), value);
    }
}

impl Section {
    pub fn root(table: Table) -> Section {
        Section::new(String::new(), table)
    }

    fn new(prefix: String, table: Table) -> Section {
        Section {
            prefix,
            table,
            known: Vec::new(),
            #[cfg(test)]
            asked: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// The table under a key, empty when absent; give it back with [`Section::close`].
    pub fn section(&mut self, key: &str) -> Section {
        let table = match self.take(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                self.wrong_value(key, &other, "is not a table", &format!("[{}{key}]", self.prefix));
                Table::new()
            }
        };
        Section::new(format!("{}{key}.", self.prefix), table)
    }

    /// Those of a list of tables, each to be given back with [`Section::close`].
    pub fn sections(&mut self, key: &str, count_max: usize) -> Vec<Section> {
        let tables = match self.take(key) {
            None => Some(Vec::new()),
            Some(Value::Array(array)) if array.len() <= count_max => array
                .into_iter()
                .map(|value| if let Value::Table(table) = value { Some(table) } else { None })
                .collect(),
            Some(_) => None,
        };
        if tables.is_none() {
            let example = format!("[[{}{key}]]", self.prefix);
            self.wrong(key, &format!("is not a list of up to {count_max} tables"), &example);
        }
        let section = |(at, table)| Section::new(format!("{}{key}[{at}].", self.prefix), table);
        tables.unwrap_or_default().into_iter().enumerate().map(section).collect()
    }

    pub fn close(self, parent: &mut Section) {
        #[cfg(test)]
        parent.asked.extend(self.asked.iter().cloned());
        let errors = self.finish().err().unwrap_or_default();
        parent.errors.extend(errors);
    }

    /// All errors of this section, unknown keys among them.
    pub fn finish(mut self) -> Result<(), Vec<String>> {
        for (key, value) in &self.table {
            let near = self
                .known
                .iter()
                .max_by_key(|known| likeness(known, key))
                .filter(|known| likeness(known, key) * 2 > key.len());
            let hint = near.map_or_else(
                || format!("the keys here are {}", self.known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            self.errors.push(format!("{}{key} = {value}: no such key; {hint}", self.prefix));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }

    /// Those so far, of a section of which not everything is read.
    pub fn errors(self) -> Vec<String> {
        self.errors
    }

    pub fn number(&mut self, key: &str, default: u64, range: RangeInclusive<u64>, unit: &str) -> u64 {
        self.ask(key, &format_args!("{unit}, {} to {}", range.start(), range.end()), &default);
        let Some(value) = self.take(key) else { return default };
        match value.as_integer().and_then(|number| u64::try_from(number).ok()).filter(|number| range.contains(number)) {
            Some(number) => number,
            None => {
                let reason = format!("is not a whole number of {unit} from {} to {}", range.start(), range.end());
                self.wrong_value(key, &value, &reason, &format!("{key} = {default}"));
                default
            }
        }
    }

    pub fn decimal(&mut self, key: &str, default: f64, range: RangeInclusive<f64>) -> f64 {
        self.ask(key, &format_args!("{} to {}", range.start(), range.end()), &default);
        let Some(value) = self.take(key) else { return default };
        let number = value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
        number.filter(|number| range.contains(number)).unwrap_or_else(|| {
            let reason = format!("is not a number from {} to {}", range.start(), range.end());
            self.wrong_value(key, &value, &reason, &format!("{key} = {default}"));
            default
        })
    }

    /// A time with its unit, in milliseconds.
    pub fn span_ms(&mut self, key: &str, default: &str, range: RangeInclusive<u64>) -> u64 {
        let [from, until] = [range.start(), range.end()].map(|ms| span(*ms));
        self.ask(key, &format_args!("time with its unit, {from} to {until}"), &format_args!("\"{default}\""));
        let read =
            |text: &str| humantime::parse_duration(text).ok().and_then(|span| u64::try_from(span.as_millis()).ok());
        let parse = |text: &str| {
            read(text)
                .filter(|ms| range.contains(ms))
                .ok_or_else(|| format!("is not a time with its unit, from {from} to {until}"))
        };
        let parsed = self.parsed(key, default, &format!("\"{default}\""), parse);
        parsed.unwrap_or_else(|| read(default).unwrap_or(*range.start()))
    }

    /// A part of the whole, from 0 to 1, as parts per million.
    pub fn share_ppm(&mut self, key: &str, default_ppm: u32) -> u32 {
        self.ask(key, &"0 to 1", &(f64::from(default_ppm) / 1e6));
        let Some(value) = self.take(key) else { return default_ppm };
        let share = value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
        match share.filter(|share| (0.0..=1.0).contains(share)) {
            Some(share) => (share * 1e6).round() as u32,
            None => {
                let example = format!("{key} = {}", f64::from(default_ppm) / 1e6);
                self.wrong_value(key, &value, "is not a share from 0 to 1", &example);
                default_ppm
            }
        }
    }

    pub fn millis(&mut self, key: &str, default: u64) -> Duration {
        Duration::from_millis(self.number(key, default, 1..=86_400_000, "milliseconds"))
    }

    pub fn flag(&mut self, key: &str, default: bool) -> bool {
        self.ask(key, &"true, false", &default);
        let Some(value) = self.take(key) else { return default };
        value.as_bool().unwrap_or_else(|| {
            self.wrong_value(key, &value, "is neither true nor false", &format!("{key} = {default}"));
            default
        })
    }

    pub fn text(&mut self, key: &str) -> Option<String> {
        self.ask(key, &"text", &"");
        match self.take(key)? {
            Value::String(text) if !text.is_empty() => Some(text),
            other => {
                self.wrong_value(key, &other, "is not a text, or empty", &format!("{key} = \"…\""));
                None
            }
        }
    }

    /// The path of a file that can be opened.
    pub fn file(&mut self, key: &str) -> Option<PathBuf> {
        self.ask(key, &"path of a file", &"");
        let path = PathBuf::from(self.text(key)?);
        if let Err(error) = std::fs::File::open(&path) {
            let shown = Value::String(path.display().to_string());
            let from = std::env::current_dir().ok().filter(|_| path.is_relative());
            let from = from.map_or(String::new(), |folder| format!("; it was looked for in {}", folder.display()));
            let reason = format!("cannot be read ({error}{from})");
            self.wrong_value(key, &shown, &reason, &format!("{key} = \"path/of/a/file\""));
        }
        Some(path)
    }

    /// The same where one has to be named.
    pub fn needed_file(&mut self, key: &str) -> Option<PathBuf> {
        self.ask(key, &"path of a file", &NEEDED);
        if !self.has(key) {
            self.wrong(key, "is missing", &format!("{key} = \"path/of/a/file\""));
        }
        self.file(key)
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether it is written as `[[key]]`.
    pub fn is_tables(&self, key: &str) -> bool {
        self.table.get(key).and_then(Value::as_array).is_some_and(|items| items.iter().any(Value::is_table))
    }

    pub fn needed_value<T>(
        &mut self,
        key: &str,
        example: &str,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<T> {
        self.ask(key, &example, &NEEDED);
        let Some(value) = self.take(key) else {
            self.wrong(key, "is missing", &format!("{key} = {example}"));
            return None;
        };
        parse(&value).map_err(|reason| self.wrong_value(key, &value, &reason, &format!("{key} = {example}"))).ok()
    }

    pub fn parsed<T>(
        &mut self,
        key: &str,
        default: &str,
        example: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.ask(key, &example, &default);
        let text = match self.take(key) {
            None => default.to_owned(),
            Some(Value::String(text)) => text,
            Some(other) => {
                self.wrong_value(key, &other, "is not a text", &format!("{key} = {example}"));
                return None;
            }
        };
        parse(&text)
            .map_err(|reason| self.wrong_value(key, &Value::String(text), &reason, &format!("{key} = {example}")))
            .ok()
    }

    pub fn optional<T>(&mut self, key: &str, example: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.ask(key, &example, &"");
        self.known.push(key.to_owned());
        self.table.contains_key(key).then(|| self.parsed(key, "", example, parse)).flatten()
    }

    pub fn required<T>(&mut self, key: &str, example: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.ask(key, &example, &NEEDED);
        if !self.table.contains_key(key) {
            self.known.push(key.to_owned());
            self.wrong(key, "is missing", &format!("{key} = {example}"));
            return None;
        }
        self.parsed(key, "", example, parse)
    }

    /// Something wrong with a key beyond its own value.
    pub fn wrong(&mut self, key: &str, reason: &str, example: &str) {
        self.errors.push(format!("{}{key}: {reason}; for example: {example}", self.prefix));
    }

    /// Errors that name their key, value, reason and remedy themselves.
    pub fn wrong_as(&mut self, errors: impl IntoIterator<Item = String>) {
        self.errors.extend(errors.into_iter().map(|error| format!("{}{error}", self.prefix)));
    }

    pub(super) fn wrong_at(&mut self, key: &str, reason: &str) {
        self.errors.push(format!("{}{key}: {reason}", self.prefix));
    }

    pub(super) fn wrong_value(&mut self, key: &str, value: &Value, reason: &str, example: &str) {
        self.errors.push(format!("{}{key} = {value}: {reason}; for example: {example}", self.prefix));
    }

    /// The first to ask for a key knows best what it takes: it may ask by another.
    #[cfg(test)]
    pub(super) fn ask(&mut self, key: &str, takes: &dyn Display, default: &dyn Display) {
        let key = format!("{}{key}", self.prefix);
        if self.asked.iter().all(|asked| asked.key != key) {
            self.asked.push(Asked { key, takes: takes.to_string(), default: default.to_string() });
        }
    }

    #[cfg(not(test))]
    pub(super) fn ask(&mut self, _: &str, _: &dyn Display, _: &dyn Display) {}

    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        if !self.known.iter().any(|known| known == key) {
            self.known.push(key.to_owned());
        }
        self.table.remove(key)
    }
}

/// In place of a default.
pub(super) const NEEDED: &str = "needed";

/// How many letters two names share at their start and end.
fn likeness(a: &str, b: &str) -> usize {
    let start = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let end = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    (start + end).min(a.len())
}
