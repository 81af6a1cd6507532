use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::*;
use crate::exchange::Answer;

const LIMITS: SessionLimits = SessionLimits {
    enabled: true,
    entries_max: 1_000,
    ttl: Duration::from_secs(3_600),
    wait_max: [Duration::from_secs(60); 2],
};
const OF_LEGACY: &str = "legacy-aaaaaaaaaaaaaaaa";
const OF_CANDIDATE: &str = "candidate-bbbbbb/bb+bb";

fn sessions(limits: SessionLimits) -> Arc<Sessions> {
    Sessions::new(limits, Arc::default()).expect("randomness")
}

fn leg(headers: &str, body: &str) -> Leg {
    let answer = Answer { status: StatusCode::OK, headers: header_map(headers), body: Bytes::from(body.to_owned()) };
    Leg { outcome: Ok(answer), latency: Duration::ZERO }
}

fn header_map(lines: &str) -> HeaderMap {
    let pairs = lines.lines().map(|line| line.split_once(": ").expect("a header"));
    pairs.map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
}

fn call(path: &str, headers: &str, body: &str) -> Arc<Call> {
    let (uri, body) = (path.parse().expect("a path"), Bytes::from(body.to_owned()));
    Arc::new(Call { method: Method::POST, uri, headers: header_map(headers), body })
}

fn token(value: &str) -> Leg {
    leg("", &format!("{{\"access_token\":\"{value}\"}}"))
}

fn learn(sessions: &Arc<Sessions>, legacy: &Leg, candidate: &Leg) {
    sessions.issuing(Side::Legacy, &call("/", "", ""), legacy).learn(candidate);
}

/// What is ready at once.
fn now<T>(future: impl Future<Output = Result<T, Unknown>>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value.expect("the session is known"),
        std::task::Poll::Pending => panic!("it waits"),
    }
}

fn text(call: &Call) -> String {
    let mut text = call.uri.to_string();
    for (name, value) in &call.headers {
        text.push_str(&format!("\n{name}: {}", value.to_str().expect("text")));
    }
    text + "\n\n" + std::str::from_utf8(&call.body).expect("text")
}

#[test]
fn whole_values_are_replaced_wherever_a_client_carries_them() {
    let sessions = sessions(LIMITS);
    learn(&sessions, &token(OF_LEGACY), &token(OF_CANDIDATE));
    let (a, b) = (OF_LEGACY, OF_CANDIDATE);
    let encoded = "candidate-bbbbbb%2Fbb%2Bbb";
    for (headers, body, expected_headers, expected_body) in [
        (format!("authorization: Bearer {a}"), String::new(), format!("authorization: Bearer {b}"), String::new()),
        (format!("x-token: {a}"), String::new(), format!("x-token: {b}"), String::new()),
        (
            format!("cookie: theme=dark; at={a};other={a}x"),
            String::new(),
            format!("cookie: theme=dark; at={b};other={a}x"),
            String::new(),
        ),
        (
            "content-type: application/x-www-form-urlencoded\ncontent-length: 1".to_owned(),
            format!("a=1&token={a}&b={}&{a}", a.replace('-', "%2d")),
            "content-type: application/x-www-form-urlencoded\ncontent-length: 1".to_owned(),
            format!("a=1&token={encoded}&b={encoded}&{a}"),
        ),
        (
            "content-type: application/json".to_owned(),
            format!("{{ \"t\" : [\"{a}\", \"x{a}\", \"\\\"{a}\"], \"u\":\"{}\" }}", a.replace('-', "\\u002d")),
            "content-type: application/json".to_owned(),
            format!("{{ \"t\" : [\"{b}\", \"x{a}\", \"\\\"{a}\"], \"u\":\"{b}\" }}"),
        ),
        // Not a text, coded, or cut short: as it was.
        (String::new(), format!("token {a}"), String::new(), format!("token {a}")),
        (
            "content-encoding: gzip".to_owned(),
            format!("\"{a}\""),
            "content-encoding: gzip".to_owned(),
            format!("\"{a}\""),
        ),
        (String::new(), format!("[\"{a}\",\"{a}"), String::new(), format!("[\"{a}\",\"{a}")),
    ] {
        let ready = now(sessions.ready(Side::Candidate, &call("/a", &headers, &body)));
        let mut expected = call("/a", &expected_headers, &expected_body);
        if let Some(length) = Arc::make_mut(&mut expected).headers.get_mut("content-length") {
            *length = expected_body.len().into();
        }
        assert_eq!(text(&ready), text(&expected));
    }
    let sent = call(&format!("/s/{a}/x{a}?code={a}&x={a}x&{a}"), "", "");
    let ready = now(sessions.ready(Side::Candidate, &sent));
    assert_eq!(ready.uri.to_string(), format!("/s/{encoded}/x{a}?code={encoded}&x={a}x&{a}"));
    assert!(Arc::ptr_eq(&sent, &now(sessions.ready(Side::Legacy, &sent))), "legacy knows its own");
    assert!(sessions.is_pair(a, b) && !sessions.is_pair(b, a) && !sessions.is_pair(a, a));
    assert_eq!(sessions.metrics.stateful.session_values_mapped.get(), 9);
}

