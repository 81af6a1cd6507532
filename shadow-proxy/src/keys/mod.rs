//! API keys from files: what a component may look up, and the commands that change it.
//!
//! The key file holds records, from which no key can be made; the pepper file holds the secrets without which no key can
//! be recognised in a record. Whoever has one of the two files has nothing.

pub(crate) mod disk;

mod file;
mod introspection;
mod peppers;

pub mod live;
mod set;

pub mod import;
pub mod issue;
pub mod list;
pub mod moment;

pub use file::{Records, read};
pub use introspection::{Endpoint, Introspection};
pub use peppers::Peppers;
pub use set::{Bucket, Issuer, Set, Sources, Tokens};

use std::path::{Path, PathBuf};

/// The two files that the commands work on.
pub struct Files {
    pub keys: PathBuf,
    pub peppers: PathBuf,
}

impl Files {
    /// Changes the records while no other command does; after an error nothing is written. Files that are not there yet
    /// are made.
    pub fn change<T>(&self, change: impl FnOnce(&mut Records, &Peppers) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let _lock = disk::lock(&self.keys)?;
        if self.keys.try_exists()? {
            // Not made where it is missing: that every key is lost would then show only when clients are refused.
            let peppers = Peppers::read(&self.peppers)?;
            return write_changed(&self.keys, file::read(&self.keys)?, |records| change(records, &peppers));
        }
        let peppers = Peppers::read_or_create(&self.peppers)?;
        write_changed(&self.keys, Records::new(), |records| change(records, &peppers))
    }
}

/// The same without peppers, for what needs none.
pub fn change<T>(keys: &Path, change: impl FnOnce(&mut Records) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let _lock = disk::lock(keys)?;
    write_changed(keys, file::read(keys)?, change)
}

fn write_changed<T>(
    keys: &Path,
    mut records: Records,
    change: impl FnOnce(&mut Records) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let result = change(&mut records)?;
    file::write(keys, &records)?;
    Ok(result)
}
