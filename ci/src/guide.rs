//! Lane `guide`: what a reader would copy from the README, the guide and the pages of the two programs works.

mod walk;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::child;
use crate::setup;
use crate::tidy::links;
use crate::workspace::{Workspace, write_atomically};

/// A configuration to check starts with this comment.
const CONFIG_MARK: &str = "# shadow-proxy";
/// Not only read but done, and what it prints is compared.
const EXAMPLE: &str = "migration-guide/example.md";

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    setup::bring_curl()?;
    workspace.build()?;
    let mut helps = Helps { workspace, texts: BTreeMap::new() };
    let mut problems = Vec::new();
    for page in pages(&workspace.root)? {
        let text = fs::read_to_string(workspace.root.join(&page)).with_context(|| format!("cannot read {page}"))?;
        problems.extend(links::check(&workspace.root, &page, &text).iter().map(|finding| format!("{page}:{finding}")));
        for block in blocks(&text) {
            let found = match block.language {
                "toml" if block.content.starts_with(CONFIG_MARK) => check_config(workspace, &block)?,
                "sh" | "bash" | "console" => check_commands(&mut helps, &block)?,
                _ => Vec::new(),
            };
            problems.extend(found.into_iter().map(|(line, what)| format!("{page}:{line}: {what}")));
        }
    }
    let walked = walk::check(workspace, &workspace.root.join(EXAMPLE))?;
    problems.extend(walked.into_iter().map(|(line, what)| format!("{EXAMPLE}:{line}: {what}")));
    if !problems.is_empty() {
        bail!("{}\ncorrect the page, or the program (UPDATE_GUIDE=1 writes outputs anew)", problems.join("\n"));
    }
    Ok(())
}

struct Block<'a> {
    language: &'a str,
    /// Of its first line of content.
    line: usize,
    content: String,
}

/// A command of ours in a block: the program, its verb and the long options.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    program: &'static str,
    verbs: Vec<String>,
    options: Vec<String>,
}

/// What `--help` says, asked once for each program and its verbs.
struct Helps<'a> {
    workspace: &'a Workspace,
    texts: BTreeMap<(&'static str, Vec<String>), Option<String>>,
}

impl Helps<'_> {
    /// None when the program knows no such verbs.
    fn of(&mut self, program: &'static str, verbs: &[String]) -> Option<&str> {
        let help = self.texts.entry((program, verbs.to_vec())).or_insert_with(|| {
            let mut command = match program {
                "cargo ci" | "cargo demo" => Command::new(self.workspace.binary("ci")),
                "cargo load" => Command::new(self.workspace.binary("load")),
                program => Command::new(self.workspace.binary(program)),
            };
            if program == "cargo demo" {
                command.arg("run-demo");
            }
            command.args(verbs).arg("--help");
            child::output(&mut command).ok()
        });
        help.as_deref()
    }
}

fn pages(root: &Path) -> Result<Vec<String>> {
    let mut pages = vec!["README.md".to_owned()];
    let mut folders =
        ["auth-component", "ci/templates", "load", "migration-guide", "shadow-proxy"].map(str::to_owned).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).with_context(|| format!("cannot read {folder}"))? {
            let entry = entry?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                // What npm brought has pages of its own.
                folders.extend(Some(path).filter(|_| entry.file_name() != "node_modules"));
            } else if path.ends_with(".md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    Ok(pages)
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fenced = !fenced;
            if fenced {
                blocks.push(Block { language: language.trim(), line: index + 2, content: String::new() });
            }
        } else if fenced && let Some(block) = blocks.last_mut() {
            block.content += line;
            block.content.push('\n');
        }
    }
    blocks
}

fn check_config(workspace: &Workspace, block: &Block<'_>) -> Result<Vec<(usize, String)>> {
    let file = workspace.target.join("guide/config.toml");
    write_atomically(&file, block.content.as_bytes())?;
    let mut check = Command::new(workspace.binary("shadow-proxy"));
    check.args(["check", "--config"]).arg(&file).current_dir(&workspace.root);
    Ok(child::quiet(&mut check).err().map(|error| (block.line, error.to_string())).into_iter().collect())
}

