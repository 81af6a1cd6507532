//! Key records: `key`, a line end, the record. A yes only to the key itself, while its record lets it.

#![no_main]

use auth_component::api_key::{ApiKey, Peppers, Record, check, digest_hex};
use auth_component_fuzz::Input;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;

const PEPPER: &[u8] = b"a pepper of thirty-two bytes....";

struct One;

impl Peppers for One {
    fn pepper(&self, name: &str) -> Option<&[u8]> {
        (name == "p1").then_some(PEPPER)
    }
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let input = Input::read(data);
    let Some(end) = input.text.iter().position(|&byte| byte == b'\n') else { return Corpus::Reject };
    let (key, text) = (&input.text[..end], &input.text[end + 1..]);
    if let Ok(parsed) = ApiKey::parse(key) {
        assert_eq!((parsed.as_bytes(), parsed.id().len()), (key, 16));
    }
    let hash = digest_hex(PEPPER, key);
    // `#` stands for the hash of the key, which the fuzzer could never guess.
    let text = str::from_utf8(text).map(|text| text.replacen('#', &hash, 1).into_bytes()).unwrap_or(text.to_vec());
    let lax = serde_json::from_slice::<Value>(&text).unwrap_or(Value::Null);
    let Ok(record) = Record::parse(&text, lax["id"].as_str().unwrap_or_default()) else { return Corpus::Keep };
    assert_eq!(Record::parse(record.to_json().as_bytes(), &record.id).as_ref(), Ok(&record));
    let key = key.to_vec();
    input.at_its_moments(&lax, &["nbf", "exp", "revoked", "grace_until"], |input| {
        if !matches!(check(&key, Some(&record), &One, input.now), Ok(Ok(_))) {
            return;
        }
        let at = |name: &str| lax[name].as_u64();
        assert!(lax["hash"] == *hash && lax["pepper"] == "p1", "a yes to another key");
        assert!(at("nbf").is_none_or(|begin| begin <= input.now), "a yes before its time");
        let ends = ["exp", "revoked", "grace_until"].into_iter().filter_map(at);
        assert!(ends.min().is_none_or(|end| input.now < end), "a yes after its time");
    });
    Corpus::Keep
});
