//! Headers that are sets: `Cache-Control` of directives with values, `Vary` and its like of names.

use super::field::{Pair, elements, paired, parameter};
use super::found::Found;
use crate::shadow::path;

/// Names whatever their case, with their values.
pub(super) fn directives(root: &str, legacy: &[&str], candidate: &[&str], found: &mut Found) {
    let parsed = |lines: &[&str]| -> Vec<(String, (String, String))> {
        let elements = lines.iter().flat_map(|line| elements(line, b','));
        let named = elements.map(|element| (element.to_owned(), parameter(element)));
        named.map(|(whole, (name, value))| (name, (whole, value.into_owned()))).collect()
    };
    for (name, pair) in paired(&parsed(legacy), &parsed(candidate)) {
        let mut at = root.to_owned();
        path::push_key(&mut at, name);
        match pair {
            Pair::Both((_, legacy), (_, candidate)) => found.texts(at, legacy, candidate),
            Pair::Missing((whole, _)) => found.pair(at, Some(whole), None),
            Pair::Added((whole, _)) => found.pair(at, None, Some(whole)),
            Pair::Repeated(legacy, candidate) => found.repeated(at, legacy, candidate),
        }
    }
}

/// Names of which it matters only whether they are there.
pub(super) fn names(root: &str, legacy: &[&str], candidate: &[&str], found: &mut Found) {
    compare_names(root, names_of(legacy, str::to_ascii_lowercase), names_of(candidate, str::to_ascii_lowercase), found);
}

/// The same of methods, whose case counts (RFC 9110 §9.1).
pub(super) fn methods(root: &str, legacy: &[&str], candidate: &[&str], found: &mut Found) {
    compare_names(root, names_of(legacy, str::to_owned), names_of(candidate, str::to_owned), found);
}

fn names_of(lines: &[&str], written: fn(&str) -> String) -> Vec<(String, ())> {
    let mut names: Vec<_> =
        lines.iter().flat_map(|line| elements(line, b',')).map(|name| (written(name), ())).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn compare_names(root: &str, legacy: Vec<(String, ())>, candidate: Vec<(String, ())>, found: &mut Found) {
    for (name, pair) in paired(&legacy, &candidate) {
        let mut at = root.to_owned();
        path::push_key(&mut at, name);
        match pair {
            Pair::Missing(()) => found.pair(at, Some(name), None),
            Pair::Added(()) => found.pair(at, None, Some(name)),
            Pair::Both(..) | Pair::Repeated(..) => {}
        }
    }
}
