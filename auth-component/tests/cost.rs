//! What one request costs in heap and CPU: the whole contract and requests made to cost much, through the component's own
//! allocator, which takes memory from the end and mostly gives back what was taken last.
//!
//! Natively a pointer has 8 bytes instead of 4, so the component needs less heap than is measured here. CPU is the time of
//! the thread that works, not of the clock on the wall, so it hardly depends on what else the machine does.

mod case;
#[allow(dead_code, reason = "the component's own uses the rest")]
#[path = "../src/heap.rs"]
mod heap;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::Duration;

use auth_component::jose::{self, Algorithm, Jwks, Origin, Policy, Refusal};
use auth_component::store::{Bucket, Cache, Outbound, Outside, Question, Reply, handle_asking};
use auth_component::{Body, BodyDefect, Headers, Parity, Request, Service, StoreUnavailable, handle};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use case::{Lines, NOW, Whole, body, cases, headers, lines, text};
use heap::Arena;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};

const HEAP_BYTES_MAX: usize = 65_536;
/// That of an optimised build. In this one our own code is hardly optimised, and the worst still takes few milliseconds, so the
/// bound need not be raised here.
const CPU_MAX: Duration = Duration::from_millis(50);
/// More than any request may take, so that one that takes too much can be named.
const ROOM_BYTES: usize = 16 << 20;

#[test]
fn every_case_of_the_contract() {
    let cases = cases();
    let mut costs = Vec::new();
    for case in &cases {
        for (mode, parity) in [("strict", Parity::STRICT), ("parity", Parity::ALL)] {
            costs.push(Asked::of(&case.request).cost(format!("{} ({mode})", case.name), parity));
        }
    }
    assert!(costs.len() >= 2 * 480, "{}", costs.len());
    check(costs);
}

#[test]
fn requests_made_to_cost_much() {
    let asked = hostile();
    assert!(asked.len() >= 50, "{}", asked.len());
    let modes = [("strict", Parity::STRICT), ("parity", Parity::ALL)];
    let costs = asked
        .iter()
        .flat_map(|(name, asked)| modes.map(|(mode, parity)| asked.cost(format!("{name} ({mode})"), parity)));
    check(costs.collect());
}

