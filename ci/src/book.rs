//! Lane `book`: the guide as a book, its pages gathered from where they are kept, and every link in it followed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::child;
use crate::setup;
use crate::tidy::links;
use crate::workspace::{Workspace, emptied};

const GUIDE: &str = "migration-guide";
const SUMMARY: &str = "migration-guide/SUMMARY.md";
/// Of `book.toml`: with them mdbook finds what was gathered.
const SOURCE: &str = "book/src";
const BUILT: &str = "book/html";

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mdbook = setup::bring_mdbook(workspace)?;
    let (source, built) = (workspace.target.join(SOURCE), workspace.target.join(BUILT));
    emptied(&source)?;
    emptied(&built)?;
    let pages = gather(&workspace.root, &source)?;
    let mut build = Command::new(mdbook);
    build.arg("build").arg(workspace.root.join(GUIDE)).env("MDBOOK_BOOK__SRC", &source);
    child::quiet(build.arg("--dest-dir").arg(&built))?;
    let broken = broken_links(&built)?;
    if !broken.is_empty() {
        bail!("{}\nthe page is there and not in the book; correct the link", broken.join("\n"));
    }
    println!("  {pages} pages: {}", workspace.shown(&built.join("index.html")));
    Ok(())
}

/// The pages of the summary and the files that they link to, under `to` as they lie in the repository. How many pages.
///
/// mdbook takes one folder, and copies all of it; the pages lie beside the code that they are about.
fn gather(root: &Path, to: &Path) -> Result<usize> {
    let summary = fs::read_to_string(root.join(SUMMARY)).with_context(|| format!("cannot read {SUMMARY}"))?;
    let mut lines: Vec<String> = summary.lines().map(str::to_owned).collect();
    let mut pages = Vec::new();
    for (number, link) in links::links(&summary) {
        let page = beside(Path::new(SUMMARY), link);
        let line = &mut lines[number - 1];
        *line = line.replace(&format!("({link})"), &format!("({})", page.display()));
        pages.push(page);
    }
    let known: BTreeSet<&PathBuf> = pages.iter().collect();
    let mut problems = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(root.join(page)).with_context(|| format!("cannot read {}", page.display()))?;
        for (line, link) in links::links(&text) {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains(':') {
                continue;
            }
            let linked = beside(page, path);
            let is_page = linked.extension().is_some_and(|extension| extension == "md");
            if known.contains(&linked) {
                continue;
            }
            if is_page || root.join(&linked).is_dir() {
                problems.push(format!("{}:{line}: `{path}` is no page of {SUMMARY}", page.display()));
            } else {
                copy(&root.join(&linked), &to.join(&linked))?;
            }
        }
        copy(&root.join(page), &to.join(page))?;
    }
    if !problems.is_empty() {
        bail!("{}\nadd the page there, or link to a file", problems.join("\n"));
    }
    fs::write(to.join("SUMMARY.md"), lines.join("\n") + "\n")?;
    Ok(pages.len())
}

/// What a link on a page leads to, without a way up in it.
fn beside(page: &Path, link: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for component in page.with_file_name(link).components() {
        if component == Component::ParentDir {
            path.pop();
        } else {
            path.push(component);
        }
    }
    path
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().expect("a file lies in a folder"))?;
    fs::copy(from, to)
        .with_context(|| format!("cannot copy {}; does the link to it lead anywhere?", from.display()))?;
    Ok(())
}

/// A line for each link in the book that a browser could not follow.
fn broken_links(book: &Path) -> Result<Vec<String>> {
    let read = |page: PathBuf| fs::read_to_string(&page).map(|html| (page, html));
    let pages: BTreeMap<PathBuf, String> = html_files(book)?.into_iter().map(read).collect::<Result<_, _>>()?;
    let ids: BTreeMap<&Path, BTreeSet<&str>> =
        pages.iter().map(|(page, html)| (page.as_path(), values(html, "id").collect())).collect();
    let mut broken = Vec::new();
    for (page, html) in &pages {
        for link in values(html, "href").chain(values(html, "src")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            if path.contains(':') {
                continue;
            }
            let target = if path.is_empty() { page.clone() } else { beside(page, path) };
            let leads = match ids.get(target.as_path()) {
                Some(ids) => anchor.is_empty() || ids.contains(anchor),
                // A picture or a font.
                None => target.is_file(),
            };
            if !leads {
                let shown = page.strip_prefix(book).unwrap_or(page).display();
                broken.push(format!("{shown}: `{link}` leads nowhere"));
            }
        }
    }
    broken.sort();
    broken.dedup();
    Ok(broken)
}

/// All but the one page that has every other page in it, for printing.
fn html_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(html_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "html") && !path.ends_with("print.html") {
            files.push(path);
        }
    }
    Ok(files)
}

/// The values of an attribute, as mdbook writes them.
fn values<'a>(html: &'a str, attribute: &str) -> impl Iterator<Item = &'a str> {
    let begin = format!(" {attribute}=\"");
    let pieces: Vec<&str> = html.split(begin.as_str()).skip(1).collect();
    pieces.into_iter().filter_map(|piece| piece.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(root: &Path, name: &str, text: &str) {
        let file = root.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn pages_come_with_what_they_link_to_and_not_with_more() {
        let (root, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        file(root.path(), SUMMARY, "[r](../README.md)\n[i](README.md)\n- [a](a.md)\n  - [b](../proxy/B.md)\n");
        file(root.path(), "README.md", "");
        file(root.path(), "migration-guide/README.md", "");
        file(root.path(), "migration-guide/a.md", "[b](../proxy/B.md#x) ![p](p.svg) [web](https://a.b/c.md)");
        file(root.path(), "migration-guide/p.svg", "<svg/>");
        file(root.path(), "proxy/B.md", "# X\n");
        file(root.path(), "proxy/secret", "");
        assert_eq!(gather(root.path(), to.path()).unwrap(), 4);
        let summary = fs::read_to_string(to.path().join("SUMMARY.md")).unwrap();
        let expected =
            "[r](README.md)\n[i](migration-guide/README.md)\n- [a](migration-guide/a.md)\n  - [b](proxy/B.md)\n";
        assert_eq!(summary, expected);
        assert!(to.path().join("migration-guide/p.svg").exists() && to.path().join("proxy/B.md").exists());
        assert!(!to.path().join("proxy/secret").exists());

        file(root.path(), "proxy/B.md", "[c](C.md)\n[folder](../proxy)\n");
        let error = gather(root.path(), to.path()).unwrap_err().to_string();
        assert!(error.starts_with("proxy/B.md:1: `C.md` is no page of"), "{error}");
        assert!(error.contains("proxy/B.md:2: `../proxy` is no page of"), "{error}");
    }

    #[test]
    fn links_of_the_book_are_followed_to_their_anchors() {
        let book = tempfile::tempdir().unwrap();
        let a = "<a href=\"b/c.html#x\"></a><a href=\"b/c.html#y\"></a><img src=\"p.svg\"><a href=\"https://a.b\"></a>";
        file(book.path(), "a.html", a);
        file(book.path(), "b/c.html", "<h1 id=\"x\"></h1><a href=\"../a.html\"></a><a href=\"d.html\"></a>");
        let broken = broken_links(book.path()).unwrap();
        let expected = ["a.html: `b/c.html#y`", "a.html: `p.svg`", "b/c.html: `d.html`"];
        assert_eq!(broken, expected.map(|link| format!("{link} leads nowhere")));
    }
}
