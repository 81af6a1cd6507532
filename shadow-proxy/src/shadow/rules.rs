//! Which differences are agreed not to matter, and why. A rule explains a difference; it never removes it.

pub(crate) mod accepted;
mod condition;
mod day;
mod number;
pub(crate) mod proposal;
pub(crate) mod review;
mod rule;
mod starter;
mod time;

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use sha2::{Digest, Sha256};

pub(crate) use self::condition::Condition;
pub(crate) use self::day::Day;
pub(crate) use self::rule::{RawRule, Rule, is_endpoint};
pub(crate) use self::starter::VOLATILE_HEADERS;
use super::json::Pairing;
use super::path::{Path, Root, Segment};
use crate::exchange::{Difference, Kind};

/// In the order they are asked: the user's, those accepted from findings, the starter set. The first that explains a
/// difference names it.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    index: Index,
    /// Those that say how arrays are paired, and under which name the candidate has a member.
    pairings: Vec<usize>,
    renames: Vec<usize>,
}

impl Rules {
    pub(crate) fn starter() -> Rules {
        Rules::new(starter::rules())
    }

    /// The user's rules before the starter set. All errors at once, each beginning with the rule it is about.
    pub(crate) fn parse(raw: Vec<RawRule>) -> Result<Rules, Vec<String>> {
        let mut rules = parsed(raw, &HashSet::new())?;
        rules.extend(starter::rules());
        Ok(Rules::new(rules))
    }

    /// These too, after the user's.
    pub(crate) fn accepting(self, raw: Vec<RawRule>) -> Result<Rules, Vec<String>> {
        let taken = self.rules.iter().map(|rule| &*rule.name).collect();
        let accepted = parsed(raw, &taken)?;
        let at = self.rules.iter().position(Rule::is_built_in).unwrap_or(self.rules.len());
        let mut rules = self.rules;
        rules.splice(at..at, accepted);
        Ok(Rules::new(rules))
    }

    /// Writes into each difference the rule that explains it on this day.
    pub(crate) fn explain(&self, differences: &mut [Difference], endpoint: &str, now: Day) {
        for difference in differences {
            let Ok(place) = Path::parse(&difference.path) else { continue };
            let is_explainable = place.root != Root::Decision && !is_rest(difference, &place);
            let mut rules = self.index.candidates(&place).map(|at| &self.rules[at]).filter(|_| is_explainable);
            let rule = rules.find(|rule| rule.explains(difference, &place, endpoint, now));
            difference.rule = rule.map(|rule| rule.name.clone());
        }
    }

