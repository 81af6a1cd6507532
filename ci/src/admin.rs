//! What the proxy's admin port says, and whether its accounts add up.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const ANSWER_WITHIN: Duration = Duration::from_secs(5);

type Counts = BTreeMap<String, u64>;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Status {
    pub(crate) phase: String,
    pub(crate) weight_ppm: u64,
    pub(crate) requests: Requests,
    pub(crate) verdicts: Verdicts,
    pub(crate) decisions: Decisions,
    pub(crate) latency: Sides<Latency>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Requests {
    pub(crate) received: u64,
    pub(crate) serving: u64,
    pub(crate) served: Sides<u64>,
    pub(crate) rescued: u64,
    pub(crate) mirrored: u64,
    pub(crate) skipped: Counts,
    pub(crate) dropped: Counts,
    pub(crate) compared: u64,
    pub(crate) not_comparable: Counts,
    pub(crate) in_flight: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Verdicts {
    #[serde(rename = "match")]
    pub(crate) matched: u64,
    pub(crate) explained: u64,
    pub(crate) mismatch: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Decisions {
    pub(crate) allow_allow: u64,
    pub(crate) deny_deny: u64,
    pub(crate) allow_deny: u64,
    pub(crate) deny_allow: u64,
    pub(crate) other: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Sides<T> {
    pub(crate) legacy: T,
    pub(crate) candidate: T,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50_us: u64,
    pub(crate) p95_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) p999_us: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Finding {
    /// What `shadow-proxy diffs show` takes.
    pub(crate) id: i64,
    pub(crate) endpoint: String,
    pub(crate) path: String,
    pub(crate) status: String,
    pub(crate) severity: String,
    pub(crate) count: u64,
    pub(crate) pairs: u64,
    pub(crate) sentence: String,
    /// None when no exchange that shows it was kept: of those that a rule explains, only one in many is.
    pub(crate) curl: Option<String>,
}

/// `address` is HOST:PORT.
pub(crate) fn status(address: &str) -> Result<Status> {
    get(address, "/api/status")
}

pub(crate) fn findings(address: &str) -> Result<Vec<Finding>> {
    get(address, "/api/diffs")
}

impl Requests {
    /// Nothing is on its way any more: every mirrored call has come to an end.
    pub(crate) fn is_drained(&self) -> bool {
        self.serving == 0 && self.in_flight == 0
    }

    /// The equations that do not hold, as sentences; none when the accounts are right.
    pub(crate) fn problems(&self) -> Vec<String> {
        let Requests { received, serving, mirrored, compared, in_flight, .. } = *self;
        let (skipped, dropped) = (total(&self.skipped), total(&self.dropped));
        let not_comparable = total(&self.not_comparable);
        let mut problems = Vec::new();
        if received != mirrored + skipped + dropped + serving {
            problems.push(format!(
                "received {received} is not mirrored {mirrored} + skipped {skipped} + dropped {dropped} + serving {serving}"
            ));
        }
        if mirrored != compared + not_comparable + in_flight {
            problems.push(format!(
                "mirrored {mirrored} is not compared {compared} + not comparable {not_comparable} + in flight {in_flight}"
            ));
        }
        problems
    }
}

pub(crate) fn total(counts: &Counts) -> u64 {
    counts.values().sum()
}

/// One answer over HTTP/1.0: the end of the connection is the end of the body, so nothing needs decoding.
pub(crate) fn get<T: DeserializeOwned>(address: &str, path: &str) -> Result<T> {
    let asked = || -> Result<String> {
        let mut connection = TcpStream::connect(address)?;
        connection.set_read_timeout(Some(ANSWER_WITHIN))?;
        write!(connection, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = asked().with_context(|| format!("the admin port did not answer GET http://{address}{path}"))?;
    parse(&answer).with_context(|| format!("GET http://{address}{path}"))
}

fn parse<T: DeserializeOwned>(answer: &str) -> Result<T> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer ends within its headers")?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        bail!("{status}: {body}");
    }
    serde_json::from_str(body).context("the answer is not what the demo expects; see `admin.rs` in ci/src/demo")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const STATUS: &str = r#"{"phase":"shadow","weight_ppm":0,"requests":{"received":5012,"serving":0,
        "served":{"legacy":5012,"candidate":0},"rescued":0,"mirrored":5000,"skipped":{"body_too_large":8,"upgrade":2},
        "dropped":{"queue_full":2},"compared":4990,"not_comparable":{"candidate_deadline":10},"in_flight":0},
        "verdicts":{"match":990,"explained":3000,"mismatch":1000},
        "decisions":{"allow_allow":2000,"deny_deny":2500,"allow_deny":3,"deny_allow":0,"other":487},
        "latency":{"legacy":{"p50_us":431,"p95_us":1210,"p99_us":12400,"p999_us":30000},
        "candidate":{"p50_us":38,"p95_us":61,"p99_us":140,"p999_us":900}}}"#;

    pub(crate) fn sample() -> Status {
        serde_json::from_str(STATUS).unwrap()
    }

    #[test]
    fn accounts_that_add_up_have_no_problem() {
        assert_eq!(sample().requests.problems(), Vec::<String>::new());
        assert!(sample().requests.is_drained());
    }

    #[test]
    fn a_request_that_went_missing_is_named_with_its_equation() {
        let mut requests = sample().requests;
        requests.received += 1;
        requests.compared -= 1;
        assert_eq!(
            requests.problems(),
            [
                "received 5013 is not mirrored 5000 + skipped 10 + dropped 2 + serving 0",
                "mirrored 5000 is not compared 4989 + not comparable 10 + in flight 0",
            ]
        );
    }

    #[test]
    fn an_answer_is_parsed_and_a_refusal_shown() {
        let good = format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{STATUS}");
        assert_eq!(parse::<Status>(&good).unwrap().requests.received, 5012);
        let refused = parse::<Status>("HTTP/1.0 401 Unauthorized\r\n\r\nno token").unwrap_err();
        assert_eq!(refused.to_string(), "HTTP/1.0 401 Unauthorized: no token");
        assert!(parse::<Status>("HTTP/1.0 200 OK\r\n\r\n{}").is_err());
    }
}
