//! Who may import whom in shadow-proxy, and where each large crate is at home.

use std::collections::BTreeSet;

use super::Finding;
use super::source::{Source, words};

/// A file imports only from rows above its own. Two modules of one row do not know each other.
const LAYERS: [&[&str]; 11] = [
    &["exchange", "clock", "random"],
    &["metrics"],
    &["keys"],
    &["side", "shift"],
    &["shadow"],
    &["serve", "show"],
    &["config"],
    &["run", "operator"],
    &["replay"],
    &["cli"],
    &["main"],
];

/// A crate (with `*`: and those whose names start like that), and the files or folders that may name it.
const HOMES: [(&str, &[&str]); 8] = [
    ("auth_component", &["keys/", "config/auth.rs", "shadow/capture/credential.rs", "shadow/compare/signature.rs"]),
    ("wasmtime*", &["side/candidate/", "side/candidate.rs"]),
    ("hyper_util::client", &["side/legacy.rs"]),
    ("reqwest", &["side/remote.rs", "side/candidate/outbound.rs", "shift/hooks.rs", "operator.rs", "operator/"]),
    ("axum", &["serve/accept.rs", "show/admin.rs", "show/guard.rs", "show/page/"]),
    ("rusqlite", &["shadow/record.rs", "shadow/record/"]),
    ("prometheus_client", &["metrics.rs", "metrics/"]),
    ("maud", &["show/page/"]),
];

/// `file` is relative to shadow-proxy/src. Tests may reach everywhere.
pub(crate) fn check(file: &str, source: &Source) -> Vec<Finding> {
    let end = source.code.split_inclusive('\n').take(source.last_line_before_tests()).map(str::len).sum();
    let code = &source.code[..end];
    let mut findings = layering(file, code, source);
    findings.extend(homes(file, code, source));
    findings
}

fn layering(file: &str, code: &str, source: &Source) -> Vec<Finding> {
    let module = file.split('/').next().unwrap_or(file).trim_end_matches(".rs");
    let Some(own) = layer(module) else {
        let what = format!("module `{module}` has no layer");
        return vec![Finding::new(1, what, "give it a row in LAYERS in ci/src/tidy/imports.rs")];
    };
    let mut findings = Vec::new();
    for (at, imported) in crate_paths(file, code) {
        let Some(other) = layer(imported) else { continue };
        if imported != module && other >= own {
            let what = format!("`{module}` imports `{imported}`, which is not below it");
            let instead =
                "pass the value in, or move what both need further down (DESIGN: imports point only downwards)";
            findings.push(Finding::new(source.line(at), what, instead));
        }
    }
    findings
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// The first name of each path that starts at the root of the crate: `crate::a::b`, `crate::{a, b::c}`, `super::a`.
fn crate_paths<'a>(file: &str, code: &'a str) -> Vec<(usize, &'a str)> {
    let mut paths = Vec::new();
    for (at, word) in words(code) {
        let starts_here = !code[..at].ends_with("::");
        let after = match word {
            "crate" if starts_here => code[at..].strip_prefix("crate"),
            "super" if starts_here => after_supers(code, at, depth(file)),
            _ => None,
        };
        let Some(names) = after.and_then(|after| after.strip_prefix("::")) else { continue };
        let first = code.len() - names.len();
        match names.strip_prefix('{') {
            Some(group) => paths.extend(group_names(group).map(|(offset, name)| (first + 1 + offset, name))),
            None => paths.extend(words(names).next().filter(|(offset, _)| *offset == 0).map(|(_, name)| (first, name))),
        }
    }
    paths
}

/// How many `super` lead from the file's module to the root of the crate.
fn depth(file: &str) -> usize {
    match file.strip_suffix("/mod.rs") {
        Some(folder) => folder.split('/').count(),
        None if file == "main.rs" || file == "lib.rs" => 0,
        None => file.split('/').count(),
    }
}