    /// As the first rule about this array says, expired or not: the difference is then told as one of order, and an
    /// expired rule does not explain that.
    pub(crate) fn pairing(&self, endpoint: &str, path: &str) -> Pairing<'_> {
        match self.about(&self.pairings, endpoint, path).map(|rule| &rule.condition) {
            Some(Condition::Unordered) => Pairing::Unordered,
            Some(Condition::KeyedBy(name)) => Pairing::KeyedBy(name),
            _ => Pairing::ByPosition,
        }
    }

    /// The candidate's name for the member at this path, likewise.
    pub(crate) fn renamed(&self, endpoint: &str, path: &str) -> Option<&str> {
        match self.about(&self.renames, endpoint, path).map(|rule| &rule.condition) {
            Some(Condition::RenamedTo(name)) => Some(name),
            _ => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// What has to be said of those that explain nothing any more, one line for each.
    pub(crate) fn expired(&self, now: Day) -> Vec<String> {
        let expired = self.rules.iter().filter(|rule| !rule.is_in_force(now));
        let line = |rule: &Rule| {
            let day = rule.expires.map(|day| day.to_string()).unwrap_or_default();
            format!(
                "rule {:?} expired on {day} and explains nothing; look at it again, then delete it or write a later day",
                rule.name
            )
        };
        expired.map(line).collect()
    }

    /// Of all that these rules explain on this day. What was counted under another digest was counted differently.
    pub(crate) fn digest(&self, now: Day) -> String {
        let mut hash = Sha256::new();
        for rule in self.rules.iter().filter(|rule| rule.is_in_force(now)) {
            let Rule { endpoint, path, explains, condition, .. } = rule;
            hash.update(format!("{endpoint:?} {path} {explains:?} {condition:?}\n"));
        }
        let mut text = String::new();
        for byte in hash.finalize() {
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        }
        text
    }

    fn new(rules: Vec<Rule>) -> Rules {
        let those = |is: fn(&Condition) -> bool| {
            rules.iter().enumerate().filter(|(_, rule)| is(&rule.condition)).map(|(at, _)| at).collect()
        };
        let pairings = those(|condition| matches!(condition, Condition::Unordered | Condition::KeyedBy(_)));
        let renames = those(|condition| matches!(condition, Condition::RenamedTo(_)));
        Rules { index: Index::new(&rules), pairings, renames, rules }
    }

    /// The first of some rules that names this place. Nothing is read or allocated where none of them is about the
    /// endpoint.
    fn about(&self, those: &[usize], endpoint: &str, path: &str) -> Option<&Rule> {
        let mut rules = those.iter().map(|at| &self.rules[*at]).filter(|rule| rule.is_for(endpoint)).peekable();
        rules.peek()?;
        let place = Path::parse(path).ok()?;
        rules.find(|rule| rule.path.covers(&place))
    }
}

/// Rules by what their paths end in, so that a difference is held against few of them.
#[derive(Clone, Debug, Default)]
struct Index {
    by_name: HashMap<String, Vec<usize>>,
    /// Those that end in no name: `header.*`, `body.items[]`, `status`.
    others: Vec<usize>,
}

impl Index {
    fn new(rules: &[Rule]) -> Index {
        let mut index = Index::default();
        for (at, rule) in rules.iter().enumerate() {
            match rule.path.segments.last() {
                Some(Segment::Key(name)) => index.by_name.entry(name.clone()).or_default().push(at),
                _ => index.others.push(at),
            }
        }
        index
    }

    /// In order.
    fn candidates(&self, place: &Path) -> impl Iterator<Item = usize> {
        let named = match place.segments.last() {
            Some(Segment::Key(name)) => self.by_name.get(name).map_or(&[][..], Vec::as_slice),
            _ => &[],
        };
        let mut named = named.iter().copied().peekable();
        let mut others = self.others.iter().copied().peekable();
        std::iter::from_fn(move || match (named.peek(), others.peek()) {
            (Some(a), Some(b)) if a > b => others.next(),
            (Some(_), _) => named.next(),
            (None, _) => others.next(),
        })
    }
}

fn parsed(raw: Vec<RawRule>, taken: &HashSet<&str>) -> Result<Vec<Rule>, Vec<String>> {
    let (mut rules, mut errors, mut names) = (Vec::new(), Vec::new(), HashSet::new());
    if raw.len() > RULES_MAX {
        errors.push(format!("rules: {} of them, which nobody reviews; keep up to {RULES_MAX}", raw.len()));
    }
    for (index, raw) in raw.into_iter().enumerate() {
        match Rule::parse(raw) {
            Ok(rule) if taken.contains(&*rule.name) || !names.insert(rule.name.clone()) => errors.push(format!(
                "rules[{index}].name = {:?}: another rule has this name; choose one that is not taken",
                rule.name
            )),
            Ok(rule) => rules.push(rule),
            Err(of_rule) => errors.extend(of_rule.into_iter().map(|error| format!("rules[{index}].{error}"))),
        }
    }
    if errors.is_empty() { Ok(rules) } else { Err(errors) }
}

/// More differences than are listed: what they are is not known, so nothing explains them.
fn is_rest(difference: &Difference, place: &Path) -> bool {
    let has_values = difference.legacy.is_some() || difference.candidate.is_some();
    difference.kind == Kind::Value && !has_values && place.segments.is_empty()
}

/// Of the user's, and of those accepted from findings.
const RULES_MAX: usize = 1_000;

#[cfg(test)]
mod tests;
