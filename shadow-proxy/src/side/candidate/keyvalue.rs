//! wasi:keyvalue/store over the keys in force, and a bucket in which a component keeps what it was told. What it writes to
//! the keys goes to an overlay, where there is one. Everything is in memory.
//!
//! Two drafts are in use; they differ in the cursor of `list-keys`.

pub mod overlay;
pub mod volatile;

use std::time::Instant;

use wasmtime::component::{HasData, Linker, Resource, ResourceTable, ResourceTableError};

use crate::keys;

use self::overlay::Overlay;
use self::volatile::Volatile;
use super::limits::Guest;

mod draft {
    wasmtime::component::bindgen!({
        path: "src/side/candidate/keyvalue/draft.wit",
        world: "host",
        imports: { default: trappable },
        with: { "wasi:keyvalue/store.bucket": super::Bucket },
        trappable_error_type: { "wasi:keyvalue/store.error" => super::Error },
    });
}

mod draft2 {
    wasmtime::component::bindgen!({
        path: "src/side/candidate/keyvalue/draft2.wit",
        world: "host",
        imports: { default: trappable },
        with: { "wasi:keyvalue/store.bucket": super::Bucket },
        trappable_error_type: { "wasi:keyvalue/store.error" => super::Error },
    });
}

/// Names that `list-keys` gives at once.
const PAGE: usize = 1_000;

pub fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    draft::wasi::keyvalue::store::add_to_linker::<_, HasKeyValue>(linker, Guest::key_value)?;
    draft2::wasi::keyvalue::store::add_to_linker::<_, HasKeyValue>(linker, Guest::key_value)
}

struct HasKeyValue;

impl HasData for HasKeyValue {
    type Data<'a> = KeyValue<'a>;
}

/// What a guest sees of the store.
pub struct KeyValue<'a> {
    pub table: &'a mut ResourceTable,
    /// In force when the call began, so that what is read during one call fits together.
    pub set: Option<&'a keys::Set>,
    /// Where writes to the keys go; none: they are refused.
    pub overlay: Option<&'a Overlay>,
    /// The bucket that it may write to; it lists no names, for each is a question that somebody asked.
    pub kept: Option<&'a Volatile>,
}

/// The name of the bucket for what is kept.
const KEPT: &str = "auth-cache";

/// What a name stands for.
enum Named<'a> {
    /// With the name itself.
    Keys(&'a str, &'a keys::Bucket),
    Kept(&'a Volatile),
}

/// An open bucket is a name: what is behind it is for each call to say.
pub struct Bucket(String);

pub enum Error {
    NoSuchStore,
    AccessDenied,
    Other(String),
}

impl From<ResourceTableError> for Error {
    fn from(error: ResourceTableError) -> Error {
        Error::Other(error.to_string())
    }
}

impl KeyValue<'_> {
    fn open_bucket(&mut self, name: String) -> Result<Resource<Bucket>, Error> {
        self.named(&name)?;
        Ok(self.table.push(Bucket(name))?)
    }

    fn bucket(&self, bucket: &Resource<Bucket>) -> Result<Named<'_>, Error> {
        self.named(&self.table.get(bucket)?.0)
    }

    fn named<'b>(&'b self, name: &'b str) -> Result<Named<'b>, Error> {
        let named = match name {
            KEPT => self.kept.map(Named::Kept),
            _ => self.set.and_then(|set| set.bucket(name)).map(|bucket| Named::Keys(name, bucket)),
        };
        named.ok_or(Error::NoSuchStore)
    }

    fn value(&self, bucket: &Resource<Bucket>, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(match self.bucket(bucket)? {
            Named::Keys(name, bucket) => match self.overlay {
                Some(overlay) => overlay.get(name, key, bucket),
                None => bucket.get(key).map(<[u8]>::to_vec),
            },
            Named::Kept(bucket) => bucket.get(key, Instant::now()),
        })
    }

    fn keep(&self, bucket: &Resource<Bucket>, key: &str, value: Vec<u8>) -> Result<(), Error> {
        match self.bucket(bucket)? {
            Named::Keys(name, keys) => self.write(name, key, Some(value), keys),
            Named::Kept(bucket) => bucket.set(key, value, Instant::now()).map_err(Error::Other),
        }
    }

    fn forget(&self, bucket: &Resource<Bucket>, key: &str) -> Result<(), Error> {
        match self.bucket(bucket)? {
            Named::Keys(name, keys) => self.write(name, key, None, keys),
            Named::Kept(bucket) => {
                bucket.remove(key);
                Ok(())
            }
        }
    }

    fn write(&self, bucket: &str, key: &str, value: Option<Vec<u8>>, files: &keys::Bucket) -> Result<(), Error> {
        self.overlay.ok_or(Error::AccessDenied)?.write(bucket, key, value, files).map_err(Error::Other)
    }

    fn listed(&self, bucket: &Resource<Bucket>) -> Result<(&str, &keys::Bucket), Error> {
        match self.bucket(bucket)? {
            Named::Keys(name, bucket) => Ok((name, bucket)),
            Named::Kept(_) => Err(Error::AccessDenied),
        }
    }

    /// The names from this place on, and whether there are more.
    fn page(&self, bucket: &Resource<Bucket>, from: Start) -> Result<(Vec<String>, bool), Error> {
        let (name, bucket) = self.listed(bucket)?;
        if let Some(page) = self.overlay.and_then(|overlay| overlay.names(name, from, PAGE, bucket)) {
            return Ok(page);
        }
        let at = match from {
            Start::Place(at) => at,
            Start::Behind(last) => bucket.behind(last),
        };
        let page: Vec<String> = bucket.keys_from(at).take(PAGE).map(str::to_owned).collect();
        let has_more = bucket.len() > at.saturating_add(page.len());
        Ok((page, has_more))
    }
}

