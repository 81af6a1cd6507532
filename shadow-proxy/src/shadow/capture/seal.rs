//! Files that only a passphrase opens: age (age-encryption.org/v1), with scrypt.

use std::fs::File;
use std::io::{self, Read};
use std::iter;
use std::path::Path;

use age::secrecy::SecretString;
use age::stream::StreamWriter;
use anyhow::{Context as _, bail, ensure};

use crate::keys::disk;

#[derive(Clone)]
pub(crate) struct Passphrase(SecretString);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase")
    }
}

impl Passphrase {
    /// # Errors
    /// The file cannot be read, others may read it, or it holds too little.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Passphrase> {
        let named = || format!("--passphrase-file {} cannot be read; check the path", path.display());
        let mut text = String::new();
        let file = File::open(path).with_context(named)?;
        disk::ensure_private(&file, path)?;
        file.take(PASSPHRASE_BYTES_MAX).read_to_string(&mut text).with_context(named)?;
        let text = text.trim();
        ensure!(
            text.len() >= PASSPHRASE_BYTES_MIN,
            "the passphrase in {} is shorter than {PASSPHRASE_BYTES_MIN} characters; make a longer one, with `openssl rand -base64 24`",
            path.display()
        );
        Ok(Passphrase(SecretString::from(text.to_owned())))
    }

    /// From here on nothing is written plainly.
    pub(crate) fn seal(&self, file: File) -> io::Result<StreamWriter<File>> {
        let mut recipient = age::scrypt::Recipient::new(self.0.clone());
        recipient.set_work_factor(WORK_FACTOR);
        let recipients = iter::once(&recipient as &dyn age::Recipient);
        age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?.wrap_output(file)
    }

    /// # Errors
    /// It is another passphrase, or the file is damaged at its beginning.
    pub(crate) fn open<R: Read>(&self, input: R) -> anyhow::Result<impl Read + use<R>> {
        let decryptor = age::Decryptor::new(input).context("it is no age file, or cut short; take another copy")?;
        let mut identity = age::scrypt::Identity::new(self.0.clone());
        identity.set_max_work_factor(WORK_FACTOR + 4);
        match decryptor.decrypt(iter::once(&identity as &dyn age::Identity)) {
            Ok(reader) => Ok(reader),
            Err(age::DecryptError::KeyDecryptionFailed | age::DecryptError::DecryptionFailed) => {
                bail!("the passphrase does not open it; give the file with the one it was captured with")
            }
            Err(error) => bail!("it cannot be decrypted ({error}); take another copy"),
        }
    }
}

/// How an age file begins.
pub(crate) const MAGIC: &[u8] = b"age-encryption.org/v1";

const PASSPHRASE_BYTES_MAX: u64 = 4_096;
const PASSPHRASE_BYTES_MIN: usize = 16;
/// 64 MiB and a fifth of a second for each file: a proxy has little memory, and its passphrase is not a word.
const WORK_FACTOR: u8 = 16;