#[test]
fn what_is_issued_is_found_by_its_place() {
    let sessions = sessions(LIMITS);
    let (a, b) = (OF_LEGACY, OF_CANDIDATE.replace('/', "%2F"));
    let answer = |cookie: &str, value: &str, number: &str| {
        let headers = format!(
            "set-cookie: sid={cookie}; Path=/; HttpOnly\nset-cookie: csrf={value}\nx-csrf-token: {value}-h\n\
             location: https://a.example/cb?state={value}-s&code={value}-c&q={value}-q#access_token={value}-f"
        );
        let body = format!(
            "{{\"tokens\":{{\"refresh\":[\"{value}-r\"]}},\"author\":\"{value}-n\",\"token_endpoint\":\"https://{value}\",\
             \"session_ends\":\"2026-01-01T00:00:0{number}.000Z\",\"code\":\"short{number}\"}}"
        );
        leg(&headers, &body)
    };
    learn(&sessions, &answer("s1", a, "1"), &answer("c1", &b, "2"));
    for issued in ["-h", "-s", "-c", "-f", "-r"] {
        let plain = if "-r-h".contains(issued) { b.clone() } else { OF_CANDIDATE.to_owned() };
        assert!(sessions.is_pair(&format!("{a}{issued}"), &format!("{plain}{issued}")), "{issued}");
    }
    for (legacy, candidate) in [
        (format!("{a}-q"), format!("{OF_CANDIDATE}-q")),
        (format!("{a}-n"), format!("{b}-n")),
        (format!("https://{a}"), format!("https://{b}")),
        ("2026-01-01T00:00:01.000Z".to_owned(), "2026-01-01T00:00:02.000Z".to_owned()),
        ("short1".to_owned(), "short2".to_owned()),
    ] {
        assert!(!sessions.is_pair(&legacy, &candidate), "{legacy}");
    }
    let sent = call("/a", &format!("cookie: sid=s1; csrf={a}; other=s1\nx-csrf-token: {a}"), "");
    let ready = now(sessions.ready(Side::Candidate, &sent));
    assert_eq!(text(&ready), format!("/a\ncookie: sid=c1; csrf={b}; other=s1\nx-csrf-token: {b}\n\n"));
}

#[test]
fn a_chain_of_rotated_tokens_is_followed_and_the_old_ones_stay_known() {
    let sessions = sessions(LIMITS);
    let of = |side: &str, number: usize| format!("{side}-refresh-token-{number}");
    for number in 0..5 {
        learn(&sessions, &token(&of("legacy", number)), &token(&of("candidate", number)));
    }
    for number in 0..5 {
        let ready = now(sessions.ready(Side::Candidate, &call("/a", &format!("x-t: {}", of("legacy", number)), "")));
        assert_eq!(text(&ready), format!("/a\nx-t: {}\n\n", of("candidate", number)));
    }
    // The candidate serves, legacy is the mirror.
    sessions.issuing(Side::Candidate, &call("/", "", ""), &token(&of("candidate", 9))).learn(&token(&of("legacy", 9)));
    let ready = now(sessions.ready(Side::Legacy, &call("/a", &format!("x-t: {}", of("candidate", 9)), "")));
    assert_eq!(text(&ready), format!("/a\nx-t: {}\n\n", of("legacy", 9)));
    assert!(sessions.is_pair(&of("legacy", 9), &of("candidate", 9)));
}

#[test]
fn a_call_waits_for_the_exchange_that_issues_what_it_carries_and_for_no_other() {
    let sessions = sessions(LIMITS);
    let (legacy, candidate) = (token(OF_LEGACY), token(OF_CANDIDATE));
    let carries = call("/a", &format!("x-t: {OF_LEGACY}"), "");
    let issuing = sessions.issuing(Side::Legacy, &call("/", "", ""), &legacy);
    let other = call("/a", "x-t: something-else-altogether", "");
    assert!(Arc::ptr_eq(&other, &now(sessions.ready(Side::Candidate, &other))));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _entered = runtime.enter();
    let mut waiting = std::pin::pin!(sessions.ready(Side::Candidate, &carries));
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    issuing.learn(&candidate);
    assert_eq!(text(&now(waiting)), format!("/a\nx-t: {OF_CANDIDATE}\n\n"));
    // Issued once more, as a rolling cookie is: it is known, so nobody waits.
    let again = sessions.issuing(Side::Legacy, &call("/", "", ""), &legacy);
    assert_eq!(text(&now(sessions.ready(Side::Candidate, &carries))), format!("/a\nx-t: {OF_CANDIDATE}\n\n"));
    again.learn(&leg("", "{}"));
    assert_eq!(text(&now(sessions.ready(Side::Candidate, &carries))), format!("/a\nx-t: {OF_CANDIDATE}\n\n"));
    // Issued again to a client that has it, and unknown, for it is older than the proxy: nobody waits, the call itself
    // least of all, and nothing is unknown when the other side fails.
    let older = call("/a", "cookie: sid=legacy-dddddddddddddd", "");
    let rolling = sessions.issuing(Side::Legacy, &older, &leg("set-cookie: sid=legacy-dddddddddddddd", ""));
    assert!(Arc::ptr_eq(&older, &now(sessions.ready(Side::Candidate, &older))));
    drop(rolling);
    assert!(Arc::ptr_eq(&older, &now(sessions.ready(Side::Candidate, &older))));
    // The other side failed: whoever waits is let go.
    let failed = sessions.issuing(Side::Legacy, &call("/", "", ""), &token("legacy-cccccccccccccc"));
    let carries = call("/a", "x-t: legacy-cccccccccccccc", "");
    let mut waiting = std::pin::pin!(sessions.ready(Side::Candidate, &carries));
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    drop(failed);
    assert!(matches!(waiting.poll(&mut context), std::task::Poll::Ready(Err(Unknown))), "and its session is unknown");
    let state = sessions.lock();
    assert_eq!((state.awaited.len(), sessions.metrics.stateful.session_calls_waited.get()), (0, 2));
}

