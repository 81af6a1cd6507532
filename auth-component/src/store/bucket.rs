//! Where values come from.

use std::cell::OnceCell;

use crate::grant::StoreUnavailable;

/// One bucket of a store, read only.
pub trait Bucket {
    /// The value under `name`, `None` when there is none.
    ///
    /// # Errors
    /// The store did not say.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreUnavailable>;
}

/// A bucket that is opened when it is first asked, and once.
pub struct Opened<B, O> {
    open: O,
    bucket: OnceCell<B>,
}

impl<B: Bucket, O: Fn() -> Result<B, StoreUnavailable>> Opened<B, O> {
    pub fn by(open: O) -> Opened<B, O> {
        Opened { open, bucket: OnceCell::new() }
    }

    /// # Errors
    /// The store does not open it.
    pub fn bucket(&self) -> Result<&B, StoreUnavailable> {
        match self.bucket.get() {
            Some(bucket) => Ok(bucket),
            None => {
                let opened = (self.open)()?;
                Ok(self.bucket.get_or_init(|| opened))
            }
        }
    }
}

impl<B: Bucket, O: Fn() -> Result<B, StoreUnavailable>> Bucket for Opened<B, O> {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.bucket()?.get(name)
    }
}