/// The development keys have 2048 bits; an operator's may have four times as many.
#[test]
fn signatures_under_rsa_keys_of_every_length() {
    for bits in [2_048, 3_072, 4_096, 6_144, 8_192] {
        for algorithm in ["RS256", "PS512"] {
            let signature = rsa_number("signature", bits, 0);
            let encode = Base64UrlUnpadded::encode_string;
            let set = format!("{{\"keys\":[{}]}}", rsa_key(algorithm, "k", bits));
            let header = format!("{{\"alg\":\"{algorithm}\",\"typ\":\"JWT\",\"kid\":\"k\"}}");
            let payload = format!("{{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"exp\":{}}}", NOW + 60);
            let token = format!("{}.{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()), encode(&signature));
            let policy = Policy::strict("i", "a", &[Algorithm::named(algorithm).expect("it is known")]);
            let (refusal, meter) = measured(|| {
                let keys = Jwks::parse(set.as_bytes(), Origin::Operator).expect("a good set");
                assert_eq!(keys.len(), 1, "{:?}", keys.ignored());
                jose::verify(token.as_bytes(), &keys, &policy, NOW).map(drop)
            });
            assert_eq!(refusal, Err(Refusal::SignatureWrong), "the number was raised to its power, and is none");
            println!("{:>9} B, {:?} for {algorithm} under {bits} bits", meter.taken_bytes_max, meter.cpu);
            assert!(meter.cpu <= CPU_MAX, "{:?}: {algorithm}, {bits} bits", meter.cpu);
            assert!(meter.taken_bytes_max <= HEAP_BYTES_MAX, "{} B: {algorithm}, {bits} bits", meter.taken_bytes_max);
        }
    }
}

/// What an operator may configure: reading it costs the same whatever is sent, and more memory than what is sent may cost.
#[test]
fn the_largest_set_of_keys() {
    let keys: Vec<String> = (0..100).map(|at| rsa_key("RS256", &format!("k{at}"), 8_192)).collect();
    let set = format!("{{\"keys\":[{}]}}", keys.join(","));
    let (used, meter) = measured(|| Jwks::parse(set.as_bytes(), Origin::Operator).expect("a good set").len());
    println!("{:>9} B, {:?} for 100 keys of 8192 bits", meter.taken_bytes_max, meter.cpu);
    assert_eq!(used, 100);
    assert!(meter.cpu <= CPU_MAX && meter.taken_bytes_max <= 8 << 20, "{:?}, {} B", meter.cpu, meter.taken_bytes_max);
}

fn rsa_key(algorithm: &str, id: &str, bits: usize) -> String {
    let modulus = Base64UrlUnpadded::encode_string(&rsa_number(id, bits, 0x80));
    format!("{{\"kty\":\"RSA\",\"alg\":\"{algorithm}\",\"kid\":\"{id}\",\"e\":\"AQAB\",\"n\":\"{modulus}\"}}")
}

/// Any odd number of the length will do for a modulus: what its factors are is not asked.
fn rsa_number(seed: &str, bits: usize, first: u8) -> Vec<u8> {
    let digests = (0..bits / 256).map(|at| Sha256::digest(format!("{seed}{at}")));
    let mut number: Vec<u8> = digests.flatten().collect();
    number[0] = number[0] & 0x7f | first;
    *number.last_mut().expect("it has bytes") |= 1;
    number
}

/// With an opaque token, of which the issuer's answer is the largest part.
#[test]
fn answers_of_an_issuer_made_to_cost_much() {
    let members = |count: usize| (0..count).map(|at| format!("\"{at}\":0")).collect::<Vec<_>>().join(",");
    let answers = [
        ("nothing but that it is active", "\"a\":0".to_owned()),
        ("as much as is read", format!("\"a\":\"{}\"", "a".repeat(6_100))),
        ("more than is read", format!("\"a\":\"{}\"", "a".repeat(9_000))),
        ("a long text of escapes", format!("\"a\":\"{}\"", "\\u00e9".repeat(1_000))),
        ("members", members(240)),
        ("too many members", members(600)),
        ("small objects", format!("\"a\":[{}]", vec!["{\"\":0}"; 120].join(","))),
        ("long groups", format!("\"groups\":[{}]", vec![format!("\"{}\"", ",".repeat(21)); 240].join(","))),
        ("groups that are kept", format!("\"groups\":[{}]", vec![format!("\"{}\"", "a".repeat(12)); 240].join(","))),
        ("many scopes", format!("\"scope\":\"{}\"", vec!["a"; 256].join(" "))),
        ("long scopes", format!("\"scope\":\"{}\"", vec!["a".repeat(22); 256].join(" "))),
        ("long audiences", format!("\"aud\":[{}]", vec![format!("\"{}\"", "a".repeat(56)); 99].join(","))),
    ];
    for (name, more) in answers {
        let issuer = Issuer(format!("{{\"active\":true,\"sub\":\"u\",{more}}}"));
        for (method, target) in [("POST", "/auth/validate"), ("GET", "/auth/forward")] {
            let bearer = format!("Bearer {}", "+".repeat(2_048));
            let asked = ask(method, target, &[("authorization", &bearer), ("x-forwarded-method", "GET")], b"");
            let request = Request { method, target, headers: &asked, body: &asked };
            let outside = Outside { outbound: &issuer, cache: &issuer };
            let (status, meter) = measured(|| handle_asking(&request, &issuer, &issuer, outside, NOW).status);
            assert!(matches!(status, 200 | 503), "{name}: {status}");
            let bytes = meter.taken_bytes_max - meter.given_bytes;
            println!("{bytes:>9} B, {:?}: {status} {name} {target}", meter.cpu);
            assert!(bytes <= HEAP_BYTES_MAX && meter.cpu <= CPU_MAX, "{bytes} B, {:?}: {status} {name}", meter.cpu);
        }
    }
}

/// It says this, and its settings are all there is in the store.
struct Issuer(String);

impl Bucket for Issuer {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let settings = concat!(
            r#"{"v":1,"peppers":[{"name":"p1","secret":"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"}],"#,
            r#""introspection":{"url":"https://a/","client_id":"c","client_secret":"s","issuer":"i"}}"#
        );
        Ok((name == "settings").then(|| settings.as_bytes().to_vec()))
    }
}