/// Where a page of names begins.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    Place(usize),
    Behind(&'a str),
}

/// What is the same in both drafts.
macro_rules! store {
    ($draft:ident, $cursor:ty, $list_keys:expr) => {
        impl $draft::wasi::keyvalue::store::Host for KeyValue<'_> {
            fn open(&mut self, name: String) -> Result<Resource<Bucket>, Error> {
                self.open_bucket(name)
            }

            fn convert_error(&mut self, error: Error) -> wasmtime::Result<$draft::wasi::keyvalue::store::Error> {
                use $draft::wasi::keyvalue::store::Error as Said;
                Ok(match error {
                    Error::NoSuchStore => Said::NoSuchStore,
                    Error::AccessDenied => Said::AccessDenied,
                    Error::Other(why) => Said::Other(why),
                })
            }
        }

        impl $draft::wasi::keyvalue::store::HostBucket for KeyValue<'_> {
            fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, Error> {
                self.value(&bucket, &key)
            }

            fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<bool, Error> {
                Ok(self.value(&bucket, &key)?.is_some())
            }

            fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), Error> {
                self.keep(&bucket, &key, value)
            }

            fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<(), Error> {
                self.forget(&bucket, &key)
            }

            fn list_keys(
                &mut self,
                bucket: Resource<Bucket>,
                cursor: Option<$cursor>,
            ) -> Result<$draft::wasi::keyvalue::store::KeyResponse, Error> {
                let (keys, cursor) = $list_keys(self, &bucket, cursor)?;
                Ok($draft::wasi::keyvalue::store::KeyResponse { keys, cursor })
            }

            fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
                self.table.delete(bucket)?;
                Ok(())
            }
        }
    };
}

store!(draft, u64, |store: &KeyValue, bucket: &Resource<Bucket>, cursor: Option<u64>| {
    let at = usize::try_from(cursor.unwrap_or(0)).unwrap_or(usize::MAX);
    let (keys, has_more) = store.page(bucket, Start::Place(at))?;
    let next = has_more.then_some((at + keys.len()) as u64);
    Ok::<_, Error>((keys, next))
});

store!(draft2, String, |store: &KeyValue, bucket: &Resource<Bucket>, cursor: Option<String>| {
    let from = cursor.as_deref().map_or(Start::Place(0), Start::Behind);
    let (keys, has_more) = store.page(bucket, from)?;
    let next = keys.last().filter(|_| has_more).cloned();
    Ok::<_, Error>((keys, next))
});

#[cfg(test)]
mod tests {
    use super::draft::wasi::keyvalue::store::{Host as _, HostBucket as _};
    use super::draft2::wasi::keyvalue::store as store2;
    use super::*;
    use crate::keys::issue::{self, Rights};
    use crate::keys::{Files, Set, Sources};

    const KEYS: usize = 2_500;

    fn set() -> Set {
        let folder = tempfile::tempdir().expect("a folder");
        let [keys, peppers] = ["keys", "peppers"].map(|name| folder.path().join(name));
        let files = Files { keys: keys.clone(), peppers: peppers.clone() };
        let add_all = |records: &mut _, peppers: &_| {
            (0..KEYS).try_for_each(|number| {
                let none = Vec::new;
                let user_id = format!("user_{number}");
                let (scopes, aud, groups) = (none(), none(), none());
                let rights = Rights { user_id, scopes, aud, groups, email: None, begins: None, ends: None };
                issue::add(records, peppers, "key", rights, 1).map(drop)
            })
        };
        files.change(add_all).expect("they can be made");
        Set::read(&Sources { keys, peppers, issuers: Vec::new(), introspection: None, parity: Vec::new() })
            .expect("they were written")
    }

