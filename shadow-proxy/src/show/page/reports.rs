//! Reports that `cargo load report` left in the data directory: listed, and shown as they are, in a frame that may do
//! nothing.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use maud::{Markup, html};

use super::figures;

/// In the data directory.
const FOLDER: &str = "reports";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Less `.html`.
    pub name: String,
    pub at_ms: u64,
    pub bytes: u64,
    /// The same as data, beside it.
    pub has_json: bool,
}

/// The newest first.
pub fn list(data: &Path) -> Vec<Report> {
    let folder = data.join(FOLDER);
    let Ok(entries) = std::fs::read_dir(&folder) else { return Vec::new() };
    let report = |entry: std::fs::DirEntry| {
        let file = entry.file_name().into_string().ok()?;
        let name = file.strip_suffix(".html").filter(|_| is_name(&file))?.to_owned();
        // Of the entry itself: a link is no file.
        let about = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let at_ms = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_millis() as u64;
        let has_json = std::fs::symlink_metadata(folder.join(format!("{name}.json"))).is_ok_and(|json| json.is_file());
        Some(Report { name, at_ms, bytes: about.len(), has_json })
    };
    let mut reports: Vec<Report> = entries.take(ENTRIES_MAX).flatten().filter_map(report).collect();
    reports.sort_by(|a, b| (b.at_ms, &b.name).cmp(&(a.at_ms, &a.name)));
    reports
}

/// The content of a file of the folder; none where there is no such file, or it is none of ours to give.
pub fn read(data: &Path, file: &str) -> Option<Vec<u8>> {
    if !is_name(file) {
        return None;
    }
    let no_link = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    let file: File = options.read(true).custom_flags(no_link.bits() as i32).open(data.join(FOLDER).join(file)).ok()?;
    let about = file.metadata().ok()?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return None;
    }
    let mut content = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut content).ok()?;
    Some(content)
}

/// `NAME.html` or `NAME.json`: letters, digits, `-`, `_` and single dots, which are no way out of the folder.
fn is_name(file: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let has_end = [".html", ".json"].iter().any(|end| file.strip_suffix(end).is_some_and(|name| !name.is_empty()));
    has_end
        && file.len() <= NAME_BYTES_MAX
        && !file.starts_with('.')
        && !file.contains("..")
        && file.bytes().all(is_safe)
}

pub fn region(reports: &[Report]) -> Markup {
    html! {
        @if reports.is_empty() {
            p.empty { "None yet. " code { "cargo load report --in RUN --out DATA/reports/NAME.html" } " puts one here; DATA is this proxy's data directory." }
        } @else {
            div.reports {
                div.box.scroll tabindex="0" role="region" aria-label="All reports" {
                    table {
                        thead { tr { th scope="col" { "report" } th scope="col" { "written (UTC)" } th.number scope="col" { "size" } } }
                        tbody { @for report in reports.iter().take(LISTED_MAX) {
                            tr {
                                th scope="row" {
                                    a href=(format!("/reports/{}.html", report.name)) { (report.name) }
                                    @if report.has_json { " " a href=(format!("/reports/{}.json", report.name)) { "JSON" span.hidden { " of " (report.name) } } }
                                }
                                td { (figures::moment(report.at_ms)) }
                                td.number { (figures::bytes(report.bytes as f64)) }
                            }
                        } }
                    }
                }
                @if let Some(newest) = reports.first() {
                    // Without any permission: no script, no form, no way to this page.
                    iframe sandbox="" loading="lazy" title=(format!("The newest report, {}", newest.name)) src=(format!("/reports/{}.html", newest.name)) {}
                }
            }
        }
    }
}

const ENTRIES_MAX: usize = 2_000;
const LISTED_MAX: usize = 50;
const NAME_BYTES_MAX: usize = 128;
const FILE_BYTES_MAX: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_folder_are_given_and_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join(FOLDER);
        assert_eq!(list(data.path()), []);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(data.path().join("secret.html"), "secret").unwrap();
        for name in ["a.html", "a.json", "b.2026-11-21_1.html", "note.txt", ".hidden.html"] {
            std::fs::write(folder.join(name), name).unwrap();
        }
        std::os::unix::fs::symlink(data.path().join("secret.html"), folder.join("link.html")).unwrap();
        std::fs::create_dir(folder.join("folder.html")).unwrap();
        File::create(folder.join("large.html")).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
        let mut listed: Vec<(String, bool)> = list(data.path()).into_iter().map(|r| (r.name, r.has_json)).collect();
        listed.sort();
        assert_eq!(listed, [("a".into(), true), ("b.2026-11-21_1".into(), false), ("large".into(), false)]);
        for name in ["a.html", "a.json", "b.2026-11-21_1.html"] {
            assert_eq!(read(data.path(), name).as_deref(), Some(name.as_bytes()));
        }
        for name in [
            "link.html",
            "folder.html",
            "large.html",
            "note.txt",
            ".hidden.html",
            "none.html",
            "../secret.html",
            "..html",
            "a/../a.html",
            "/etc/passwd",
            "",
            ".html",
            "a.html\0",
            "a%2f.html",
            "ä.html",
        ] {
            assert_eq!(read(data.path(), name), None, "{name}");
        }
    }
}
