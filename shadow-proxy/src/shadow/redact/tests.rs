use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use proptest::prelude::*;

use super::*;
use crate::exchange::Leg;
use crate::shadow::{compare::Comparer, rules::Day};

#[test]
fn a_call_shows_its_shape() {
    let call = call(
        "POST",
        "/auth/validate/4711?access_token=s3cr3t&empty=&flag",
        &[
            ("host", "auth.example.com"),
            ("authorization", "bEARER key_123"),
            ("cookie", "sid=s3cr3t; theme=dark"),
            ("content-type", "application/json; charset=utf-8"),
            ("content-length", "1234"),
            ("x-api-key", "s3cr3t"),
            ("x-tenant", "acme"),
            ("user-agent", "curl/8.0"),
            ("accept", "text/html;q=0.9, */*;q=0.8"),
            ("accept-encoding", "gzip, deflate, br"),
        ],
        r#"{"grant_type":"client_credentials","password":"token","pin":123,"count":12,"user":{"id":1234567,"tags":["valid","s3cr3t"]},"acme":"valid","ok":true,"none":null}"#,
    );
    let shown = redactor().call(&call);
    insta::assert_snapshot!(lines(&shown.method, &shown.path, &shown.headers, &shown.body), @r#"
    POST /auth/validate/‹number 4 a0105d71›?‹text 12 1264fb2f›=‹text 6 d1bfcdf8›&‹text 5 37fdacd3›=&‹text 4 b2d6e29f›
    host: ‹text 16 5c6c3192›
    authorization: bEARER ‹text 7 a271fd39›
    cookie: ‹text 3 ccc284a3›=‹text 6 d1bfcdf8›; ‹text 5 ea7a7efe›=‹text 4 83f98bdb›
    content-type: application/json; charset=utf-8
    content-length: 1234
    x-api-key: ‹text 6 d1bfcdf8›
    ‹text 8 c1b9b0c4›: ‹text 4 e076aedd›
    user-agent: ‹text 8 9c51528c›
    accept: text/html;q=0.9, */*;q=0.8
    accept-encoding: gzip, deflate, br

    {"‹text 4 e076aedd›":"‹text 5 a2e40c29›","count":12,"grant_type":"client_credentials","none":null,"ok":true,"password":"‹text 5 61ce97a7›","pin":‹number 3 d497ac06›,"user":{"id":‹number 7 f04131a4›,"tags":["valid","‹text 6 d1bfcdf8›"]}}
    "#);
}

#[test]
fn an_answer_shows_its_shape() {
    let mut headers = vec![
        ("date", "Wed, 01 Jan 2025 00:00:00 GMT"),
        ("etag", "W/\"2f-abcdef\""),
        ("www-authenticate", "Bearer realm=\"acme\", error=\"invalid_token\""),
        ("set-cookie", "sid=s3cr3t; Path=/; Expires=Wed, 01 Jan 2025 00:00:00 GMT; HttpOnly; SameSite=Lax"),
        ("location", "/users/4711"),
        ("content-security-policy", "default-src 'none'"),
        ("content-type", "text/html; charset=utf-8"),
        ("x-powered-by", "Express"),
    ];
    let html = "<!DOCTYPE html>\n<html lang=\"en\">\n<pre>Cannot GET /auth/s3cr3t</pre>\n</html>\n";
    let shown = redactor().answer(&answer(404, &headers, html));
    insta::assert_snapshot!(lines("answer", &shown.status.to_string(), &shown.headers, &shown.body), @r#"
    answer 404
    date: ‹date-time 29 42797ce8›
    etag: ‹text 13 05eea57f›
    www-authenticate: Bearer realm="‹text 4 e076aedd›", error="invalid_token"
    set-cookie: ‹text 3 ccc284a3›=‹text 6 d1bfcdf8›; Path=/; Expires=‹date-time 29 42797ce8›; HttpOnly; SameSite=Lax
    location: ‹text 11 7fcece7b›
    content-security-policy: default-src 'none'
    content-type: text/html; charset=utf-8
    x-powered-by: Express

    <!DOCTYPE html>
    <html lang="en">
    <pre>Cannot GET ‹text 12 7249c12f›</pre>
    </html>
    "#);

    headers = vec![("content-type", "application/x-www-form-urlencoded")];
    let body = |headers: &[(&str, &str)], body: &str| redactor().answer(&answer(200, headers, body)).body;
    assert_eq!(body(&headers, "active=true&x9=&flag"), "active=‹text 4 497752e3›&‹text 2 bed62866›=&‹text 4 b2d6e29f›");
    assert_eq!(body(&[], ""), "");
}

#[test]
fn a_difference_is_told_without_its_content() {
    let redactor = redactor();
    for (path, legacy, candidate, shown) in [
        ("status", "200", "401", "status 200 401"),
        ("decision", "allow", "deny", "decision allow deny"),
        ("header.content-type", "text/html", "text/s3cr3t", "header.content-type text/html ‹text 11 d8486dfb›"),
        ("header.x-acme", "valid", "s3cr3t", r#"header["‹text 6 d0628a5d›"] ‹text 5 a2e40c29› ‹text 6 d1bfcdf8›"#),
        ("body.valid", "true", "false", "body.valid true false"),
        ("body.user", "1e400", "{\"pin\":\"valid\",\"id\":1e400}", "body.user ‹text 5 a808f17d› ‹text 26 27ec5e76›"),
        ("body.user_id", "null", "\"u_1\"", "body.user_id null \"‹text 3 e346dc6e›\""),
        ("body.session.ids[]", "1", "\"valid\"", "body.session.ids[] ‹number 1 886687e2› \"‹text 5 a2e40c29›\""),
        (
            r#"body.items[]["a.b"].error"#,
            "\"invalid_token\"",
            "{\"acme\":1}",
            r#"body.items[]["‹text 3 e08cd3b9›"].error "‹text 13 a635b8a3›" {"‹text 4 e076aedd›":‹number 1 886687e2›}"#,
        ),
        (
            "header.authorization(jwt).claims.role",
            "\"user\"",
            "\"s3cr3t\"",
            r#"header.authorization(jwt).claims.role "user" "‹text 6 d1bfcdf8›""#,
        ),
        (
            "body.token(jwt).claims.password",
            "\"user\"",
            "1",
            r#"body.token(jwt).claims.password "‹text 4 1ed6c8c5›" ‹number 1 886687e2›"#,
        ),
        (
            "body.token(jwt).claims.acme(jwt).lifetime_s",
            "300",
            "5",
            r#"body.token(jwt).claims["‹text 4 e076aedd›"](jwt).lifetime_s 300 5"#,
        ),
        ("header.set-cookie.acme", "user", "", r#"header.set-cookie["‹text 4 e076aedd›"] ‹text 4 1ed6c8c5› "#),
        (
            "body",
            "Cannot POST /auth/validate",
            "{\"error\":\"not_found\"}",
            r#"body Cannot POST /auth/validate {"error":"not_found"}"#,
        ),
        ("s3cr3t", "s3cr3t", "s3cr3t", "‹text 6 d1bfcdf8› ‹text 6 d1bfcdf8› ‹text 6 d1bfcdf8›"),
    ] {
        let difference = Difference {
            path: path.into(),
            kind: Kind::Value,
            legacy: Some(legacy.into()),
            candidate: Some(candidate.into()),
            rule: None,
        };
        let found = redactor.difference(&difference);
        let found = format!("{} {} {}", found.path, found.legacy.unwrap(), found.candidate.unwrap());
        assert_eq!(found, shown, "{path}");
    }
}

#[test]
fn a_difference_keeps_the_classes_of_its_real_values() {
    let classes = |path: &str, legacy: Option<&str>, candidate: Option<&str>| {
        let (legacy, candidate) = (legacy.map(str::to_owned), candidate.map(str::to_owned));
        let difference = Difference { path: path.into(), kind: Kind::Value, legacy, candidate, rule: None };
        redactor().difference(&difference).classes
    };
    assert_eq!(classes("body.token", Some("\"9f2c1ab4\""), Some("null")), (Some(Class::Hex), Some(Class::Null)));
    assert_eq!(classes("header.x-trace", Some("17"), None), (Some(Class::Number), None));
    assert_eq!(classes("s3cr3t", None, Some("s3cr3t")), (None, Some(Class::Text)));
}

#[test]
fn a_body_too_long_to_read_ends_in_one_stand_in() {
    let redactor = redactor();
    let shown = |body: &str| redactor.answer(&answer(200, &[("content-type", "application/json")], body)).body;
    let numbers = shown(&format!("[{}1]", "1,".repeat(50_000)));
    assert!(numbers.starts_with("[1,1,") && numbers.contains(",…‹text 100003 ") && numbers.len() < 2200, "{numbers}");
    let text = shown(&"error ".repeat(10_000));
    assert!(text.starts_with("error error") && text.ends_with('›') && text.len() < 2200, "{text}");
    let form = redactor
        .body(&headers(&[("content-type", "application/x-www-form-urlencoded")]), &"a=1&".repeat(10_000).into());
    assert!(form.ends_with('›') && form.len() < 2200, "{form}");
    assert!(shown(&"error ".repeat(100_000)).starts_with("‹text 600000 "));
    assert!(shown(&format!("\"{}\"", "error ".repeat(40_000))).starts_with("\"‹text 240000 "));
}

#[test]
fn new_redactors_have_keys_of_their_own() {
    let shown = || {
        let redactor = Redactor::new(&["Acme".to_owned()], &Endpoints::default()).unwrap();
        (redactor.text("acme"), redactor.stand_in("secret"))
    };
    let ((word, one), (_, other)) = (shown(), shown());
    assert_eq!(word, "acme");
    assert_ne!(one, other);
}

#[test]
fn curl_reads_its_line_back() {
    let shown = ShownCall {
        method: "POST".into(),
        path: "/a'b?‹text 3 00000001›=‹text 3 00000002›".into(),
        headers: vec![
            ("authorization".into(), "Bearer ‹text 3 00000001›".into()),
            ("x-api-key".into(), "‹text 3 00000001›".into()),
            ("content-length".into(), "7".into()),
            ("accept".into(), String::new()),
        ],
        body: "{\"pin\":‹number 4 00000003›,\"a\":\"$HOME `id` !\"}".into(),
    };
    assert_eq!(
        curl(&shown, "http://127.0.0.1:1"),
        r#"curl --include --path-as-is --globoff --request POST "http://127.0.0.1:1/a'b?${SECRET_1}=${SECRET_2}" --header "authorization: Bearer ${SECRET_1}" --header "x-api-key: ${SECRET_1}" --header 'accept;' --header content-type: --data-raw '{"pin":'"$SECRET_3"',"a":"$HOME `id` !"}'"#
    );
    let head = ShownCall { method: "HEAD".into(), path: "/".into(), headers: Vec::new(), body: String::new() };
    assert_eq!(curl(&head, "http://h"), "curl --include --path-as-is --globoff --head http://h/");
}

proptest! {
    /// Invariant 4: whatever is put into whichever position, no form of it comes out.
    #[test]
    fn a_secret_in_any_position_never_leaves(secret in secret(), number in 10_000_000_u64..) {
        let redactor = redactor();
        let mut shown = String::new();
        for (media_type, body) in bodies(&secret, number) {
            let headers = headers_with(&secret.text, media_type);
            let other = headers_with(&secret.text.replace(&secret.core, &reversed(&secret.core)), media_type);
            for uri in uris(&secret.text) {
                let call = Call { method: Method::POST, uri, headers: headers.clone(), body: body.clone() };
                let call = redactor.call(&call);
                shown += &serde_json::to_string(&call).unwrap();
                shown += &curl(&call, "http://127.0.0.1");
            }
            let answers = [(200, headers, body.clone()), (401, other, Bytes::from_static(b"{}"))].map(
                |(status, headers, body)| Answer { status: StatusCode::from_u16(status).unwrap(), headers, body },
            );
            for answer in &answers {
                shown += &serde_json::to_string(&redactor.answer(answer)).unwrap();
            }
            for difference in differences(answers) {
                shown += &serde_json::to_string(&redactor.difference(&difference)).unwrap();
            }
        }
        let shown = shown.to_ascii_lowercase();
        for form in secret.forms().into_iter().chain([number.to_string(), reversed(&secret.core)]) {
            prop_assert!(!shown.contains(&form.to_ascii_lowercase()), "{form} is in {shown}");
        }
    }
}

#[derive(Clone, Debug)]
struct Secret {
    text: String,
    /// The part of `text` that is on no list and that nothing contains by chance.
    core: String,
}

fn secret() -> impl Strategy<Value = Secret> {
    let around = prop_oneof!["[ -~]{0,14}", "\\PC{0,8}", "[a-z]{3}(token|valid|user)[-_.:/ ]"];
    (around.clone(), "[0-9a-f]{12}", around)
        .prop_map(|(before, core, after)| Secret { text: format!("{before}{core}{after}"), core })
}

impl Secret {
    fn forms(&self) -> Vec<String> {
        vec![
            self.core.clone(),
            percent(&self.core),
            base64(self.text.as_bytes()),
            base64(self.core.as_bytes()),
            base64(format!("user:{}", self.text).as_bytes()),
        ]
    }
}

fn headers_with(secret: &str, media_type: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut put = |name: &str, value: String| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    };
    put("content-type", media_type.to_owned());
    put("content-type", format!("text/plain; charset={secret}"));
    for name in ["authorization", "proxy-authorization"] {
        put(name, format!("Bearer {secret}"));
        put(name, format!("bASIC {}", base64(format!("user:{secret}").as_bytes())));
        put(name, format!("{secret} key"));
        put(name, secret.to_owned());
    }
    put("cookie", format!("sid={secret}; {secret}=1; {secret}"));
    put("set-cookie", format!("sid={secret}; Path=/{secret}; {secret}; {secret}=x; Domain={secret}"));
    put("set-cookie", format!("{secret}=1; Max-Age={secret}; Secure"));
    for name in
        ["x-api-key", "location", "host", "referer", "www-authenticate", "accept", "content-length", "x-unknown"]
    {
        put(name, secret.to_owned());
    }
    put("etag", format!("W/\"{secret}\""));
    put("location", format!("https://example.com/{secret}?next={}", percent(secret)));
    put("www-authenticate", format!("Bearer realm=\"{secret}\""));
    put("cache-control", format!("max-age={secret}, {}", percent(secret)));
    let name: String = secret.chars().filter(char::is_ascii_alphanumeric).collect();
    put(&format!("x-{name}"), secret.to_owned());
    headers
}

fn bodies(secret: &Secret, number: u64) -> Vec<(&'static str, Bytes)> {
    let text = secret.text.as_str();
    let json = serde_json::json!({
        "name": text,
        "error": format!("invalid token {text}"),
        "password": {"value": text},
        text: "valid",
        "user": {text: {text: [text]}},
        "items": [text, number, {"pin": number, "count": number}],
        "count": number,
        "negative": -(number as f64),
        "text": number.to_string(),
    });
    let json = json.to_string();
    let html =
        format!("<!DOCTYPE html><pre>Cannot GET /auth/{text}\n{text}</pre><a href=\"/{}\">{number}</a>", percent(text));
    let multipart = format!("--b\r\ncontent-disposition: form-data; name=\"{text}\"\r\n\r\n{text}\r\n--b--\r\n");
    vec![
        ("application/json", json.clone().into()),
        ("application/json", format!("[\"{}\",{number}", secret.core).into()),
        ("text/plain", json.into()),
        ("application/json", serde_json::json!(text).to_string().into()),
        ("application/x-www-form-urlencoded", format!("user={text}&{text}=1&{text}&pin={}", percent(text)).into()),
        ("text/html", html.into()),
        ("multipart/form-data; boundary=b", multipart.into()),
        ("application/octet-stream", [b"\xff\xfe", text.as_bytes()].concat().into()),
        ("text/plain", base64(text.as_bytes()).into()),
        ("text/plain", format!("{}{text}", "error ".repeat(340)).into()),
        ("application/json", gzip(format!("{{\"name\":\"{}\"}}", secret.core).as_bytes())),
    ]
}

fn uris(secret: &str) -> Vec<Uri> {
    let plain: String = secret.chars().filter(char::is_ascii_alphanumeric).collect();
    [percent(secret), plain]
        .into_iter()
        .flat_map(|secret| {
            [
                format!("/auth/{secret}/validate?{secret}={secret}&token={secret}&{secret}"),
                format!("http://{plain}.example/{secret}", plain = secret.replace('%', "")),
            ]
        })
        .map(|uri| uri.parse().unwrap())
        .collect()
}

/// As the comparison finds them, and in places it would have to find.
fn differences([legacy, candidate]: [Answer; 2]) -> Vec<Difference> {
    let text = String::from_utf8_lossy(&legacy.body).into_owned();
    let leg = |answer| Leg { outcome: Ok(answer), latency: Duration::ZERO };
    let call = call("GET", "/", &[], "");
    let found = Comparer::default().compare(&call, &leg(legacy), &leg(candidate), "GET /", Day::of_ms(0));
    let mut found = found.map_or_else(|_| Vec::new(), |comparison| comparison.differences);
    for path in ["body", "body.user[]", "header.accept", "header.x-api-key", "status", "decision", "nowhere", &text] {
        let legacy = Some(text.clone());
        found.push(Difference { path: path.into(), kind: Kind::Missing, legacy, candidate: None, rule: None });
    }
    found
}

fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            text.push(DIGITS[bits >> (18 - 6 * digit) & 63].into());
        }
        text.push_str(&"=".repeat(3 - chunk.len()));
    }
    text
}

fn gzip(plain: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap().into()
}

fn redactor() -> Redactor {
    Redactor::with_key(&[7; 32], &[], &Endpoints::default())
}

fn call(method: &str, uri: &str, head: &[(&str, &str)], body: &str) -> Call {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    Call { method, uri: uri.parse().unwrap(), headers: headers(head), body: body.to_owned().into() }
}

fn answer(status: u16, head: &[(&str, &str)], body: &str) -> Answer {
    Answer { status: StatusCode::from_u16(status).unwrap(), headers: headers(head), body: body.to_owned().into() }
}

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    list.iter()
        .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect()
}

fn lines(method: &str, path: &str, headers: &[(String, String)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("{method} {path}\n{headers}\n{body}")
}