    fn refused<T>(_: Error) -> T {
        panic!("the bucket is open and can be read")
    }

    fn open(store: &mut KeyValue, name: &str) -> Option<Resource<Bucket>> {
        store.open(name.to_owned()).ok()
    }

    #[test]
    fn what_is_configured_can_be_read_and_without_an_overlay_nothing_can_be_written() {
        let set = set();
        let mut table = ResourceTable::new();
        let mut store = KeyValue { table: &mut table, set: Some(&set), overlay: None, kept: None };
        for unknown in ["", "default", "auth-key", "auth-keys/", "AUTH-KEYS"] {
            assert!(matches!(store.open(unknown.to_owned()), Err(Error::NoSuchStore)), "{unknown}");
        }
        for name in ["auth-keys", "auth-settings"] {
            let rep = open(&mut store, name).expect("it is configured").rep();
            let again = || Resource::new_borrow(rep);
            assert!(matches!(store.set(again(), "a".to_owned(), Vec::new()), Err(Error::AccessDenied)));
            assert!(matches!(store.delete(again(), "a".to_owned()), Err(Error::AccessDenied)));
            assert!(matches!(store.get(again(), "a".to_owned()), Ok(None)));
            assert!(matches!(store.exists(again(), "a".to_owned()), Ok(false)));
        }
        let settings = open(&mut store, "auth-settings").expect("it is configured");
        let settings = store.get(settings, "settings".to_owned()).ok().flatten().expect("it is always there");
        let settings: serde_json::Value = serde_json::from_slice(&settings).expect("it is JSON");
        assert_eq!((&settings["v"], &settings["tokens"]), (&1.into(), &serde_json::json!([])));
        assert_eq!(settings["peppers"][0]["name"], "p1");
        let mut without = KeyValue { table: &mut table, set: None, overlay: None, kept: None };
        assert!(matches!(without.open("auth-keys".to_owned()), Err(Error::NoSuchStore)));
    }

    #[test]
    fn what_was_kept_can_be_read_written_and_not_listed() {
        let set = set();
        let mut table = ResourceTable::new();
        let kept = Volatile::new(std::time::Duration::from_secs(3_600));
        let mut store = KeyValue { table: &mut table, set: Some(&set), overlay: None, kept: None };
        assert!(open(&mut store, "auth-cache").is_none(), "only where it is granted");
        let mut store = KeyValue { table: &mut table, set: Some(&set), overlay: None, kept: Some(&kept) };
        let rep = open(&mut store, "auth-cache").expect("it is granted").rep();
        let again = || Resource::new_borrow(rep);
        let name = || "a".to_owned();
        assert!(matches!(store.get(again(), name()), Ok(None)));
        assert!(store.set(again(), name(), b"b".to_vec()).is_ok());
        assert!(matches!(store.exists(again(), name()), Ok(true)));
        assert_eq!(store2::HostBucket::get(&mut store, again(), name()).ok().flatten(), Some(b"b".to_vec()));
        assert!(matches!(store.list_keys(again(), None), Err(Error::AccessDenied)));
        assert!(matches!(store2::HostBucket::list_keys(&mut store, again(), Some(name())), Err(Error::AccessDenied)));
        assert!(store.delete(again(), name()).is_ok());
        assert!(matches!(store.get(again(), name()), Ok(None)));
        assert!(matches!(store.set(again(), name(), vec![0; 5_000]), Err(Error::Other(_))));
        let keys = open(&mut store, "auth-keys").expect("it is configured");
        assert!(matches!(store.set(keys, name(), Vec::new()), Err(Error::AccessDenied)), "of the others none is");
    }

