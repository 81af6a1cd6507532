use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenCase {
    name: String,
    /// Whether the key of what is `signed` is configured.
    #[serde(default)]
    keys: bool,
    /// Header, claims, and the signature or `signed`.
    legacy: [String; 3],
    candidate: [String; 3],
    /// Path within the token, kind, legacy, candidate.
    differences: Vec<Told>,
}

#[test]
fn tokens() {
    let cases: Vec<TokenCase> = serde_json::from_str(include_str!("../../cases/tokens.json")).unwrap();
    for case in cases {
        let comparer = if case.keys { with_keys() } else { Comparer::default() };
        let [legacy, candidate] = [&case.legacy, &case.candidate].map(token);
        let found = told_within(&comparer, &format!("Bearer {legacy}"), &format!("Bearer {candidate}"));
        let differences: Vec<Told> = case
            .differences
            .into_iter()
            .map(|(path, kind, legacy, candidate)| {
                (format!("header.authorization(jwt).{path}"), kind, legacy, candidate)
            })
            .collect();
        assert_eq!(found, differences, "{}", case.name);
    }
}

#[test]
fn what_is_no_token_is_text() {
    let good = token(&["{\"alg\":\"HS256\"}", "{}", "aa"].map(str::to_owned));
    let other = token(&["{\"alg\":\"HS256\"}", "{\"sub\":\"a\"}", "aa"].map(str::to_owned));
    let of = |parts: [&str; 3]| token(&parts.map(str::to_owned));
    for (legacy, candidate) in [
        (format!("Bearer {good}"), format!("DPoP {other}")),
        (good.clone(), "opaque".to_owned()),
        (good.clone(), of(["{}", "{}", "aa"])),
        (good.clone(), of(["{\"alg\":\"HS256\"}", "[]", "aa"])),
        (good.clone(), of(["{\"alg\":\"HS256\"}", "text", "aa"])),
        (good.clone(), format!("{other}.x")),
        (good.clone(), format!("x{other}")),
        (good.clone(), "..".to_owned()),
    ] {
        let found = told_within(&Comparer::default(), &legacy, &candidate);
        assert_eq!(
            found,
            [("header.authorization".to_owned(), Kind::Value, Some(legacy), Some(candidate.clone()))],
            "{candidate}"
        );
    }
}

fn told_within(comparer: &Comparer, legacy: &str, candidate: &str) -> Vec<Told> {
    let [legacy, candidate] = [legacy, candidate].map(|value| with_headers(&[("authorization", value)]));
    told(comparer, legacy, candidate)
}

fn token([header, claims, signature]: &[String; 3]) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding};
    use hmac::{Hmac, KeyInit, Mac};
    let signed = [header, claims].map(|part| Base64UrlUnpadded::encode_string(part.as_bytes())).join(".");
    let signature = if signature == "signed" {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
        mac.update(signed.as_bytes());
        Base64UrlUnpadded::encode_string(&mac.finalize().into_bytes())
    } else {
        signature.clone()
    };
    format!("{signed}.{signature}")
}

fn with_keys() -> Comparer {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let secret = Base64UrlUnpadded::encode_string(SECRET);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!(r#"{{"keys":[{{"kty":"oct","kid":"a","k":"{secret}"}}]}}"#)).unwrap();
    let signatures = Signatures::read(file.path()).unwrap();
    Comparer { signatures: Some(Arc::new(signatures)), ..Comparer::default() }
}

const SECRET: &[u8] = b"an example of a secret, 32 bytes";
