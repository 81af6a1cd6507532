//! `/bucket/DRAFT/VERB/BUCKET/KEY`: what the host's store says, as text.

mod draft {
    wit_bindgen::generate!({ path: "../../src/side/candidate/keyvalue/draft.wit", world: "host", generate_all });
}

mod draft2 {
    wit_bindgen::generate!({ path: "../../src/side/candidate/keyvalue/draft2.wit", world: "host", generate_all });
}

/// What is the same in both drafts.
macro_rules! ask {
    ($draft:ident, $verb:expr, $bucket:expr, $key:expr) => {{
        use $draft::wasi::keyvalue::store::open;
        match (open($bucket), $verb) {
            (Err(error), _) => format!("{error:?}"),
            (Ok(bucket), "get") => match bucket.get($key) {
                Ok(Some(value)) => String::from_utf8_lossy(&value).into_owned(),
                other => format!("{other:?}"),
            },
            (Ok(bucket), "exists") => format!("{:?}", bucket.exists($key)),
            (Ok(bucket), "set") => format!("{:?}", bucket.set($key, b"mine")),
            (Ok(bucket), "delete") => format!("{:?}", bucket.delete($key)),
            (Ok(bucket), "list") => match bucket.list_keys(None) {
                Ok(page) => page.keys.join("\n"),
                Err(error) => format!("{error:?}"),
            },
            // As many as there is room for.
            (Ok(first), "hoard") => {
                let mut held = vec![first];
                loop {
                    match open($bucket) {
                        Ok(bucket) => held.push(bucket),
                        Err(error) => return format!("{} and {error:?}", held.len()),
                    }
                }
            }
            // Kept open beyond its call.
            (Ok(bucket), "keep") => {
                std::mem::forget(bucket);
                "kept".to_owned()
            }
            (Ok(_), verb) => format!("no verb {verb}"),
        }
    }};
}

pub fn lookup(target: &str) -> String {
    let mut parts = target.split('/').skip(2);
    let mut next = || parts.next().unwrap_or_default();
    let (draft, verb, bucket, key) = (next(), next(), next(), next());
    if draft == "draft" { ask!(draft, verb, bucket, key) } else { ask!(draft2, verb, bucket, key) }
}