impl Outbound for Issuer {
    fn ask(&self, _: &Question, bytes_max: usize) -> Result<Reply, StoreUnavailable> {
        let mut body = Vec::with_capacity(bytes_max + READ_BYTES_MAX);
        body.extend_from_slice(&self.0.as_bytes()[..self.0.len().min(bytes_max + 1)]);
        Ok(Reply { status: 200, content_types: vec![b"application/json".to_vec()], body })
    }
}

impl Cache for Issuer {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn set(&self, _: &str, _: &[u8]) {}
}

fn check(mut costs: Vec<Cost>) {
    costs.sort_by_key(|cost| std::cmp::Reverse(cost.own_bytes()));
    let line = |cost: &Cost| {
        format!(
            "{:>6} µs, {:>9} B, {:>9} B live, {:>7} B handed over: {} {}",
            cost.cpu.as_micros(),
            cost.own_bytes(),
            cost.live_bytes_max,
            cost.given_bytes,
            cost.status,
            cost.name
        )
    };
    println!("{}", costs.iter().take(25).map(line).collect::<Vec<_>>().join("\n"));
    let is_above = |cost: &&Cost| cost.own_bytes() > HEAP_BYTES_MAX || cost.cpu > CPU_MAX;
    let above: Vec<String> = costs.iter().filter(is_above).map(line).collect();
    costs.sort_by_key(|cost| std::cmp::Reverse(cost.cpu));
    println!("slowest\n{}", costs.iter().take(10).map(line).collect::<Vec<_>>().join("\n"));
    assert!(above.is_empty(), "{} of {}\n{}", above.len(), costs.len(), above.join("\n"));
}

struct Cost {
    name: String,
    status: u16,
    /// How far the allocator got.
    taken_bytes_max: usize,
    live_bytes_max: usize,
    /// Of it, what the host handed over: header values and pieces of the body.
    given_bytes: usize,
    cpu: Duration,
}

impl Cost {
    fn own_bytes(&self) -> usize {
        self.taken_bytes_max.saturating_sub(self.given_bytes)
    }
}

struct Asked {
    method: String,
    target: String,
    headers: Lines,
    body: Whole,
}

impl Asked {
    fn of(request: &serde_json::Value) -> Asked {
        let owned = headers(request);
        let headers: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Asked {
            method: text(&request["method"]).to_owned(),
            target: text(&request["path"]).to_owned(),
            headers: lines(&headers),
            body: Whole(body(request)),
        }
    }

    fn cost(&self, name: String, parity: Parity) -> Cost {
        let request = Request { method: &self.method, target: &self.target, headers: self, body: self };
        let service = Service::development().with_parity(parity);
        let meter = measured(|| handle(&request, service, NOW).status);
        let (status, Meter { taken_bytes_max, live_bytes_max, given_bytes, cpu, .. }) = meter;
        Cost { name, status, taken_bytes_max, live_bytes_max, given_bytes, cpu }
    }
}

/// As the component has them: copied out of the host.
impl Headers for Asked {
    fn values(&self, name: &str) -> Vec<Vec<u8>> {
        let values = self.headers.values(name);
        given(values.iter().map(Vec::len).sum());
        values
    }
}

impl Body for Asked {
    fn read(&self, bytes_max: usize) -> Result<Vec<u8>, BodyDefect> {
        let mut bytes = Vec::with_capacity(bytes_max + READ_BYTES_MAX);
        given(bytes.capacity());
        self.feed(bytes_max, &mut |chunk| {
            bytes.extend_from_slice(chunk);
            ControlFlow::Continue(())
        })?;
        Ok(bytes)
    }

    fn feed(&self, bytes_max: usize, take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), BodyDefect> {
        let mut sent = 0;
        for chunk in self.body.0.chunks(READ_BYTES_MAX) {
            let chunk = chunk.to_vec();
            sent += chunk.len();
            if sent > bytes_max {
                return Err(BodyDefect::TooLong);
            }
            if take(&chunk).is_break() {
                break;
            }
        }
        Ok(())
    }
}

const READ_BYTES_MAX: usize = 4_096;