#[test]
fn ten_thousand_sessions_take_no_more_room_than_is_given() {
    let sessions = sessions(LIMITS);
    let issued = |side: &str, number: usize| token(&format!("{side}-token-of-session-{number}"));
    for number in 0..10_000 {
        learn(&sessions, &issued("legacy", number), &issued("candidate", number));
        // Session 0 is in use all the time, so it stays.
        assert!(sessions.is_pair("legacy-token-of-session-0", "candidate-token-of-session-0"), "{number}");
    }
    let is_pair = |number| {
        let of = |side| format!("{side}-token-of-session-{number}");
        sessions.is_pair(&of("legacy"), &of("candidate"))
    };
    assert!(!is_pair(1) && !is_pair(9_000) && is_pair(9_002) && is_pair(9_999));
    assert_eq!(sessions.metrics.stateful.session_values.get(), 1_000);
    assert_eq!(sessions.metrics.stateful.session_values_evicted.get(), 9_000);
    // By bytes.
    let long = |number: usize| format!("{number:08}{}", "x".repeat(VALUE_BYTES_MAX - 8));
    let roomy = super::tests::sessions(SessionLimits { entries_max: 1_000_000, ..LIMITS });
    for number in 0..10_000 {
        learn(&roomy, &token(&format!("legacy-token-{number}")), &token(&long(number)));
    }
    let state = roomy.lock();
    let bytes: usize = state.known.iter().map(|(_, counterpart)| counterpart.bytes()).sum();
    assert_eq!((state.bytes, state.known.len()), (bytes, BYTES_MAX / VALUE_BYTES_MAX));
}

#[test]
fn what_nobody_uses_is_forgotten_after_its_time() {
    let sessions = sessions(SessionLimits { ttl: Duration::ZERO, ..LIMITS });
    learn(&sessions, &token(OF_LEGACY), &token(OF_CANDIDATE));
    assert!(!sessions.is_pair(OF_LEGACY, OF_CANDIDATE));
    for number in 0..10 {
        learn(&sessions, &token(&format!("legacy-token-{number}-x")), &token(OF_CANDIDATE));
    }
    assert_eq!((sessions.lock().known.len(), sessions.metrics.stateful.session_values_evicted.get()), (1, 0));
}

#[test]
fn where_it_is_switched_off_nothing_is_learned() {
    let sessions = sessions(SessionLimits { enabled: false, ..LIMITS });
    learn(&sessions, &token(OF_LEGACY), &token(OF_CANDIDATE));
    assert!(!sessions.is_pair(OF_LEGACY, OF_CANDIDATE) && sessions.lock().known.is_empty());
}

#[test]
fn a_session_that_the_other_side_never_began_is_unknown_until_it_answers_in_one() {
    let sessions = sessions(LIMITS);
    let long = "the-same-for-everybody";
    let answer = |lang: &str| leg(&format!("set-cookie: lang={lang}\nset-cookie: locale={long}"), "{}");
    learn(&sessions, &answer("en"), &answer("en"));
    // Not asked, or failed: what is known, and what is short, stays as it is.
    drop(sessions.issuing(Side::Legacy, &call("/", "", ""), &answer("en")));
    drop(sessions.issuing(Side::Legacy, &call("/", "", ""), &answer("de")));
    for cookie in ["lang=en", "lang=de", &format!("locale={long}")] {
        let sent = call("/a", &format!("cookie: {cookie}"), "");
        assert!(Arc::ptr_eq(&sent, &now(sessions.ready(Side::Candidate, &sent))), "{cookie}");
    }
    drop(sessions.issuing(Side::Legacy, &call("/", "", ""), &token(OF_LEGACY)));
    let carries = call("/a", &format!("x-t: {OF_LEGACY}"), "");
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let unknown = std::pin::pin!(sessions.ready(Side::Candidate, &carries)).poll(&mut context);
    assert!(matches!(unknown, std::task::Poll::Ready(Err(Unknown))));
    learn(&sessions, &token(OF_LEGACY), &token(OF_CANDIDATE));
    assert_eq!(text(&now(sessions.ready(Side::Candidate, &carries))), format!("/a\nx-t: {OF_CANDIDATE}\n\n"));
}
