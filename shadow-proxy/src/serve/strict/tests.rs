//! The table of `cases.json`, and pipelines made up by chance.

use std::time::Duration;

use proptest::prelude::*;
use serde::Deserialize;

use crate::metrics::{Level, Refusal};
use crate::serve::budget::Budget;
use crate::serve::client::Terms;

use super::{Inspector, Tolerated};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// A character is one byte.
    sent: String,
    /// The reason; none where all of it passes.
    refused: Option<String>,
    /// Switches by which it passes all the same.
    #[serde(default)]
    tolerated: Vec<String>,
    /// What stands for a byte 0x01 in `sent`, as often as said: large things are not written out.
    #[serde(default)]
    repeat: usize,
}

const HEAD_BYTES_MAX: usize = 128 << 10;

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("cases.json")).unwrap()
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        let bytes = self.sent.chars().map(|c| u8::try_from(c).unwrap());
        bytes.flat_map(|byte| if byte == 1 { vec![b'a'; self.repeat] } else { vec![byte] }).collect()
    }

    fn tolerated(&self) -> Tolerated {
        let mut tolerated = Tolerated::default();
        assert!(self.tolerated.iter().all(|name| tolerated.add(name)), "{}", self.name);
        tolerated
    }
}

/// What passes of bytes that come in pieces, and the refusal.
fn passed(tolerated: Tolerated, pieces: &[&[u8]]) -> (usize, Option<Refusal>, Inspector) {
    let mut inspector = Inspector::new(tolerated, HEAD_BYTES_MAX);
    let (mut held, mut all) = (Vec::new(), 0);
    for piece in pieces {
        held.extend_from_slice(piece);
        match inspector.pass(&held) {
            Ok(passed) => {
                held.drain(..passed);
                all += passed;
            }
            Err((passed, refusal)) => return (all + passed, Some(refusal), inspector),
        }
    }
    (all, None, inspector)
}

#[test]
fn every_case_passes_or_is_refused_for_its_reason_in_however_many_pieces_it_comes() {
    for case in cases() {
        let bytes = case.bytes();
        let splits: Vec<usize> = if bytes.len() < 1_000 { (0..bytes.len()).collect() } else { vec![0, 70, 999] };
        for split in splits {
            let (first, second) = bytes.split_at(split);
            let (length, refusal, inspector) = passed(Tolerated::default(), &[first, second]);
            let shown = format!("{} in two pieces, of {split} bytes and the rest", case.name);
            assert_eq!(refusal.map(Refusal::name), case.refused.as_deref(), "{shown}");
            let is_undecided = inspector.is_undecided();
            if refusal.is_none() && !is_undecided {
                assert_eq!(length, bytes.len(), "{shown}");
                assert!(inspector.is_between_requests(&[]), "{shown}");
            }
            if !case.tolerated.is_empty() {
                let (length, refusal, _) = passed(case.tolerated(), &[first, second]);
                assert_eq!((length, refusal), (bytes.len(), None), "tolerated: {shown}");
            }
        }
    }
}

#[test]
fn every_reason_and_every_switch_has_a_case() {
    let cases = cases();
    let elsewhere = [Refusal::NoMemory, Refusal::SlowHead, Refusal::Unfinished, Refusal::Unread];
    for (refusal, name) in Refusal::ALL {
        assert_eq!(refusal.name(), name);
        let has_one = cases.iter().any(|case| case.refused.as_deref() == Some(name));
        assert!(has_one || elsewhere.contains(&refusal), "{name}");
    }
    for switch in Tolerated::NAMES {
        assert!(cases.iter().any(|case| case.tolerated == [switch]), "{switch}");
        assert!(Tolerated::default().add(switch));
    }
    assert!(!Tolerated::default().add("chunks"));
}

#[test]
fn bytes_behind_an_upgrade_wait_until_it_is_decided() {
    let upgrade = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let next = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut inspector = Inspector::new(Tolerated::default(), HEAD_BYTES_MAX);
    let all = [&upgrade[..], next].concat();
    assert_eq!(inspector.pass(&all), Ok(upgrade.len()));
    assert!(inspector.is_undecided());
    assert_eq!(inspector.pass(next), Ok(0));
    inspector.go_on();
    assert_eq!(inspector.pass(&all), Ok(upgrade.len()).map(|_| upgrade.len()));
    inspector.step_aside();
    assert_eq!(inspector.pass(b"\x81\x05hello\n\0"), Ok(9));
}

/// A good request: target, fields, body in pieces, or none.
#[derive(Clone, Debug)]
struct Good {
    target: String,
    fields: Vec<(String, String)>,
    body: Option<(Vec<Vec<u8>>, bool)>,
}

impl Good {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("POST /{} HTTP/1.1\r\nHost: auth.example\r\n", self.target).into_bytes();
        for (name, value) in &self.fields {
            bytes.extend(format!("X-{name}: {value}\r\n").bytes());
        }
        match &self.body {
            None => bytes.extend(b"\r\n"),
            Some((pieces, false)) => {
                let body = pieces.concat();
                bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
                bytes.extend(body);
            }
            Some((pieces, true)) => {
                bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
                    bytes.extend(format!("{:X};a=b\r\n", piece.len()).bytes());
                    bytes.extend(piece);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\nX-Trailer: 1\r\n\r\n");
            }
        }
        bytes
    }

    fn body(&self) -> Vec<u8> {
        self.body.as_ref().map_or(Vec::new(), |(pieces, _)| pieces.concat())
    }
}