    #[test]
    fn all_names_are_listed_once_page_by_page_in_both_drafts() {
        let set = set();
        let mut table = ResourceTable::new();
        let mut store = KeyValue { table: &mut table, set: Some(&set), overlay: None, kept: None };
        let rep = open(&mut store, "auth-keys").expect("it is configured").rep();
        let bucket = || Resource::new_borrow(rep);
        let (mut names, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = store.list_keys(bucket(), cursor).unwrap_or_else(refused);
            names.extend(page.keys);
            pages += 1;
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let (mut names2, mut cursor) = (Vec::new(), None);
        loop {
            let page = store2::HostBucket::list_keys(&mut store, bucket(), cursor).unwrap_or_else(refused);
            names2.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((names.len(), pages), (KEYS, 3));
        assert!(names.is_sorted_by(|a, b| a < b), "each once");
        assert_eq!(names, names2);
        for beyond in [KEYS as u64, u64::MAX] {
            let page = store.list_keys(bucket(), Some(beyond)).unwrap_or_else(refused);
            assert!(page.keys.is_empty() && page.cursor.is_none());
        }
        let last = store2::HostBucket::list_keys(&mut store, bucket(), Some("~".to_owned())).unwrap_or_else(refused);
        assert!(last.keys.is_empty() && last.cursor.is_none());
        let first = names.first().cloned().expect("there are some");
        let record = store.get(bucket(), first.clone()).ok().flatten().expect("it is there");
        assert!(String::from_utf8_lossy(&record).contains(&first));
    }

    /// Keys of an overlay that lies over the set.
    fn listed(store: &mut KeyValue) -> Vec<String> {
        let rep = open(store, "auth-keys").expect("it is configured").rep();
        let bucket = || Resource::new_borrow(rep);
        let (mut names, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.list_keys(bucket(), cursor).unwrap_or_else(refused);
            names.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let (mut names2, mut cursor) = (Vec::new(), None);
        loop {
            let page = store2::HostBucket::list_keys(store, bucket(), cursor).unwrap_or_else(refused);
            names2.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(names, names2, "the same in both drafts");
        names
    }

    #[test]
    fn what_is_written_lies_over_the_files_until_they_change() {
        let (set, changed) = (set(), set());
        let mut table = ResourceTable::new();
        let overlay = Overlay::new(std::sync::Arc::default());
        let mut store = KeyValue { table: &mut table, set: Some(&set), overlay: Some(&overlay), kept: None };
        let all = listed(&mut store);
        let rep = open(&mut store, "auth-keys").expect("it is configured").rep();
        let bucket = || Resource::new_borrow(rep);
        let (first, last) = (all[0].clone(), all[KEYS - 1].clone());
        assert!(store.set(bucket(), first.clone(), b"mine".to_vec()).is_ok());
        assert!(store.set(bucket(), "~new".to_owned(), b"mine".to_vec()).is_ok());
        assert!(store.set(bucket(), "!new".to_owned(), b"mine".to_vec()).is_ok());
        assert!(store.delete(bucket(), last.clone()).is_ok());
        assert!(store.set(bucket(), "gone".to_owned(), b"mine".to_vec()).is_ok());
        assert!(store.delete(bucket(), "gone".to_owned()).is_ok());
        for name in [&first, "~new"] {
            assert_eq!(store.get(bucket(), name.to_owned()).ok().flatten(), Some(b"mine".to_vec()), "{name}");
        }
        for name in [&last, "gone"] {
            assert!(matches!(store.exists(bucket(), name.to_owned()), Ok(false)), "{name}");
        }
        let mut expected = vec!["!new".to_owned()];
        expected.extend_from_slice(&all[..KEYS - 1]);
        expected.push("~new".to_owned());
        assert_eq!(listed(&mut store), expected);
        let settings = open(&mut store, "auth-settings").expect("it is configured");
        assert!(matches!(store.get(settings, "~new".to_owned()), Ok(None)), "another bucket");
        // The files come to say something else: what was written over what they said before is no more.
        let files = changed.bucket("auth-keys").expect("it is configured");
        assert_eq!(overlay.get("auth-keys", &first, files), None);
        assert_eq!(overlay.get("auth-keys", "~new", files), Some(b"mine".to_vec()));
    }

    #[test]
    fn an_overlay_takes_no_more_than_there_is_room_for() {
        let set = set();
        let files = set.bucket("auth-keys").expect("it is configured");
        let metrics = std::sync::Arc::<crate::metrics::Metrics>::default();
        let write = |overlay: &Overlay, number: usize, length: usize| {
            overlay.write("auth-keys", &number.to_string(), Some(vec![b'x'; length]), files).is_ok()
        };
        let overlay = Overlay::new(metrics.clone());
        assert_eq!((0..10_005).filter(|&number| write(&overlay, number, 1)).count(), 10_000);
        assert!(write(&overlay, 0, 2), "one that is there can be written again");
        assert!(!write(&overlay, 0, (256 << 10) + 1) && write(&overlay, 1, 256 << 10));
        assert_eq!(overlay.get("auth-keys", "0", files).map(|value| value.len()), Some(2), "as it was before");
        assert_eq!(metrics.stateful.overlay_writes_refused.get(), 6);
        let overlay = Overlay::new(metrics);
        let written = (0..100).filter(|&number| write(&overlay, number, 256 << 10)).count();
        assert_eq!(written, 31, "names take room too");
    }
}
