//! Lane `tidy`: the project's shape as tables that can be checked. A finding names the place and what to do.

mod imports;
pub(crate) mod links;
mod modules;
mod source;

use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use crate::{budget, child};
use source::{Source, words};

/// Everything that may stand at the top, hidden files included.
const TOP_LEVEL: [&str; 17] = [
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".gitattributes",
    ".gitignore",
    ".rustfmt.toml",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "auth-component",
    "ci",
    "legacy-stub",
    "load",
    "migration-guide",
    "rust-toolchain.toml",
    "shadow-proxy",
];

/// Names that say nothing, so that anything ends up there.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "common", "helpers", "misc", "types"];

/// Marks of unfinished work, in comments and in files that are not Rust.
const MARKS: [&str; 3] = ["TODO", "FIXME", "XXX"];

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut findings = Vec::new();
    let files = files(workspace)?;
    let declared = modules::declared(&workspace.root, &files);
    for file in files {
        // A file that is not text, or that git lists and somebody just deleted, has nothing to read.
        let text = fs::read_to_string(workspace.root.join(&file)).unwrap_or_default();
        let mut found = check_name(&file);
        found.extend(modules::check(&file, &declared));
        match file.rsplit('.').next() {
            Some("rs") => found.extend(check_rust(&file, &text)),
            Some("js" | "mjs") => {
                found.extend(check_length(text.lines().count()).into_iter().chain(check_marks(&text)))
            }
            Some("sh" | "toml" | "yml" | "yaml") => found.extend(check_marks(&text)),
            Some("md") => found.extend(links::check(&workspace.root, &file, &text)),
            _ => {}
        }
        if file == "README.md" {
            found.extend(links::check_map(&workspace.root, &text));
        }
        findings.extend(found.into_iter().map(|finding| format!("{file}:{finding}")));
    }
    findings.extend(budget::check());
    match findings.len() {
        0 => Ok(()),
        1 => bail!("{}", findings[0]),
        several => bail!("{}\n{several} findings", findings.join("\n")),
    }
}

/// Shown after the file's name: `line: what; what to do`.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) line: usize,
    pub(crate) what: String,
    instead: String,
}

impl Finding {
    fn new(line: usize, what: impl Into<String>, instead: impl Into<String>) -> Finding {
        Finding { line, what: what.into(), instead: instead.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.line, self.what, self.instead)
    }
}

/// The repository's files, also those not yet added, relative to its root.
fn files(workspace: &Workspace) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).current_dir(&workspace.root);
    let listed = child::output(&mut git)?;
    let mut files: Vec<String> = listed.split_terminator('\0').map(str::to_owned).collect();
    files.retain(|file| workspace.root.join(file).exists());
    files.sort();
    files.dedup();
    Ok(files)
}

fn check_name(file: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let top = file.split('/').next().unwrap_or(file);
    if !TOP_LEVEL.contains(&top) {
        findings.push(Finding::new(1, format!("`{top}` may not stand at the top level"), "move it into a folder"));
    }
    let is_source = file.ends_with(".rs") || file.ends_with(".js") || file.ends_with(".mjs");
    let names = file.split('/').map(|name| name.split('.').next().unwrap_or(name));
    if let Some(name) = names.filter(|_| is_source).find(|name| EMPTY_NAMES.contains(name)) {
        findings.push(Finding::new(1, format!("`{name}` says nothing"), "name the file after what is in it"));
    }
    findings
}

fn check_rust(file: &str, text: &str) -> Vec<Finding> {
    let source = Source::read(text);
    let counted = source.last_line_before_tests();
    let mut findings = Vec::new();
    if !file.contains("/tests/") {
        findings.extend(check_length(counted));
        findings.extend(check_functions(&source, counted));
    }
    findings.extend(check_marks(&source.comments));
    findings.extend(check_leftovers(&source));
    findings.extend(check_unsafe(&source));
    if let Some(inner) = file.strip_prefix("shadow-proxy/src/") {
        findings.extend(imports::check(inner, &source));
    }
    findings
}

fn check_length(lines: usize) -> Option<Finding> {
    let what = format!("{lines} lines, more than {FILE_LINES_MAX}");
    (lines > FILE_LINES_MAX).then(|| Finding::new(FILE_LINES_MAX + 1, what, "split the file where its subject changes"))
}

fn check_functions(source: &Source, counted: usize) -> Vec<Finding> {
    let functions = source.functions().into_iter().filter(|lines| *lines.start() <= counted);
    let too_long = functions.filter(|lines| lines.clone().count() > FUNCTION_LINES_MAX);
    let finding = |lines: std::ops::RangeInclusive<usize>| {
        let what = format!("a function of {} lines, more than {FUNCTION_LINES_MAX}", lines.clone().count());
        Finding::new(*lines.start(), what, "give its steps names of their own")
    };
    too_long.map(finding).collect()
}

