//! Which version of the candidate gave an answer, where it says so in a header.

use std::collections::HashSet;
use std::sync::Mutex;

use http::HeaderName;

use crate::exchange::Answer;

pub struct Versions {
    header: HeaderName,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The version that the evidence is about; none until an answer says so.
    present: Option<String>,
    /// Those that were the present one before.
    past: HashSet<String>,
    /// Answers of one version of before, one after the other.
    again: (String, u32),
}

/// What an answer says about its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The present one, or nothing.
    Present,
    /// The first that any answer named.
    First(String),
    /// From now on this one.
    New { from: String, to: String },
    /// One of before, while instances of both answer.
    Past,
}

/// So many answers of a version of before in a row, and it was deployed again.
const AGAIN: u32 = 100;
/// A header that differs from answer to answer names no version.
const PAST_MAX: usize = 64;
const CHARACTERS_MAX: usize = 100;

impl Versions {
    /// `present` is what the store knows.
    pub fn new(header: HeaderName, present: Option<String>) -> Versions {
        Versions { header, state: Mutex::new(State { present, ..State::default() }) }
    }

    pub fn look(&self, answer: &Answer) -> Seen {
        let value = answer.headers.get(&self.header).and_then(|value| value.to_str().ok()).map(str::trim);
        let Some(version) = value.filter(|value| !value.is_empty()) else { return Seen::Present };
        let version: String = version.chars().take(CHARACTERS_MAX).collect();
        self.state.lock().expect("nothing panics while it holds this").meet(version)
    }
}

impl State {
    fn meet(&mut self, version: String) -> Seen {
        let Some(present) = &self.present else {
            self.present = Some(version.clone());
            return Seen::First(version);
        };
        if *present == version {
            self.again.1 = 0;
            return Seen::Present;
        }
        if self.past.contains(&version) {
            let in_a_row = if self.again.0 == version { self.again.1 + 1 } else { 1 };
            self.again = (version.clone(), in_a_row);
            if in_a_row < AGAIN {
                return Seen::Past;
            }
        }
        if self.past.len() >= PAST_MAX {
            self.past.clear();
        }
        let from = std::mem::replace(self.present.get_or_insert_default(), version.clone());
        self.past.remove(&version);
        self.past.insert(from.clone());
        self.again = Default::default();
        Seen::New { from, to: version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(present: &str) -> State {
        State { present: Some(present.to_owned()), ..State::default() }
    }

    fn new(from: &str, to: &str) -> Seen {
        Seen::New { from: from.to_owned(), to: to.to_owned() }
    }

    #[test]
    fn a_version_that_was_never_seen_is_the_present_one_at_once() {
        let mut state = State::default();
        let mut look = |version: &str| state.meet(version.to_owned());
        assert_eq!(
            [look("1"), look("1"), look("2"), look("2")],
            [Seen::First("1".to_owned()), Seen::Present, new("1", "2"), Seen::Present]
        );
    }

    #[test]
    fn while_both_are_deployed_nothing_goes_back_and_forth() {
        let mut state = state("1");
        let mut look = |version: &str| state.meet(version.to_owned());
        assert_eq!(look("2"), new("1", "2"));
        for _ in 0..1_000 {
            assert_eq!([look("1"), look("2"), look("1")], [Seen::Past, Seen::Present, Seen::Past]);
        }
        look("2");
        let back: Vec<Seen> = (0..AGAIN).map(|_| look("1")).collect();
        assert!(back[..AGAIN as usize - 1].iter().all(|seen| *seen == Seen::Past));
        assert_eq!(back.last(), Some(&new("2", "1")), "deployed again");
    }

    #[test]
    fn memory_is_bounded_whatever_the_header_says() {
        let mut state = state("0");
        (0..100_000).for_each(|version| drop(state.meet(version.to_string())));
        assert!(state.past.len() <= PAST_MAX);
    }
}
