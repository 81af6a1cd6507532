//! Links and paths in Markdown: what a reader would follow must be there.

use std::collections::BTreeSet;
use std::path::Path;

use super::Finding;

/// `file` is relative to `root`. Links to other hosts are not followed.
pub(crate) fn check(root: &Path, file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, link) in links(text) {
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        if path.contains(':') || path.starts_with('/') {
            continue;
        }
        let target = match path {
            "" => root.join(file),
            _ => root.join(file).with_file_name(path),
        };
        if !target.exists() {
            let what = format!("the link to `{path}` leads nowhere");
            findings.push(Finding::new(line, what, "name a file of this repository, relative to this page"));
        } else if !anchor.is_empty() && !has_anchor(&target, anchor) {
            let what = format!("`{link}` names a heading that is not there");
            findings.push(Finding::new(line, what, "write the heading in lower case with dashes for spaces"));
        }
    }
    findings
}

/// Each path that the README's map of folders names must exist.
pub(crate) fn check_map(root: &Path, readme: &str) -> Vec<Finding> {
    let missing = map_paths(readme).into_iter().filter(|(_, path)| !root.join(path).exists());
    let finding =
        |(line, path)| Finding::new(line, format!("the map names `{path}`, which is not there"), "correct the map");
    missing.map(finding).collect()
}

/// The targets of `[text](target)`, `![text](target)` and `[name]: target`, outside of code.
pub(crate) fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            links.push((number, target.split_whitespace().next().unwrap_or_default()));
        }
        let mut at = 0;
        while let Some(length) = line[at..].find("](") {
            let start = at + length + 2;
            let end = line[start..].find(')').map_or(line.len(), |length| start + length);
            let is_code = line[..start].matches('`').count() % 2 == 1;
            let target = line[start..end].split_whitespace().next().unwrap_or_default();
            if !is_code && !target.is_empty() {
                links.push((number, target.trim_matches(['<', '>'])));
            }
            at = end;
        }
    }
    links
}

/// The lines outside of fenced blocks, numbered from 1.
pub(crate) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        (!fenced && !is_fence).then_some((index + 1, line))
    })
}

fn has_anchor(page: &Path, anchor: &str) -> bool {
    let Ok(text) = std::fs::read_to_string(page) else { return false };
    page.extension().is_none_or(|extension| extension != "md")
        || prose(&text).any(|(_, line)| line.starts_with('#') && slug(line) == anchor)
}

/// A heading as the anchor that Markdown renderers make of it.
fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

/// The paths in the section whose heading speaks of a map or folders: the first word of a fenced line or of a table's row, and
/// what stands in backticks.
fn map_paths(readme: &str) -> BTreeSet<(usize, &str)> {
    let mut paths = BTreeSet::new();
    let (mut in_map, mut fenced) = (false, false);
    for (index, line) in readme.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if line.starts_with('#') && !fenced {
            in_map = words_of(line).any(|word| ["map", "folders"].contains(&word.to_lowercase().as_str()));
        } else if in_map {
            let named: Vec<&str> = match fenced {
                true => line.split_whitespace().take(1).collect(),
                false => line.split('`').skip(1).step_by(2).collect(),
            };
            paths.extend(named.into_iter().filter(|name| is_path(name)).map(|name| (index + 1, name)));
        }
    }
    paths
}

fn words_of(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric())
}

/// `ci/src`, `legacy-stub/` or `Cargo.toml`, but no command, address or option.
fn is_path(name: &str) -> bool {
    let looks = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    name.chars().all(looks) && (name.contains('/') || name.contains('.')) && !name.starts_with(['/', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# The Two: commands!\n\n[ok](b.md) ![picture](img/a.svg \"title\")\n`[code](none.md)` [web](https://a.b/c)\n\
                        ```\n[fenced](none.md)\n```\n[gone](c.md#x) [here](#the-two-commands) [wrong](#nothing)\n[ref]: d.md\n";

    #[test]
    fn links_to_missing_files_and_headings_are_found() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("guide/img")).unwrap();
        for file in ["guide/b.md", "guide/img/a.svg"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        std::fs::write(folder.path().join("guide/page.md"), PAGE).unwrap();
        let findings = check(folder.path(), "guide/page.md", PAGE);
        let lines: Vec<(usize, &str)> = findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect();
        assert_eq!(
            lines,
            [
                (8, "the link to `c.md` leads nowhere"),
                (8, "`#nothing` names a heading that is not there"),
                (9, "the link to `d.md` leads nowhere"),
            ]
        );
    }

    #[test]
    fn the_map_names_only_what_exists() {
        let readme = "# Tour\n`none/at-all`\n## The map of folders\n```\nci/  the lanes\nload/  journeys\n```\n| `Cargo.toml` | `gone/` | `cargo ci` |\n# End\n`x/y`\n";
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("ci")).unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        let findings = check_map(folder.path(), readme);
        let lines: Vec<(usize, &str)> = findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect();
        assert_eq!(
            lines,
            [(6, "the map names `load/`, which is not there"), (8, "the map names `gone/`, which is not there"),]
        );
    }
}
