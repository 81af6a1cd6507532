//! Replayed calls that say nothing about the candidate, because the side that stands for legacy is not what it was when
//! they were recorded. They are counted as not comparable, and while there is one of them the gate never says go.

use std::collections::BTreeMap;

use super::gate::grouped;

/// Legacy let the call in when it was recorded, and refuses it now.
pub const REFUSED_NOW: &str = "void_refused_now";
/// Legacy refused the call when it was recorded, and lets it in now.
pub const LET_IN_NOW: &str = "void_let_in_now";
/// One of the two answers of legacy decided nothing, or was an error.
pub const OTHERWISE_NOW: &str = "void_otherwise_now";
/// The candidate refuses a stand-in that it never let in, where the recorded legacy answered otherwise.
pub const UNKNOWN_CREDENTIAL: &str = "void_unknown_credential";

pub const ALL: [&str; 4] = [REFUSED_NOW, LET_IN_NOW, OTHERWISE_NOW, UNKNOWN_CREDENTIAL];

/// One for each reason, with what to do.
pub fn sentences(void: &BTreeMap<String, u64>) -> Vec<String> {
    let found = ALL.iter().filter_map(|reason| Some((*reason, *void.get(*reason)?))).filter(|(_, count)| *count > 0);
    found.map(|(reason, count)| sentence(reason, count)).collect()
}

fn sentence(reason: &str, count: u64) -> String {
    let calls = format!("{} {}", grouped(count), if count == 1 { "call" } else { "calls" });
    let are = if count == 1 { "is" } else { "are" };
    match reason {
        REFUSED_NOW => {
            format!("{calls} that legacy let in {are} refused now: install the seeds, or capture with secrets")
        }
        LET_IN_NOW => format!(
            "{calls} that legacy refused {are} let in now: replay against legacy with the keys and users that it had then"
        ),
        UNKNOWN_CREDENTIAL => format!(
            "{calls} that the recorded legacy answered otherwise {are} refused by the candidate, which let in none of \
             their credentials: install the seeds, or capture with secrets"
        ),
        _ => format!(
            "{calls} that legacy decided {are} answered otherwise now: by a limit (replay with --speed recorded), at a path \
             that became a stand-in (name it under compare.endpoints), or by another service"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_sentence_that_says_what_to_do() {
        let void =
            BTreeMap::from([(REFUSED_NOW.to_owned(), 14_380), (LET_IN_NOW.to_owned(), 1), ("other".to_owned(), 9)]);
        assert_eq!(
            sentences(&void),
            [
                "14,380 calls that legacy let in are refused now: install the seeds, or capture with secrets",
                "1 call that legacy refused is let in now: replay against legacy with the keys and users that it had then",
            ]
        );
        assert!(
            ALL.iter()
                .all(|reason| sentence(reason, 2).starts_with("2 calls that ") && sentence(reason, 2).contains(": "))
        );
        assert!(sentences(&BTreeMap::from([(REFUSED_NOW.to_owned(), 0)])).is_empty());
    }
}
