//! `replay --id N`: the exchange behind one finding, once more. What was redacted is filled with values of the same kind,
//! the same ones each time, or with the real ones where they are given.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Method};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Outcome, sides};
use crate::clock::now_ms;
use crate::config::Config;
use crate::exchange::{Call, Difference, Kind, Side};
use crate::metrics::Metrics;
use crate::shadow::capture::form::Keyed;
use crate::shadow::class::Class;
use crate::shadow::compare::NotComparable;
use crate::shadow::endpoint::METHOD_OF_OTHERS;
use crate::shadow::noise::Place;
use crate::shadow::record::{Sample, Store, StoredFinding};
use crate::shadow::redact::{CLOSE, OPEN, Redactor, ShownCall, ShownDifference};
use crate::shadow::rules::Day;
use crate::side::candidate::{Instances, Moment};

pub struct Options {
    pub id: i64,
    pub data: PathBuf,
    /// Real values by the hash in their stand-in.
    pub secrets: BTreeMap<String, String>,
    pub clock: Option<Duration>,
    pub seed: u64,
    pub json: bool,
}

/// # Errors
/// There is no such finding, its exchange is no longer kept, or a side cannot be made.
pub fn replay(mut config: Config, options: &Options) -> anyhow::Result<Outcome> {
    let finding = Store::open(&options.data)?.finding(options.id)?;
    let finding =
        finding.with_context(|| format!("there is no finding {}; list them with `shadow-proxy diffs`", options.id))?;
    let can_be_sent = |sample: &&Sample| sample.shown.call.method != METHOD_OF_OTHERS;
    let sample = finding
        .samples
        .iter()
        .find(can_be_sent)
        .or(finding.samples.first())
        .context("the exchange of this finding is no longer kept; replay another one of its endpoint")?;
    let mut filling = Filling { secrets: &options.secrets, filled: 0, cut: false };
    let call = filling.call(&sample.shown.call)?;
    let Filling { filled, cut, .. } = filling;
    config.candidate_limits.instances = Instances::Fresh;
    let (sides, _) = sides(&config, &Arc::new(Metrics::default()))?;
    let time = options.clock.unwrap_or(Duration::from_millis(sample.at_ms));
    let moment = Moment { time, seed: options.seed };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (legacy, candidate) = runtime.block_on(async {
        let sides = sides();
        tokio::join!(sides.call(Side::Legacy, &call), super::play::candidate(&sides, &call, moment))
    });
    let endpoint = &finding.place.endpoint;
    let redactor = Redactor::new(&config.words, &config.endpoints)?;
    let compared = config.comparer.compare(&call, &legacy, &candidate, endpoint, Day::of_ms(now_ms()));
    let compared =
        compared.map(|comparison| comparison.differences.iter().map(|found| shown(&redactor, found)).collect());
    let report = Report { finding: &finding, endpoint, compared, filled, cut };
    let code = report.code();
    Ok(Outcome { text: if options.json { format!("{:#}\n", report.json(code)) } else { report.text() }, code })
}

/// Lines `HASH=VALUE`, as in `--secret`.
///
/// # Errors
/// One that is none, by its number: its content is a secret.
pub fn parse_secrets<'a>(lines: impl Iterator<Item = &'a str>) -> anyhow::Result<BTreeMap<String, String>> {
    let mut secrets = BTreeMap::new();
    for (number, line) in (1..).zip(lines) {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            continue;
        }
        let is_hash = |hash: &str| hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        match line.split_once('=') {
            Some((hash, value)) if is_hash(hash) => drop(secrets.insert(hash.to_ascii_lowercase(), value.to_owned())),
            _ => {
                bail!("secret {number} is not HASH=VALUE; write the eight digits of the stand-in, as in 9f2c1ab4=VALUE")
            }
        }
    }
    Ok(secrets)
}

/// Makes a call of what is shown of one.
struct Filling<'a> {
    secrets: &'a BTreeMap<String, String>,
    /// Stand-ins whose value is made up.
    filled: usize,
    /// The body was too long to be kept whole.
    cut: bool,
}

