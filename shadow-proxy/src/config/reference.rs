//! `migration-guide/configuration.md` is made here: of what the reader asks for, and of `meanings.toml`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use super::reader::{Asked, Section};

/// With every table that is only read when it is there.
const WHOLE: &str = r#"
[auth]
keys = "Cargo.toml"
[[auth.issuers]]
[auth.introspection]
url = "https://issuer.example/oauth2/introspect"
[[routes]]
[shift.testers]
header = "x-shadow-side"
[[shift.steps]]
[[shift.hooks]]
"#;

const HEAD: &str = "# Configuration

Every key, what it takes, and what stands where it is absent. Made from the code that reads it (a test holds this page to it).
`shadow-proxy check --config FILE` says everything that is wrong with a file, at once. Flags of `run` go before the file.
A key that is not here is an error, so that no misspelt one is overlooked. Paths begin in the folder that the program is started in.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Meaning {
    is: String,
    default: Option<String>,
}

/// In the order of reading, by table.
fn asked() -> Vec<Asked> {
    let mut root = Section::root(toml::from_str(WHOLE).unwrap());
    super::read(&mut root);
    let mut asked = root.asked.clone();
    for asked in &mut asked {
        asked.key = asked.key.replace("[0]", "");
    }
    // A step is read last, and a table of it asks for what `[shift]` has.
    let table = |asked: &Asked| asked.key.rsplit_once('.').map_or(String::new(), |(table, _)| table.to_owned());
    let mut order: Vec<String> = Vec::new();
    for asked in &asked {
        if !order.contains(&table(asked)) {
            order.push(table(asked));
        }
    }
    asked.sort_by_key(|asked| order.iter().position(|known| *known == table(asked)));
    asked
}

fn page(asked: &[Asked], meanings: &BTreeMap<String, Meaning>) -> String {
    let mut page = HEAD.to_owned();
    let mut present = None;
    for Asked { key, takes, default } in asked {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        if present != Some(table) {
            present = Some(table);
            let is_list = WHOLE.contains(&format!("[[{table}]]"));
            match (table, is_list) {
                ("", _) => {}
                (_, true) => write!(page, "\n## `[[{table}]]`\n").unwrap(),
                (_, false) => write!(page, "\n## `[{table}]`\n").unwrap(),
            }
            page += "\n| Key | Takes | Default | Is |\n|---|---|---|---|\n";
        }
        let Meaning { is, default: other } = &meanings[key];
        let default = other.as_ref().unwrap_or(default);
        writeln!(page, "| `{name}` | {} | {} | {is} |", shown(takes), shown(default)).unwrap();
    }
    page
}

/// Code where it is TOML, and words where it is not.
fn shown(text: &str) -> String {
    let is_words = text.is_empty() || text.contains(' ') && !text.starts_with(['"', '[']);
    let is_code = !is_words && text != "needed" && text != "text" && text != "tables";
    if is_code { format!("`{text}`") } else { text.to_owned() }
}

#[test]
fn the_reference_is_what_the_code_reads() {
    let meanings: BTreeMap<String, Meaning> = toml::from_str(include_str!("meanings.toml")).unwrap();
    let asked = asked();
    let unexplained: Vec<&str> =
        asked.iter().map(|asked| asked.key.as_str()).filter(|key| !meanings.contains_key(*key)).collect();
    assert!(unexplained.is_empty(), "say in meanings.toml what these are: {unexplained:?}");
    let unread: Vec<&String> = meanings.keys().filter(|key| asked.iter().all(|asked| asked.key != **key)).collect();
    assert!(unread.is_empty(), "nobody reads these; delete them from meanings.toml: {unread:?}");

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migration-guide/configuration.md");
    let page = page(&asked, &meanings);
    if std::env::var_os("UPDATE_GUIDE").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let present = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(present == page, "{} is of other code; UPDATE_GUIDE=1 writes it anew", file.display());
}
