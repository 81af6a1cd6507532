//! A program with what the dynamic linker loads for it: all that a container without a system needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::child;

/// The program that a person would start by this name first, then its libraries.
pub(crate) fn with(name: &str) -> Result<Vec<PathBuf>> {
    let program = child::on_path(name).with_context(|| format!("{name} is not installed; run `cargo ci setup`"))?;
    of(&program.canonicalize()?)
}

/// The program first, then its libraries.
pub(crate) fn of(program: &Path) -> Result<Vec<PathBuf>> {
    let listed = child::output(Command::new("ldd").arg(program))?;
    Ok(std::iter::once(program.to_owned()).chain(listed_in(&listed)).collect())
}

/// The paths in what `ldd` prints: `name => /path (address)` or `/path (address)`.
fn listed_in(listed: &str) -> Vec<PathBuf> {
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    listed.lines().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_of_a_program_are_read_from_ldd() {
        let listed = "\tlinux-vdso.so.1 (0x7ffc)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x7fca)\n\t/lib64/ld-linux-x86-64.so.2 (0x7fcb)\n";
        let paths: Vec<PathBuf> =
            ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from).into();
        assert_eq!(listed_in(listed), paths);
    }
}
