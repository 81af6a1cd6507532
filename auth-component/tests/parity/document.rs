//! PARITY.md and the table of switches in legacy-stub/README.md say what there is, and all of it.

use std::collections::BTreeSet;

use auth_component::Switch;

use crate::case::{Case, all_cases, repository};
use crate::equal::more;

/// Rows of the parity catalogue.
const CATALOGUE: [(char, usize); 9] =
    [('A', 26), ('B', 25), ('C', 23), ('D', 32), ('E', 23), ('F', 8), ('G', 6), ('H', 32), ('I', 8)];
const OUTCOMES: [&str; 6] = ["copied", "normalised", "declared", "host", "no difference", "not here"];

struct Row {
    id: String,
    becomes: String,
    shown_by: String,
}

#[test]
fn every_row_of_the_catalogue_is_there_once() {
    let rows = rows();
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    for (letter, last) in CATALOGUE {
        for id in (1..=last).map(|number| format!("{letter}{number}")) {
            assert_eq!(ids.iter().filter(|known| **known == id).count(), 1, "{id}");
        }
    }
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "two rows have one name");
    for Row { id, becomes, shown_by } in &rows {
        assert!(OUTCOMES.iter().any(|outcome| becomes.starts_with(outcome)), "{id} becomes {becomes:?}");
        assert!(!shown_by.is_empty(), "nothing shows {id}");
    }
}

#[test]
fn what_a_row_names_exists() {
    let known: BTreeSet<String> = all_cases().into_iter().chain(more()).map(|case| case.name).collect();
    let quirks = read("legacy-stub/src/quirks.js");
    let rules = read("auth-component/PARITY.md");
    for Row { id, becomes, shown_by } in rows() {
        for name in quoted(&becomes).into_iter().filter(|name| !name.starts_with('/')) {
            let is_switch = Switch::ALL.iter().any(|switch| switch.name() == name);
            assert!(
                is_switch || rules.contains(&format!("name = \"{name}\"")),
                "{id}: {name} is no switch and no rule"
            );
        }
        assert!(!becomes.contains("copied") || !quoted(&becomes).is_empty(), "{id} is copied by no switch");
        for name in quoted(&shown_by) {
            let is_case = known.iter().any(|case| fits(&name, case));
            let is_file = name.contains('/') && repository(&name).is_file();
            let is_quirk = quirks.contains(&format!("'{name}':"));
            assert!(is_case || is_file || is_quirk || name.starts_with("cargo "), "{id}: {name} is nothing");
        }
    }
}

#[test]
fn every_switch_and_every_case_of_a_class_has_its_row() {
    let rows = rows();
    for switch in Switch::ALL {
        assert!(rows.iter().any(|row| quoted(&row.becomes).contains(&switch.name().to_owned())), "{}", switch.name());
    }
    let mut missing = Vec::new();
    for Case { name, class, .. } in all_cases() {
        let Some(class) = class.filter(|class| class != "normalised") else { continue };
        let names = |row: &Row| quoted(&row.shown_by).iter().any(|pattern| fits(pattern, &name));
        if !rows.iter().any(|row| (row.becomes.contains(&class) || row.shown_by.contains(&class)) && names(row)) {
            missing.push(format!("{name} is {class} in no row"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn both_documents_list_every_switch() {
    let expected: BTreeSet<&str> = Switch::ALL.map(Switch::name).into();
    for (file, heading) in [("legacy-stub/README.md", "### Switches"), ("auth-component/PARITY.md", "## Dropping them")]
    {
        let text = read(file);
        let section = text.split(heading).nth(1).expect("the section is there");
        let section = section.split("\n#").next().expect("it has a beginning");
        let first_cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let listed: Vec<&str> = first_cells.map(|(name, _)| name).collect();
        assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), expected, "{file}");
        assert_eq!(listed.len(), expected.len(), "{file} has one twice");
    }
}

/// Those of the tables with the head `row`.
fn rows() -> Vec<Row> {
    let text = read("auth-component/PARITY.md");
    let section = text.split("## Every known difference").nth(1).expect("the section is there");
    let lines = section.lines().filter(|line| line.starts_with("| "));
    let cells = lines.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect());
    let rows = cells.filter(|cells: &Vec<String>| cells[0] != "row" && !cells[0].starts_with("---"));
    rows.map(|cells| {
        let [id, _what, becomes, shown_by] = cells.try_into().unwrap_or_else(|cells| panic!("{cells:?} are not four"));
        Row { id, becomes, shown_by }
    })
    .collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
