//! The tables `[[shift.hooks]]`: who is told of decisions.

use std::time::Duration;

use crate::shift::hooks::{Hook, Told};
use crate::shift::step::Finding;

use super::reader::Section;

/// Hooks run one after the other.
const HOOKS_MAX: usize = 16;
const TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// Those of the section `[shift]`.
pub fn read(shift: &mut Section) -> Vec<Hook> {
    let mut sections = shift.sections("hooks", HOOKS_MAX);
    let hooks = sections.iter_mut().filter_map(read_hook).collect();
    sections.into_iter().for_each(|section| section.close(shift));
    hooks
}

fn read_hook(hook: &mut Section) -> Option<Hook> {
    let on = hook.list("on", "[\"advance\", \"roll-back\"]", finding);
    let (has_command, has_url) = (hook.has("command"), hook.has("url"));
    let command = hook.texts("command");
    let url = hook.optional("url", "\"http://127.0.0.1:9000/decisions\"", url);
    let timeout = hook.parsed("timeout", "10s", "\"10s\"", timeout);
    let told = match (has_command, command, url) {
        (true, _, Some(_)) => {
            hook.wrong(
                "url",
                "stands beside command; a hook is one or the other",
                "command = [\"/path\"], without url",
            );
            None
        }
        (true, Some(words), None) if words.first().is_some_and(|word| !word.is_empty()) => Some(Told::Command(words)),
        (true, Some(_), None) => {
            hook.wrong("command", "is empty", "command = [\"/usr/local/bin/tell\", \"auth\"]");
            None
        }
        // Said already.
        (true, None, None) => None,
        (false, _, None) if has_url => None,
        (false, _, Some(url)) => Some(Told::Url(url)),
        (false, _, None) => {
            hook.wrong("command", "is missing, and url too", "command = [\"/usr/local/bin/tell\", \"auth\"]");
            None
        }
    };
    let on = on.unwrap_or_else(|| vec![Finding::Advance, Finding::Hold, Finding::RollBack]);
    Some(Hook { on, told: told?, timeout: timeout? })
}

fn finding(text: &str) -> Result<Finding, String> {
    match text {
        "advance" => Ok(Finding::Advance),
        "hold" => Ok(Finding::Hold),
        "roll-back" => Ok(Finding::RollBack),
        _ => Err("is neither advance, hold nor roll-back".to_owned()),
    }
}

fn url(text: &str) -> Result<String, String> {
    let uri: http::Uri = text.parse().map_err(|_| "is not a URL".to_owned())?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http" | "https"), Some(_)) => Ok(text.to_owned()),
        _ => Err("is not http://HOST:PORT/PATH".to_owned()),
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = humantime::parse_duration(text).map_err(|_| "is no time".to_owned())?;
    let is_fit = (Duration::from_millis(1)..=TIMEOUT_MAX).contains(&timeout);
    if is_fit { Ok(timeout) } else { Err("is not a time from 1ms to 10m".to_owned()) }
}
