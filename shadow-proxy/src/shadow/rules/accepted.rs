//! Rules that somebody accepted from findings, in a file beside the records. A person may edit it, or move rules from it
//! into the configuration, which has the same shape.

use std::collections::HashSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{Day, RawRule, Rules};
use crate::keys::disk;

pub(crate) const FILE: &str = "rules.toml";

/// All of them; none where nobody has accepted one yet.
///
/// # Errors
/// The file is there and is no list of rules. It is left as it is.
pub(crate) fn read(data: &Path) -> anyhow::Result<Vec<RawRule>> {
    let path = data.join(FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let broken =
        || format!("{} is broken; correct it, or move it away to go on without the rules in it", path.display());
    let content = disk::read(file, &path, FILE_BYTES_MAX)?;
    let text = std::str::from_utf8(&content).with_context(broken)?;
    let content: Content = toml::from_str(text).with_context(broken)?;
    Rules::starter()
        .accepting(content.compare.rules.clone())
        .map_err(|errors| anyhow::anyhow!("{}: {}", path.display(), errors.join("\n")).context(broken()))?;
    Ok(content.compare.rules)
}

/// The rules of the configuration with those that were accepted. Which of them have expired is logged.
pub(crate) fn join(rules: Rules, data: &Path, today: Day) -> anyhow::Result<Rules> {
    let joined = rules.accepting(read(data)?).map_err(|errors| {
        anyhow::anyhow!(
            "{}: {}; what is in the configuration now can be deleted here",
            data.join(FILE).display(),
            errors.join("\n")
        )
    })?;
    joined.expired(today).iter().for_each(|line| tracing::warn!("{line}"));
    Ok(joined)
}

/// One more, under a name that is not taken, which is returned. `written` are those it will stand beside.
///
/// # Errors
/// The file is broken or full or cannot be written, or the rule is not one. Nothing was changed then.
pub(crate) fn accept(data: &Path, mut rule: RawRule, written: &Rules) -> anyhow::Result<String> {
    let path = data.join(FILE);
    let _lock = disk::lock(&path)?;
    let mut rules = read(data)?;
    ensure!(
        rules.len() < ACCEPTED_MAX,
        "{} has {ACCEPTED_MAX} rules, and nobody reviews more; delete those that `shadow-proxy diffs rules` calls dead or expired",
        path.display()
    );
    let mut taken: HashSet<&str> = written.iter().map(|rule| &*rule.name).collect();
    taken.extend(rules.iter().map(|rule| rule.name.as_str()));
    let free = (1_usize..).map(|n| if n == 1 { rule.name.clone() } else { format!("{}-{n}", rule.name) });
    rule.name = free.into_iter().find(|name| !taken.contains(name.as_str())).unwrap_or_default();
    if let Err(errors) = Rules::starter().accepting(vec![rule.clone()]) {
        bail!("not a rule, so nothing was changed: {}", errors.join("\n"));
    }
    let name = rule.name.clone();
    rules.push(rule);
    disk::replace(&path, format!("{HEAD}{}", text(&rules)?).as_bytes())?;
    Ok(name)
}

/// As they stand in the file.
pub(crate) fn text(rules: &[RawRule]) -> anyhow::Result<String> {
    let content = Content { compare: Compare { rules: rules.to_vec() } };
    toml::to_string(&content).context("a rule that cannot be written")
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Content {
    compare: Compare,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Compare {
    rules: Vec<RawRule>,
}

const HEAD: &str =
    "# Written by `shadow-proxy diffs accept`. Rules may be deleted here, or moved into the configuration.\n\n";
const ACCEPTED_MAX: usize = 500;
const FILE_BYTES_MAX: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_is_there_after_a_restart() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(read(data.path()).unwrap(), []);
        let written = Rules::parse(vec![rule("mine")]).unwrap();
        for (name, accepted_as) in [("accepted:7", "accepted:7"), ("accepted:7", "accepted:7-2"), ("mine", "mine-2")] {
            assert_eq!(accept(data.path(), rule(name), &written).unwrap(), accepted_as);
        }
        let rules = read(data.path()).unwrap();
        assert_eq!(rules[0], rule("accepted:7"));
        let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["accepted:7", "accepted:7-2", "mine-2"]);
        let all = written.accepting(rules).unwrap();
        let names: Vec<&str> = all.iter().map(|rule| &*rule.name).take(5).collect();
        assert_eq!(names, ["mine", "accepted:7", "accepted:7-2", "mine-2", "starter:age"]);
    }

    #[test]
    fn a_broken_file_is_left_as_it_is() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join(FILE);
        for broken in ["[[compare.rules", "rules = 1", "[[compare.rules]]\nname = \"a\"\npath = \"decision\"", "\u{0}"]
        {
            std::fs::write(&path, broken).unwrap();
            let read = format!("{:#}", read(data.path()).unwrap_err());
            let accepted = format!("{:#}", accept(data.path(), rule("a"), &Rules::starter()).unwrap_err());
            for error in [read, accepted] {
                assert!(error.contains("rules.toml") && error.contains("; correct it, or move it away"), "{error}");
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), broken);
        }
    }

    #[test]
    fn there_is_an_end_to_what_is_accepted() {
        let data = tempfile::tempdir().unwrap();
        let rules = (0..ACCEPTED_MAX).map(|n| rule(&format!("r{n}"))).collect();
        let text = toml::to_string(&Content { compare: Compare { rules } }).unwrap();
        std::fs::write(data.path().join(FILE), text).unwrap();
        let error = accept(data.path(), rule("one more"), &Rules::starter()).unwrap_err().to_string();
        assert!(error.contains("; delete those"), "{error}");
        assert_eq!(read(data.path()).unwrap().len(), ACCEPTED_MAX);
    }

    fn rule(name: &str) -> RawRule {
        RawRule {
            name: name.into(),
            endpoint: Some("GET /a".into()),
            path: "body[\"a.b\"]".into(),
            tolerance: serde_json::Number::from_f64(0.5),
            reason: "a \"test\"\nin two lines".into(),
            expires: "2027-06-30".into(),
            accepted_by: Some("the owner".into()),
            finding: Some(7),
            ..RawRule::default()
        }
    }
}
