//! Every Rust file belongs to a crate: one that nobody declares is never compiled, and its tests never run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Finding;
use super::source::{Source, words};

/// What cargo finds itself, by the folder it lies in; a file with one of the names is the root of its folder.
const ROOT_FOLDERS: [&str; 4] = ["bin", "examples", "fuzz_targets", "tests"];
const ROOT_NAMES: [&str; 4] = ["build.rs", "lib.rs", "main.rs", "mod.rs"];

/// The paths of the modules that the files declare, without `.rs` and `/mod.rs`.
pub(super) fn declared(root: &Path, files: &[String]) -> BTreeSet<String> {
    let rust = files.iter().filter(|file| file.ends_with(".rs"));
    rust.flat_map(|file| modules(file, &fs::read_to_string(root.join(file)).unwrap_or_default())).collect()
}

pub(super) fn check(file: &str, declared: &BTreeSet<String>) -> Option<Finding> {
    let module = file.strip_suffix(".rs")?;
    let module = module.strip_suffix("/mod").unwrap_or(module);
    let is_orphan = !is_root(file) && !declared.contains(module);
    is_orphan.then(|| Finding::new(1, "no file declares this module", "declare it where it belongs, or delete it"))
}

fn modules(file: &str, text: &str) -> Vec<String> {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let folder = match is_root(file) || ROOT_NAMES.contains(&name) {
        true => folder.to_owned(),
        false => format!("{folder}/{}", name.trim_end_matches(".rs")),
    };
    let code = Source::read(text).code;
    let words: Vec<(usize, &str)> = words(&code).collect();
    let pairs = words.windows(2).filter(|pair| pair[0].1 == "mod");
    let ends = |at: usize, name: &str| code[at + name.len()..].trim_start().starts_with(';');
    pairs.filter(|pair| ends(pair[1].0, pair[1].1)).map(|pair| format!("{folder}/{}", pair[1].1)).collect()
}

fn is_root(file: &str) -> bool {
    let mut parts = file.rsplit('/');
    let (name, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    ROOT_FOLDERS.contains(&folder) || (ROOT_NAMES.contains(&name) && name != "mod.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nobody_declares_is_found() {
        let texts = [
            ("a/src/main.rs", "mod one;\npub(crate) mod two;\nmod inline { }\n// mod comment;\n"),
            ("a/src/one.rs", "#[cfg(test)]\nmod inner;\n"),
            ("a/src/two/mod.rs", "mod inner;\n"),
            ("a/tests/all/main.rs", "mod case;\n"),
            ("a/tests/alone.rs", "mod case;\n"),
        ];
        let declared = texts.iter().flat_map(|(file, text)| modules(file, text)).collect();
        let good = ["a/src/main.rs", "a/src/one/inner.rs", "a/src/two/inner.rs", "a/tests/all/case.rs"];
        let roots = ["a/build.rs", "a/examples/b.rs", "a/tests/alone.rs", "a/tests/case/mod.rs", "a/src/two/mod.rs"];
        for good in good.into_iter().chain(roots) {
            assert!(check(good, &declared).is_none(), "{good}");
        }
        for orphan in
            ["a/src/inline.rs", "a/src/comment.rs", "a/src/inner.rs", "a/src/three/mod.rs", "a/tests/all/b.rs"]
        {
            assert!(check(orphan, &declared).is_some(), "{orphan}");
        }
    }
}
