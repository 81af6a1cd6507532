//! The table `[capture]`: where mirrored traffic is kept so that it can be replayed.

use crate::shadow::capture::CaptureLimits;

use super::reader::Section;

/// None where no folder is named: nothing is captured.
pub fn read(root: &mut Section, is_mirrored: bool) -> Option<CaptureLimits> {
    let mut section = root.section("capture");
    let dir = section.text("dir");
    if dir.is_some() && !is_mirrored {
        section.wrong("dir", "would stay empty: nothing is mirrored", "mirror.enabled = true");
    }
    let bytes_max = section.number("bytes_max", 64 << 20, 65_536..=1 << 40, "bytes");
    let files_max = section.number("files_max", 16, 1..=100_000, "files") as usize;
    let secrets = section.flag("secrets", false);
    let passphrase_file = section.file("passphrase_file");
    if secrets && passphrase_file.is_none() {
        section.wrong(
            "secrets",
            "are kept in sealed files only, and no passphrase is named",
            "passphrase_file = \"/run/secrets/passphrase\", or secrets = false",
        );
    }
    if !secrets && passphrase_file.is_some() {
        section.wrong("passphrase_file", "has nothing to seal: stand-ins are no secrets", "secrets = true");
    }
    section.close(root);
    Some(CaptureLimits { dir: dir?.into(), bytes_max, files_max, passphrase_file })
}