fn check_commands(helps: &mut Helps<'_>, block: &Block<'_>) -> Result<Vec<(usize, String)>> {
    let mut problems = Vec::new();
    for (line, used) in uses(block) {
        problems.extend(check_use(helps, &used).into_iter().map(|what| (line, what)));
    }
    Ok(problems)
}

fn check_use(helps: &mut Helps<'_>, used: &Use) -> Vec<String> {
    let program = used.program;
    // The words after `cargo ci` are lanes, and all of them stand in its own help.
    if program == "cargo ci" {
        let help = helps.of(program, &[]).unwrap_or_default();
        let unknown = used.verbs.iter().chain(&used.options).filter(|word| !names(help, word));
        return unknown.map(|word| format!("`{program}` knows no `{word}`")).collect();
    }
    let verbs = used.verbs.join(" ");
    let Some(help) = helps.of(program, &used.verbs) else { return vec![format!("`{program}` knows no `{verbs}`")] };
    let unknown = used.options.iter().filter(|option| !names(help, option));
    unknown.map(|option| format!("`{program} {verbs}` knows no `{option}`")).collect()
}

/// Whether the word stands in the text, whole.
fn names(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '-').any(|known| known == word)
}

/// The commands of ours in a block, with their lines.
fn uses(block: &Block<'_>) -> Vec<(usize, Use)> {
    let mut uses = Vec::new();
    let mut command = String::new();
    for (index, line) in block.content.lines().enumerate() {
        // What a command printed is none.
        if block.language == "console" && command.is_empty() && !line.starts_with("$ ") {
            continue;
        }
        match line.trim_end().strip_suffix('\\') {
            Some(begun) => command += begun,
            None => {
                command += line;
                let said = unquoted(command.split(" #").next().unwrap_or_default());
                let found = said.split(['|', ';', '&']).filter_map(parse);
                uses.extend(found.map(|used| (block.line + index, used)));
                command.clear();
            }
        }
    }
    uses
}

/// Without what stands between single quotes: it is for somebody else.
fn unquoted(command: &str) -> String {
    command.split('\'').step_by(2).collect()
}

fn parse(command: &str) -> Option<Use> {
    let mut words = command.split_whitespace().skip_while(|word| *word == "$" || word.contains('='));
    let program = match words.next()?.rsplit('/').next()? {
        "shadow-proxy" => "shadow-proxy",
        "load" => "cargo load",
        "cargo" => match words.next()? {
            "ci" => "cargo ci",
            "demo" => "cargo demo",
            "load" => "cargo load",
            _ => return None,
        },
        _ => return None,
    };
    let mut used = Use { program, verbs: Vec::new(), options: Vec::new() };
    for word in words {
        if word.starts_with("--") {
            used.options.extend(word.split('=').next().map(str::to_owned));
        } else if used.options.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
            used.verbs.push(word.to_owned());
        }
    }
    Some(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_of_a_page_are_found() {
        let text = "text\n```sh\n$ RUST_LOG=info target/release/shadow-proxy run --legacy http://a \\\n  --listen=b # --none\n\
                    cargo ci fmt tidy && cargo demo --keep\ncargo build --release\n```\n```\ncargo ci none\n```\n";
        let blocks = blocks(text);
        assert_eq!(blocks.iter().map(|block| (block.language, block.line)).collect::<Vec<_>>(), [("sh", 3), ("", 9)]);
        let shown: Vec<String> = uses(&blocks[0])
            .into_iter()
            .map(|(line, used)| format!("{line} {} {:?} {:?}", used.program, used.verbs, used.options))
            .collect();
        assert_eq!(
            shown,
            [
                r#"4 shadow-proxy ["run"] ["--legacy", "--listen"]"#,
                r#"5 cargo ci ["fmt", "tidy"] []"#,
                r#"5 cargo demo [] ["--keep"]"#,
            ]
        );
    }

    #[test]
    fn a_word_of_the_help_is_found_whole() {
        let help = "Possible values:\n  - test:  Runs the tests\n  --keep   Keeps";
        assert!(names(help, "test") && names(help, "--keep"));
        assert!(!names(help, "tes") && !names(help, "--kee"));
    }
}