fn hostile() -> Vec<(String, Asked)> {
    let mut asked = Vec::new();
    for (name, token) in tokens() {
        let bearer = format!("Bearer {token}");
        asked.push((format!("{name}, validate"), ask("POST", "/auth/validate", &[("authorization", &bearer)], b"")));
        let proxy = [("authorization", bearer.as_str()), ("x-forwarded-method", "GET")];
        asked.push((format!("{name}, forward"), ask("GET", "/auth/forward", &proxy, b"")));
        asked.push((format!("{name}, introspect"), introspect(format!("token={token}").as_bytes())));
    }
    asked.extend(forms());
    asked.extend(places());
    asked.extend(bodies());
    asked
}

fn ask(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Asked {
    Asked { method: method.to_owned(), target: target.to_owned(), headers: lines(headers), body: Whole(body.to_vec()) }
}

fn introspect(form: &[u8]) -> Asked {
    let headers = [("authorization", "Bearer key_789"), ("content-type", "application/x-www-form-urlencoded")];
    ask("POST", "/oauth2/introspect", &headers, form)
}

/// Signed as the development issuer signs, so that nothing but their content can stop them.
fn tokens() -> Vec<(String, String)> {
    let claims = r#""iss":"https://issuer.example","aud":"https://api.example","sub":"a","exp":4102444799"#;
    let with = |more: &str| token(r#"{"alg":"HS256","kid":"hs256"}"#, &format!("{{{claims},{more}}}"));
    let header = |more: &str| token(&format!(r#"{{"alg":"HS256","kid":"hs256",{more}}}"#), &format!("{{{claims}}}"));
    let members = |count: usize| (0..count).map(|at| format!("\"{at}\":0")).collect::<Vec<_>>().join(",");
    let texts = |count: usize| (0..count).map(|at| format!("\"{at}\"")).collect::<Vec<_>>().join(",");
    let several: Vec<String> = (0..99).map(|at| at.to_string()).collect();
    let payloads = [
        ("a payload of zeros", format!("\"a\":[{}]", vec!["0"; 2_900].join(","))),
        ("a payload of empty lists", format!("\"a\":[{}]", vec!["[]"; 1_900].join(","))),
        ("a payload of empty objects", format!("\"a\":[{}]", vec!["{}"; 1_900].join(","))),
        ("a payload of small objects", format!("\"a\":[{}]", vec!["{\"\":0}"; 700].join(","))),
        ("a payload of members", members(620)),
        // Each list of members has just outgrown its room.
        (
            "a payload of growing objects",
            [129, 65, 33, 17].map(|count| format!("\"{count}\":{{{}}}", members(count))).join(","),
        ),
        (
            "a payload of growing lists",
            [129, 65, 33, 17].map(|count| format!("\"{count}\":[{}]", texts(count))).join(","),
        ),
        ("a payload of lists in lists", format!("\"a\":{}{}", "[".repeat(31), "]".repeat(31))),
        ("a payload of brackets", "\"a\":".to_owned() + &"[".repeat(5_000)),
        ("a payload with one long text", format!("\"a\":\"{}\"", "a".repeat(5_800))),
        ("a payload with one long text of escapes", format!("\"a\":\"{}\"", "\\u00e9".repeat(960))),
        ("a payload with many texts", format!("\"a\":[{}]", texts(850))),
        ("many scopes", format!("\"scope\":\"{}\"", vec!["a"; 256].join(" "))),
        ("too many scopes", format!("\"scope\":\"{}\"", vec!["a"; 2_900].join(" "))),
        ("long scopes", format!("\"scope\":\"{}\"", vec!["a".repeat(21); 256].join(" "))),
        ("many groups", format!("\"groups\":[{}]", texts(850))),
        ("long groups", format!("\"groups\":[{}]", vec![format!("\"{}\"", ",".repeat(19)); 240].join(","))),
        ("250 values", format!("\"groups\":[{}]", texts(240))),
        ("one long e-mail address", format!("\"email\":\"{}\"", ",".repeat(5_800))),
        ("many claims that are told", format!("\"client_id\":[{}]", vec!["0"; 2_900].join(","))),
        ("a long client", format!("\"client_id\":\"{}\"", "a".repeat(5_800))),
    ];
    let mut tokens: Vec<(String, String)> =
        payloads.iter().map(|(name, more)| ((*name).to_owned(), with(more))).collect();
    let audiences = |list: &str| {
        let rest = claims.replace(r#""https://api.example""#, &format!("[\"https://api.example\",{list}]"));
        token(r#"{"alg":"HS256","kid":"hs256"}"#, &format!("{{{rest}}}"))
    };
    // With a signature that is wrong, but has to be looked at.
    let small = format!("{{{claims},\"a\":[{}]}}", vec!["{\"\":0}"; 120].join(","));
    for (algorithm, kid, bytes) in
        [("RS256", "rs256", 256), ("PS512", "ps512", 256), ("ES384", "es384", 96), ("EdDSA", "eddsa", 64)]
    {
        let header =
            Base64UrlUnpadded::encode_string(format!("{{\"alg\":\"{algorithm}\",\"kid\":\"{kid}\"}}").as_bytes());
        let payload = Base64UrlUnpadded::encode_string(small.as_bytes());
        let signature = Base64UrlUnpadded::encode_string(&vec![1; bytes]);
        tokens.push((format!("a payload of small objects for {algorithm}"), format!("{header}.{payload}.{signature}")));
    }
    tokens.extend([
        ("many audiences".to_owned(), audiences(&format!("\"{}\"", several.join("\",\"")))),
        ("long audiences".to_owned(), audiences(&vec![format!("\"{}\"", "a".repeat(54)); 99].join(","))),
        ("too many audiences".to_owned(), audiences(&texts(800))),
        ("a header of members".to_owned(), header(&members(220))),
        ("a header of zeros".to_owned(), header(&format!("\"a\":[{}]", vec!["0"; 950].join(",")))),
        ("a header of empty objects".to_owned(), header(&format!("\"a\":[{}]", vec!["{}"; 600].join(",")))),
        ("a long header".to_owned(), header(&format!("\"a\":\"{}\"", "a".repeat(1_900)))),
        ("a long key id".to_owned(), header(&format!("\"kid\":\"{}\"", "a".repeat(1_900)))),
        ("a header of 8 KiB".to_owned(), format!("{}.e30.AA", "A".repeat(8_180))),
        ("a payload of 8 KiB".to_owned(), format!("eyJhbGciOiJIUzI1NiJ9.{}.AA", "A".repeat(8_160))),
        ("a signature of 8 KiB".to_owned(), format!("eyJhbGciOiJSUzI1NiJ9.e30.{}", "A".repeat(8_160))),
        ("a token of 16 KiB".to_owned(), format!("{}.e30.AA", "A".repeat(16_384))),
        ("a token of dots".to_owned(), ".".repeat(8_192)),
        ("a key of 16 KiB".to_owned(), "k".repeat(16_384)),
    ]);
    tokens
}

fn token(header: &str, payload: &str) -> String {
    const SECRET: &str = "S2oLoq5x6dIO5YGdhvenQriSqWQmnn6ImV4k6rSaHLM";
    let encode = Base64UrlUnpadded::encode_string;
    let signed = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
    let secret = Base64UrlUnpadded::decode_vec(SECRET).expect("base64url");
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&secret).expect("a key of any length");
    let tag = mac.chain_update(&signed).finalize().into_bytes();
    let token = format!("{signed}.{}", encode(&tag));
    assert!(token.len() <= 8_192, "{} bytes would be refused for their number", token.len());
    token
}

fn forms() -> Vec<(String, Asked)> {
    let forms = [
        ("a form of one letter names", "a&".repeat(8_192)),
        ("a form of empty parameters", "&".repeat(16_384)),
        ("a form of equals signs", "=&".repeat(8_192)),
        ("a form of one long name", "a".repeat(16_384)),
        ("a form of one long value", format!("token={}", "a".repeat(16_378))),
        ("a form of escapes", format!("token={}", "%41".repeat(5_400))),
        ("a form of tokens", "token=a&".repeat(2_048)),
        ("a form that ends badly", format!("{}a=%", "a&".repeat(8_190))),
        ("a form too long", "a&".repeat(100_000)),
    ];
    let mut asked: Vec<(String, Asked)> =
        forms.iter().map(|(name, form)| ((*name).to_owned(), introspect(form.as_bytes()))).collect();
    let proxy = [("authorization", "Bearer key_123"), ("x-forwarded-method", "GET")];
    for (name, form) in &forms {
        let target = format!("/auth/forward?{form}");
        asked.push((format!("{name}, as query"), ask("GET", &target[..target.len().min(16_384)], &proxy, b"")));
    }
    asked
}

/// Long paths, headers and cookies.
fn places() -> Vec<(String, Asked)> {
    let long = "a".repeat(16_384);
    let key = ("authorization", "Bearer key_123");
    let many: Vec<(&str, &str)> = vec![key; 1_000];
    let scopes = vec!["a"; 8_000].join("+");
    let basic = format!("Basic {}", Base64::encode_string(&vec![b'a'; 12_000]));
    let form = ("content-type", "application/x-www-form-urlencoded");
    let proxy = ("x-forwarded-method", "GET");
    vec![
        ("a long path".to_owned(), ask("GET", &format!("/{long}"), &[key], b"")),
        ("a long path behind /auth/envoy".to_owned(), ask("GET", &format!("/auth/envoy/{long}"), &[key], b"")),
        ("a path of slashes".to_owned(), ask("GET", &"/".repeat(16_384), &[key], b"")),
        ("a path of escapes".to_owned(), ask("GET", &format!("/{}", "%2e".repeat(5_000)), &[key], b"")),
        ("a path of quotes".to_owned(), ask("GET", &format!("/{}", "<\"&'>".repeat(3_000)), &[key], b"")),
        ("a long method".to_owned(), ask(&long, "/auth/validate", &[key], b"")),
        ("a long query".to_owned(), ask("POST", &format!("/auth/validate?{long}"), &[key], b"")),
        ("a long cookie".to_owned(), ask("POST", "/auth/validate", &[key, ("cookie", &long)], b"")),
        ("a long X-Api-Key".to_owned(), ask("POST", "/auth/validate", &[key, ("x-api-key", &long)], b"")),
        ("a long Authorization".to_owned(), ask("POST", "/auth/validate", &[("authorization", &long)], b"")),
        ("a thousand times Authorization".to_owned(), ask("POST", "/auth/validate", &many, b"")),
        (
            "a long forwarded URI".to_owned(),
            ask("GET", "/auth/forward", &[key, proxy, ("x-forwarded-uri", &format!("/{long}"))], b""),
        ),
        (
            "a long forwarded host".to_owned(),
            ask("GET", "/auth/forward", &[key, proxy, ("x-forwarded-host", &long)], b""),
        ),
        (
            "a long original URL".to_owned(),
            ask("GET", "/auth/nginx", &[key, ("x-original-url", &format!("https://a/{long}"))], b""),
        ),
        (
            "many scopes in the query".to_owned(),
            ask("GET", &format!("/auth/forward?scope={scopes}"), &[key, proxy], b""),
        ),
        (
            "a long audience in the query".to_owned(),
            ask("GET", &format!("/auth/forward?aud={long}"), &[key, proxy], b""),
        ),
        (
            "long Basic credentials".to_owned(),
            ask("POST", "/oauth2/introspect", &[("authorization", &basic), form], b"token=a"),
        ),
        ("a long If-None-Match".to_owned(), ask("GET", "/healthz", &[("if-none-match", &"\"a\",".repeat(4_000))], b"")),
        ("the set of keys".to_owned(), ask("GET", "/.well-known/jwks.json", &[], b"")),
    ]
}

/// Of no matter in strict mode; parity mode looks into them first.
fn bodies() -> Vec<(String, Asked)> {
    let bomb = || case_named("body-json-gzip-bomb");
    let json = |body: &[u8]| {
        let length = body.len().to_string();
        let headers =
            [("authorization", "Bearer key_123"), ("content-type", "application/json"), ("content-length", &length)];
        ask("POST", "/auth/validate", &headers, body)
    };
    vec![
        ("a gzip bomb".to_owned(), bomb()),
        ("a body of open lists".to_owned(), json(&[b'['; 102_400])),
        ("a body of lists in lists".to_owned(), json(&[[b'['; 51_200], [b']'; 51_200]].concat())),
        ("a body of members".to_owned(), json(format!("{{{}}}", vec!["\"a\":0"; 15_000].join(",")).as_bytes())),
        ("a body of 100 KiB of text".to_owned(), json(format!("[\"{}\"]", "a".repeat(102_396)).as_bytes())),
        ("a body of 10 MB".to_owned(), json(&vec![b' '; 10_000_000])),
    ]
}

fn case_named(name: &str) -> Asked {
    let case = cases().into_iter().find(|case| case.name == name).expect("the contract has it");
    Asked::of(&case.request)
}

/// What a measured thread takes and gives back.
struct Meter {
    arena: Arena,
    start: usize,
    end: usize,
    is_on: bool,
    taken_bytes_max: usize,
    live_bytes: usize,
    live_bytes_max: usize,
    given_bytes: usize,
    cpu: Duration,
}

thread_local! {
    static METER: RefCell<Meter> = const { RefCell::new(Meter::off()) };
}

impl Meter {
    const fn off() -> Meter {
        Meter {
            arena: Arena::empty(),
            start: 0,
            end: 0,
            is_on: false,
            taken_bytes_max: 0,
            live_bytes: 0,
            live_bytes_max: 0,
            given_bytes: 0,
            cpu: Duration::ZERO,
        }
    }

    fn allocate(&mut self, layout: Layout) -> usize {
        let Ok(address) = self.arena.allocate(layout.size(), layout.align()) else { return 0 };
        self.count(address, layout.size());
        address
    }

    fn count(&mut self, address: usize, size: usize) {
        self.taken_bytes_max = self.taken_bytes_max.max(address + size - self.start);
        self.live_bytes += size;
        self.live_bytes_max = self.live_bytes_max.max(self.live_bytes);
    }

    fn owns(&self, address: usize) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// Does `work` on the component's heap, which must have come back to its beginning when `work` is done.
fn measured<T>(work: impl FnOnce() -> T) -> (T, Meter) {
    let room = vec![0_u64; ROOM_BYTES / 8];
    METER.with_borrow_mut(|meter| {
        let start = room.as_ptr() as usize;
        *meter = Meter { start, end: start + ROOM_BYTES, is_on: true, ..Meter::off() };
        meter.arena.init(start, start + ROOM_BYTES);
    });
    let start = cpu_time();
    let done = work();
    let cpu = cpu_time() - start;
    let meter = METER.with_borrow_mut(|meter| {
        meter.is_on = false;
        Meter { cpu, ..std::mem::replace(meter, Meter::off()) }
    });
    assert_eq!(meter.live_bytes, 0, "something outlived the request");
    (done, meter)
}

fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("a thread's time only grows from 0")
}

fn given(bytes: usize) {
    METER.with_borrow_mut(|meter| meter.given_bytes += bytes);
}

#[global_allocator]
static HEAP: Metered = Metered;

struct Metered;

// SAFETY: blocks of the arena are blocks of a live vector, aligned and never overlapping; all others are the system's.
// Whose a block is, its address says. While a meter is borrowed nothing allocates.
unsafe impl GlobalAlloc for Metered {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let taken = METER.try_with(|meter| {
            let mut meter = meter.try_borrow_mut().ok()?;
            meter.is_on.then(|| meter.allocate(layout))
        });
        match taken {
            Ok(Some(address)) => address as *mut u8,
            // SAFETY: the caller keeps `GlobalAlloc`'s contract.
            _ => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let was_ours = METER.try_with(|meter| {
            let Ok(mut meter) = meter.try_borrow_mut() else { return false };
            let is_ours = meter.owns(block as usize);
            if is_ours {
                meter.arena.free(block as usize, layout.size());
                meter.live_bytes -= layout.size();
            }
            is_ours
        });
        if was_ours != Ok(true) {
            // SAFETY: not from the arena, so from the system.
            unsafe { System.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let was_resized = METER.try_with(|meter| {
            let Ok(mut meter) = meter.try_borrow_mut() else { return false };
            let fits = meter.owns(block as usize) && meter.arena.resize(block as usize, layout.size(), new_size);
            if fits {
                meter.live_bytes -= layout.size();
                meter.count(block as usize, new_size);
            }
            fits
        });
        if was_resized == Ok(true) {
            return block;
        }
        // SAFETY: the caller keeps `GlobalAlloc`'s contract, so the new layout is valid and `block` is live.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(block, new, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}