impl Filling<'_> {
    fn call(&mut self, shown: &ShownCall) -> anyhow::Result<Call> {
        let ShownCall { method, path, headers, body } = shown;
        const NOT_SENDABLE: &str = "what is kept of the call cannot be sent; replay another finding";
        ensure!(method != METHOD_OF_OTHERS, "the method of this call was not kept; replay another finding");
        self.cut = body.contains(",…‹") || body.contains("…‹");
        let body = self.text(body);
        let mut filled = http::HeaderMap::new();
        for (name, value) in headers {
            let name = self.text(name).to_ascii_lowercase();
            let name = HeaderName::from_bytes(name.as_bytes()).context(NOT_SENDABLE)?;
            let value = HeaderValue::from_bytes(self.text(value).as_bytes()).context(NOT_SENDABLE)?;
            filled.append(name, value);
        }
        filled.remove(TRANSFER_ENCODING);
        if filled.contains_key(CONTENT_LENGTH) || !body.is_empty() {
            filled.insert(CONTENT_LENGTH, body.len().into());
        }
        let path = self.text(path);
        Ok(Call {
            method: Method::from_bytes(method.as_bytes()).context(NOT_SENDABLE)?,
            uri: path.parse().context(NOT_SENDABLE)?,
            headers: filled,
            body: body.into(),
        })
    }

    fn text(&mut self, shown: &str) -> String {
        let mut filled = String::with_capacity(shown.len());
        let mut rest = shown;
        while let Some((before, stand_in, after)) = next(rest) {
            filled.push_str(before);
            match self.secrets.get(stand_in.hash) {
                Some(secret) => filled.push_str(secret),
                None => {
                    self.filled += 1;
                    filled.push_str(&stand_in.value());
                }
            }
            rest = after;
        }
        filled + rest
    }
}

/// `‹text 24 9f2c1ab4›`
struct StandIn<'a> {
    class: &'a str,
    bytes: usize,
    hash: &'a str,
}

fn next(text: &str) -> Option<(&str, StandIn<'_>, &str)> {
    let (before, rest) = text.split_once(OPEN)?;
    let (inside, after) = rest.split_once(CLOSE)?;
    let mut words = inside.split(' ');
    let (class, bytes, hash) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
    Some((before, StandIn { class, bytes, hash }, after))
}

impl StandIn<'_> {
    /// Of its class and length; of its hash alone, so that it is the same in every replay.
    fn value(&self) -> String {
        let bytes = self.bytes.min(FILLED_BYTES_MAX);
        let pattern = match self.class {
            "number" => "1".repeat(bytes),
            "hex" => "a1".repeat(bytes.div_ceil(2)),
            "uuid" => "00000000-0000-4000-8000-000000000000".to_owned(),
            "date-time" if bytes == 29 => return "Thu, 01 Jan 1970 00:00:00 GMT".to_owned(),
            "date-time" => {
                return "1970-01-01T00:00:00.000000000Z"[..bytes.clamp(10, 19)].to_owned()
                    + if bytes > 19 { "Z" } else { "" };
            }
            "jwt" => return format!("eyJhbGciOiJub25lIn0.e30.{}", "a".repeat(bytes.saturating_sub(24))),
            "base64" => "aA1".repeat(bytes.div_ceil(3)),
            _ => "a".repeat(bytes),
        };
        Keyed::with(&Sha256::digest(self.hash).into()).text(&pattern[..bytes.min(pattern.len())])
    }
}

struct Report<'a> {
    finding: &'a StoredFinding,
    endpoint: &'a str,
    compared: Result<Vec<ShownDifference>, NotComparable>,
    filled: usize,
    cut: bool,
}