fn check_marks(text: &str) -> Vec<Finding> {
    let marks = words(text).filter(|(_, word)| MARKS.contains(word));
    let finding = |(at, mark): (usize, &str)| {
        let line = text[..at].matches('\n').count() + 1;
        Finding::new(line, format!("`{mark}` marks unfinished work"), "finish it, or open an issue")
    };
    marks.map(finding).collect()
}

fn check_leftovers(source: &Source) -> Vec<Finding> {
    let dbg =
        words(&source.code).filter(|(at, word)| *word == "dbg" && source.code[at + word.len()..].starts_with('!'));
    dbg.map(|(at, _)| Finding::new(source.line(at), "`dbg!` prints to the user", "remove it")).collect()
}

/// Blocks and impls, where somebody promises; a declaration only asks for the promise. Clippy checks the same, but only
/// in code it compiles: it never sees the guest's wasm shell.
fn check_unsafe(source: &Source) -> Vec<Finding> {
    let code: Vec<&str> = source.code.lines().collect();
    let comments: Vec<&str> = source.comments.lines().collect();
    let speaks = |line: &&str| line.contains("SAFETY");
    let is_explained = |index: usize| {
        let above = (0..index).rev().take_while(|&above| {
            let code = code[above].trim();
            code.starts_with("#[") || (code.is_empty() && !comments[above].trim().is_empty())
        });
        above.chain([index, index + 1]).any(|line| comments.get(line).is_some_and(speaks))
    };
    let mut findings = Vec::new();
    for (at, word) in words(&source.code) {
        let line = source.line(at);
        let after = source.code[at + word.len()..].trim_start();
        let promises = word == "unsafe" && (after.starts_with('{') || after.starts_with("impl"));
        if promises && !is_explained(line - 1) {
            findings.push(Finding::new(line, "`unsafe` without a reason", "write `// SAFETY: why it holds` above it"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(findings: impl IntoIterator<Item = Finding>) -> Vec<String> {
        findings.into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn only_the_listed_entries_stand_at_the_top() {
        assert!(shown(check_name("Cargo.toml")).is_empty());
        assert!(shown(check_name("shadow-proxy/src/main.rs")).is_empty());
        assert_eq!(
            shown(check_name("notes/a.md")),
            ["1: `notes` may not stand at the top level; move it into a folder"]
        );
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        let says_nothing = ["1: `util` says nothing; name the file after what is in it"];
        assert_eq!(shown(check_name("load/src/util.rs")), says_nothing);
        assert_eq!(shown(check_name("legacy-stub/src/util/keys.js")), says_nothing);
        assert!(shown(check_name("load/util.json")).is_empty());
    }

    #[test]
    fn files_and_functions_have_a_length() {
        let body = "    a();\n".repeat(69);
        let function = format!("\nfn long() {{\n{body}}}\n");
        assert_eq!(
            shown(check_rust("load/src/a.rs", &function)),
            ["2: a function of 71 lines, more than 70; give its steps names of their own"]
        );
        let file = "// line\n".repeat(401);
        assert_eq!(
            shown(check_rust("load/src/a.rs", &file)),
            ["401: 401 lines, more than 400; split the file where its subject changes"]
        );
        let tests = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{file}{function}}}\n");
        assert!(shown(check_rust("load/src/a.rs", &tests)).is_empty());
        assert!(shown(check_rust("load/tests/all/a.rs", &file)).is_empty());
    }

    #[test]
    fn unfinished_work_is_found_in_comments_but_not_in_strings() {
        let text = "let a = \"TODO\";\n// later: FIXME\n// the XXXL size\ndbg!(a);\n";
        assert_eq!(
            shown(check_rust("ci/src/a.rs", text)),
            [
                "2: `FIXME` marks unfinished work; finish it, or open an issue",
                "4: `dbg!` prints to the user; remove it",
            ]
        );
        assert_eq!(shown(check_marks("a = 1\n# XXX\n")).len(), 1);
    }

    #[test]
    fn unsafe_says_why() {
        let reason = "`unsafe` without a reason; write `// SAFETY: why it holds` above it";
        assert_eq!(shown(check_unsafe(&Source::read("fn a() {\n    unsafe { b() }\n}\n"))), [format!("2: {reason}")]);
        let explained = "// SAFETY: b is fine,\n// always.\n#[inline]\nunsafe { b() }\n\
                         unsafe fn c() {}\n#[unsafe(no_mangle)]\nfn d() {}\n";
        assert!(shown(check_unsafe(&Source::read(explained))).is_empty());
    }

    #[test]
    fn the_layering_is_checked_in_shadow_proxy_alone() {
        let text = "use crate::serve::answer;\n";
        assert_eq!(shown(check_rust("shadow-proxy/src/shadow/mirror.rs", text)).len(), 1);
        assert!(shown(check_rust("load/src/shadow/mirror.rs", text)).is_empty());
    }
}