/// What follows as many `super` as lead to the root of the crate; none when there are fewer.
fn after_supers(code: &str, at: usize, depth: usize) -> Option<&str> {
    let mut rest = code[at..].strip_prefix("super")?;
    for _ in 1..depth {
        rest = rest.strip_prefix("::super")?;
    }
    Some(rest)
}

/// The first names in `{a, b::{c, d}, e}`, after its opening brace.
fn group_names(group: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut depth = 1;
    let mut starts = BTreeSet::from([0]);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => drop(starts.insert(at + 1)),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    starts.into_iter().filter_map(|start| words(&group[start..]).next().map(|(offset, name)| (start + offset, name)))
}

fn homes(file: &str, code: &str, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, word) in words(code) {
        let path = &code[at..];
        let named = path[word.len()..].starts_with("::") && !code[..at].ends_with("::");
        let home = HOMES.iter().find(|(name, _)| match name.strip_suffix('*') {
            Some(start) => word.starts_with(start),
            None => path.starts_with(name) && name.split("::").next() == Some(word),
        });
        let Some((name, homes)) = home.filter(|_| named) else { continue };
        if !homes.iter().any(|home| file.starts_with(home)) {
            let what = format!("`{}` is not at home here", name.trim_end_matches('*'));
            let instead = format!("keep it in {}", homes.join(" or "));
            findings.push(Finding::new(source.line(at), what, instead));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(file: &str, text: &str) -> Vec<(usize, String)> {
        let findings = check(file, &Source::read(text));
        findings.into_iter().map(|finding| (finding.line, finding.what)).collect()
    }

    #[test]
    fn imports_point_only_downwards() {
        let text =
            "use crate::exchange::Call;\nuse crate::serve::answer;\nuse crate::{metrics, show::{admin, page}, side};\n";
        let bad = lines("shadow/mirror.rs", text);
        assert_eq!(
            bad,
            [
                (2, "`shadow` imports `serve`, which is not below it".to_owned()),
                (3, "`shadow` imports `show`, which is not below it".to_owned()),
            ]
        );
        assert_eq!(
            lines("side/legacy.rs", "use crate::shift::weight;").len(),
            1,
            "modules of one row do not know each other"
        );
        assert!(lines("shadow/mod.rs", "use crate::shadow::rules;\nfn f() { crate::side::call() }").is_empty());
        assert!(lines("main.rs", "mod serve;\nuse serve::x;").is_empty());
    }

    #[test]
    fn super_is_followed_to_the_root() {
        assert_eq!(lines("metrics.rs", "use super::serve::x;").len(), 1);
        assert_eq!(lines("side/candidate/pool.rs", "use super::super::super::show::page;").len(), 1);
        assert!(lines("side/candidate/pool.rs", "use super::super::show::page;").is_empty());
    }

    #[test]
    fn tests_may_import_everything() {
        assert!(lines("exchange.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    use crate::run::x;\n}\n").is_empty());
    }

    #[test]
    fn a_module_without_a_layer_is_found() {
        assert_eq!(lines("extra/a.rs", ""), [(1, "module `extra` has no layer".to_owned())]);
    }

    #[test]
    fn crates_stay_at_home() {
        assert_eq!(
            lines("serve/route.rs", "use wasmtime_wasi::p2;"),
            [(1, "`wasmtime` is not at home here".to_owned())]
        );
        assert_eq!(
            lines("run.rs", "\nfn f() { rusqlite::Connection::open() }"),
            [(2, "`rusqlite` is not at home here".to_owned())]
        );
        assert_eq!(lines("serve/accept.rs", "use hyper_util::client::legacy;").len(), 1);
        assert!(lines("serve/accept.rs", "use hyper_util::server::conn; use axum::Router;").is_empty());
        assert!(lines("side/candidate/pool.rs", "use wasmtime::Engine; use wasmtime_wasi_http::p2;").is_empty());
        assert!(lines("run.rs", "// axum::Router\nlet a = \"axum::Router\";").is_empty());
    }
}