impl Report<'_> {
    fn reproduces(&self) -> bool {
        let Ok(differences) = &self.compared else { return false };
        let Place { path, kind, .. } = &self.finding.place;
        let path = without_hashes(path);
        differences.iter().any(|difference| difference.path == path && difference.kind == *kind)
    }

    fn code(&self) -> u8 {
        match &self.compared {
            Err(_) => 2,
            Ok(_) if self.reproduces() => 1,
            Ok(_) => 0,
        }
    }

    fn text(&self) -> String {
        let Report { finding, endpoint, filled, cut, .. } = self;
        let mut text =
            format!("finding {}: {endpoint}, {} ({})\n", finding.id, finding.place.path, word(finding.place.kind));
        match &self.compared {
            Err(reason) => text += &format!("not comparable: {}\n", reason.0),
            Ok(differences) => {
                text.extend(differences.iter().map(|difference| format!("  {}\n", said(difference))));
                text += match (self.reproduces(), differences.is_empty()) {
                    (true, _) => "it reproduces\n",
                    (false, true) => "it does not reproduce: both answer the same\n",
                    (false, false) => "it does not reproduce; the answers differ otherwise\n",
                };
            }
        }
        if *filled > 0 {
            text += &format!("{filled} redacted values were made up; give real ones with --secret 'HASH=VALUE'\n");
        }
        if *cut {
            text += "the body was too long to be kept whole\n";
        }
        text
    }

    fn json(&self, code: u8) -> serde_json::Value {
        let differences: Option<Vec<_>> = self.compared.as_ref().ok().map(|differences| {
            let of = |difference: &ShownDifference| {
                let ShownDifference { path, kind, rule, .. } = difference;
                json!({"path": path, "kind": kind, "rule": rule, "said": said(difference)})
            };
            differences.iter().map(of).collect()
        });
        json!({
            "id": self.finding.id,
            "endpoint": self.endpoint,
            "path": self.finding.place.path,
            "kind": self.finding.place.kind,
            "not_comparable": self.compared.as_ref().err().map(|reason| reason.0),
            "differences": differences,
            "reproduces": self.reproduces(),
            "made_up": self.filled,
            "body_cut": self.cut,
            "exit_code": code,
        })
    }
}

/// Without a value or a name that could be a secret, and the same each time.
fn shown(redactor: &Redactor, difference: &Difference) -> ShownDifference {
    let shown = match difference.path.as_str() {
        "status" => redactor.difference(difference),
        _ => redactor.outline(difference),
    };
    ShownDifference { path: without_hashes(&shown.path), ..shown }
}

/// A name that is not shown has another hash in each process.
fn without_hashes(path: &str) -> String {
    let (mut text, mut rest) = (String::with_capacity(path.len()), path);
    while let Some((before, StandIn { class, bytes, .. }, after)) = next(rest) {
        text += &format!("{before}{OPEN}{class} {bytes}{CLOSE}");
        rest = after;
    }
    text + rest
}

fn said(difference: &ShownDifference) -> String {
    let ShownDifference { path, kind, legacy, candidate, classes, rule } = difference;
    let side = |value: &Option<String>, class: Option<Class>| match (value, class) {
        (Some(value), _) => value.clone(),
        (None, Some(class)) => class.name().to_owned(),
        (None, None) => "nothing".to_owned(),
    };
    let (before, after) = (side(legacy, classes.0), side(candidate, classes.1));
    let rule = rule.as_deref().map(|rule| format!(", explained by {rule}")).unwrap_or_default();
    format!("{path} ({}): legacy {before}, the candidate {after}{rule}", word(*kind))
}

fn word(kind: Kind) -> String {
    serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A stand-in says how long its content was, and not everybody who writes one is this program.
const FILLED_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_redacted_is_filled_with_its_like() {
        let secrets = parse_secrets(["0000000a=real", "", "0000000B=a=b"].into_iter()).unwrap();
        let mut filling = Filling { secrets: &secrets, filled: 0, cut: false };
        let filled = filling.text("Bearer ‹text 4 0000000a› ‹number 3 00000001›,‹uuid 36 00000002›,‹text 4 0000000b›");
        let (start, rest) = filled.split_once(' ').unwrap();
        assert_eq!((start, &rest[..5]), ("Bearer", "real "));
        let parts: Vec<&str> = rest[5..].split(',').collect();
        assert!(parts[0].parse::<u16>().is_ok_and(|number| number >= 100), "{filled}");
        assert_eq!((Class::of(parts[1].as_bytes()), parts[2]), (Class::Uuid, "a=b"));
        assert_eq!(filling.filled, 2);
        for (class, bytes) in
            [("hex", 12), ("base64", 44), ("jwt", 90), ("date-time", 24), ("date-time", 29), ("bytes", 3)]
        {
            let stand_in = StandIn { class, bytes, hash: "00000003" };
            assert_eq!(stand_in.value(), stand_in.value());
            let found = Class::of(stand_in.value().as_bytes()).name();
            assert!(found == class || class == "bytes", "{class}: {}", stand_in.value());
        }
        for bad in ["real", "0a=1", "zzzzzzzz=1"] {
            assert!(parse_secrets([bad].into_iter()).is_err());
        }
    }
}