fn good() -> impl Strategy<Value = Good> {
    let fields = prop::collection::vec(("[A-Za-z0-9-]{1,12}", "[!-~]([ -~]{0,60}[!-~])?"), 0..8);
    let pieces = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5);
    let body = prop::option::of((pieces, any::<bool>()));
    ("[a-z0-9/?=&%-]{0,40}", fields, body).prop_map(|(target, fields, body)| Good { target, fields, body })
}

fn in_pieces<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([bytes.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
}

/// Target and body of a request, an error where the body is none.
type Seen = (String, Result<Vec<u8>, ()>);

/// The requests that hyper reads on a connection.
fn by_hyper(pieces: &[&[u8]], is_guarded: bool) -> (Vec<Seen>, bool) {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    use http_body_util::{BodyExt as _, Empty};
    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use crate::serve::client::ClientStream;
    use crate::serve::turn::Turns;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let is_parse_error = runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(64 << 10);
        let turns = Arc::new(Turns::default());
        let keep = seen.clone();
        let turned = turns.clone();
        let service = service_fn(move |request: http::Request<Incoming>| {
            let (keep, turn) = (keep.clone(), turned.turn(&request));
            async move {
                let target = request.uri().to_string();
                let body = request.into_body().collect().await.map(|body| body.to_bytes().to_vec()).map_err(drop);
                keep.lock().unwrap().push((target, body));
                let empty = Empty::<bytes::Bytes>::new();
                Ok::<_, Infallible>(turn.answer(http::Response::new(empty)))
            }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.max_buf_size(HEAD_BYTES_MAX).max_headers(crate::side::headers::HEADERS_MAX);
        let drive = async {
            let mut all = Vec::new();
            let (mut read, mut write) = tokio::io::split(&mut client);
            let reading = async { read.read_to_end(&mut all).await };
            let writing = async {
                for piece in pieces {
                    if write.write_all(piece).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
                let _ = write.shutdown().await;
            };
            let _ = tokio::join!(reading, writing);
        };
        let ended = if is_guarded {
            let stream = ClientStream::new(server, Arc::new(terms()), turns);
            tokio::join!(http.serve_connection(TokioIo::new(stream), service), drive).0
        } else {
            tokio::join!(http.half_close(true).serve_connection(TokioIo::new(server), service), drive).0
        };
        ended.is_err_and(|error| error.is_parse())
    });
    let seen = seen.lock().unwrap().clone();
    (seen, is_parse_error)
}

fn terms() -> Terms {
    const LONG: Duration = Duration::from_secs(3_600);
    Terms {
        tolerated: Tolerated::default(),
        head_bytes_max: HEAD_BYTES_MAX,
        idle: LONG,
        unread: LONG,
        half_closed: LONG,
        budget: Budget::new(Level::default(), 1 << 20),
        refused: Box::new(|_| ()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn good_requests_reach_hyper_as_they_are_however_they_come(
        requests in prop::collection::vec(good(), 1..5),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes: Vec<u8> = requests.iter().flat_map(Good::bytes).collect();
        let wanted: Vec<_> = requests.iter().map(|good| (format!("/{}", good.target), Ok(good.body()))).collect();
        prop_assert_eq!(by_hyper(&in_pieces(&bytes, &cuts), true), (wanted, false));
    }

    /// Where two readers could disagree on where a request ends, one of them does not get to read it.
    #[test]
    fn what_passes_is_read_by_hyper_as_the_same_requests(
        requests in prop::collection::vec(good(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&b"\r\n :;,0a\x00\t1/\xff"[..]), any::<bool>()), 1..4),
    ) {
        let mut bytes: Vec<u8> = requests.iter().flat_map(Good::bytes).collect();
        for (at, byte, is_added) in changes {
            let at = at.index(bytes.len());
            if is_added { bytes.insert(at, byte) } else { bytes[at] = byte }
        }
        let (length, refusal, inspector) = passed(Tolerated::default(), &[&bytes]);
        let (seen, is_parse_error) = by_hyper(&[&bytes[..length]], false);
        let read = seen.len() as u64;
        if !is_parse_error {
            prop_assert_eq!(read, inspector.heads);
            // Whatever was not cut off by a refusal is whole for both.
            let is_whole = refusal.is_none() && inspector.is_between_requests(&[]);
            prop_assert!(!is_whole || seen.iter().all(|(_, body)| body.is_ok()));
        }
    }
}

/// What looking at a head costs: `cargo test --release … -- --ignored cost_of_a_head --nocapture`.
#[test]
#[ignore = "a measurement"]
fn cost_of_a_head() {
    let token = "e".repeat(700);
    let small =
        "POST /auth/validate HTTP/1.1\r\nHost: auth.example\r\nAuthorization: Bearer key_123\r\n\r\n".to_owned();
    let usual = format!(
        "GET /auth/validate?scope=orders:read HTTP/1.1\r\nHost: auth.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux \
         x86_64)\r\nAccept: application/json\r\nAccept-Encoding: gzip, br\r\nX-Forwarded-For: 192.0.2.1\r\nX-Request-Id: \
         0123456789abcdef\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    const ROUNDS: u32 = 1_000_000;
    for head in [small, usual] {
        let mut inspector = Inspector::new(Tolerated::default(), HEAD_BYTES_MAX);
        let start = std::time::Instant::now();
        for _ in 0..ROUNDS {
            assert_eq!(inspector.pass(std::hint::black_box(head.as_bytes())), Ok(head.len()));
        }
        println!("{} bytes: {:.0} ns", head.len(), start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS));
    }
}
