//! From TOML and flags to one typed value, before the first socket opens. All that is wrong is said at once.

mod auth;
mod candidate;
mod capture;
mod choice;
mod evidence;
mod hooks;
mod legacy;
mod lists;
mod part;
mod reader;
#[cfg(test)]
mod reference;
mod shift;
mod stateful;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Uri};

use crate::keys::{Introspection, Sources};
use crate::serve::answer::FrontLimits;
use crate::serve::strict::Tolerated;
use crate::shadow::again::AgainPolicy;
use crate::shadow::capture::CaptureLimits;
use crate::shadow::compare::{COOKIE_TOLERANCE_S, Comparer, DecisionRule, Decisions, RawDecision, Signatures};
use crate::shadow::endpoint::Endpoints;
use crate::shadow::flip::CLOCK_TOLERANCE_MS;
use crate::shadow::mirror::MirrorLimits;
use crate::shadow::record::StoreLimits;
use crate::shadow::rules::{RawRule, Rules};
use crate::shift::gate;
use crate::side::candidate::Limits;
use crate::side::tls::Trust;

use self::candidate::Part;
pub use self::choice::ChoiceConfig;
pub use self::legacy::LegacyConfig;
pub use self::part::{parse_gate, parse_key_files, parse_plan};
use self::reader::Section;
use self::shift::Shift;
pub use self::shift::share;
use self::stateful::Stateful;

/// Everything `run` needs to know.
pub struct Config {
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    pub admin_token_file: Option<PathBuf>,
    pub data: PathBuf,
    pub threads: usize,
    pub legacy: LegacyConfig,
    pub candidate: CandidateConfig,
    pub candidate_trust: Trust,
    pub candidate_limits: Limits,
    pub candidate_connect: Duration,
    /// Where compiled components are kept, if not where they usually are.
    pub compiled: Option<PathBuf>,
    /// Which version of the candidate it is, and the header in which it says so itself.
    pub version: Option<String>,
    pub version_header: Option<HeaderName>,
    /// Where the component's keys come from; none: it knows those for development, if any.
    pub auth: Option<Sources>,
    pub connections_max: usize,
    pub idle: Duration,
    pub drain: Duration,
    pub unread: Duration,
    pub half_closed: Duration,
    pub tolerated: Tolerated,
    pub front: FrontLimits,
    pub buffered_bytes_max: usize,
    pub mirror: Option<MirrorLimits>,
    pub stateful: Stateful,
    pub shift: Shift,
    pub store: StoreLimits,
    pub keep_match_every: u64,
    pub clock_tolerance_ms: u64,
    pub endpoints: Endpoints,
    pub comparer: Comparer,
    pub words: Vec<String>,
    pub again: AgainPolicy,
    pub gate: gate::Policy,
    pub capture: Option<CaptureLimits>,
}

pub enum CandidateConfig {
    /// The auth component inside this binary.
    Built,
    File(PathBuf),
    Url(Uri),
}

impl Config {
    /// Where `run` keeps compiled components.
    pub fn compiled(&self) -> PathBuf {
        self.compiled.clone().unwrap_or_else(|| self.data.join("compiled"))
    }
}

/// Flags, by the key they override.
pub type Overrides = BTreeMap<&'static str, toml::Value>;

const MEBIBYTE: u64 = 1 << 20;

/// Where `serve` would ask, did it ask anybody: the name resolves nowhere (RFC 6761 §6.4).
pub const NO_LEGACY: &str = "http://legacy.invalid";

/// Reads a configuration; flags override the file.
///
/// # Errors
/// One line for each thing wrong: key, value, reason, example.
pub fn parse(toml: &str, flags: &Overrides) -> Result<Config, Vec<String>> {
    let mut table: toml::Table = toml::from_str(toml).map_err(|error| vec![not_toml(&error)])?;
    for (key, value) in flags {
        reader::set(&mut table, key, value.clone());
    }
    let mut root = Section::root(table);
    let config = read(&mut root);
    root.finish()?;
    Ok(config.expect("a required key that is missing is an error"))
}

/// The same for the component alone: whatever the file says about a legacy service does not matter.
pub fn parse_alone(toml: &str) -> Result<Config, Vec<String>> {
    parse(toml, &Overrides::from([("legacy.url", NO_LEGACY.into())]))
}

fn read(root: &mut Section) -> Option<Config> {
    let listen = root.parsed("listen", "127.0.0.1:8080", "\"127.0.0.1:8080\"", address);
    let (admin, admin_token_file) = read_admin(root);
    let data = root.text("data").map_or_else(|| PathBuf::from("shadow-proxy-data"), PathBuf::from);
    let threads = root.number("threads", cores(), 1..=256, "threads") as usize;

    let mut limits = root.section("limits");
    let connections_max = limits.number("connections_max", 16_384, 1..=1_000_000, "connections") as usize;
    let idle = limits.millis("idle_ms", 60_000);
    let drain = limits.millis("drain_ms", 10_000);
    let unread = limits.millis("unread_ms", 30_000);
    let half_closed = limits.millis("half_closed_ms", 5_000);
    let body_bytes_max = limits.number("body_bytes_max", 2 * MEBIBYTE, 0..=1 << 30, "bytes") as usize;
    let body_pause_max = limits.millis("body_ms", 30_000);
    let tunnel_idle = limits.millis("tunnel_idle_ms", 3_600_000);
    let buffered_bytes_max = limits.number("buffered_bytes_max", 256 * MEBIBYTE, 0..=1 << 40, "bytes") as usize;
    limits.close(root);
    let tolerated = read_http(root);

    let (legacy, legacy_deadline) = legacy::read(root, body_bytes_max);
    let Part {
        candidate,
        trust: candidate_trust,
        limits: candidate_limits,
        connect: candidate_connect,
        compiled,
        version,
        version_header,
    } = candidate::read(root, body_bytes_max);
    let auth = auth::read(root);
    if auth.is_some() && matches!(candidate, CandidateConfig::Url(_)) {
        root.wrong("auth", "stands beside candidate.url, whose keys are its own", "[candidate] without url");
    }
    let introspection = auth.as_ref().and_then(|auth| auth.introspection.as_ref());
    let issuer = introspection.and_then(|introspection| read_issuer(root, introspection, &candidate_limits));
    for address in [listen, admin].into_iter().flatten() {
        refuse_own(root, address, legacy.as_ref().map(|legacy| &legacy.url), Some(&candidate), issuer.as_ref());
    }
    let mirror = read_mirror(root, drain);
    let stateful = stateful::read(root, [legacy_deadline, candidate_limits.deadline]);

    let (store, keep_match_every) = read_record(root);
    let compared = read_compare(root);
    let (again, gate) = (evidence::read_noise(root), evidence::read_gate(root));
    let shift = shift::read(root, &gate);
    let capture = capture::read(root, mirror.is_some());
    Some(Config {
        listen: listen?,
        admin: admin?,
        admin_token_file,
        data,
        threads,
        legacy: legacy?,
        candidate,
        candidate_trust,
        candidate_limits,
        candidate_connect,
        compiled,
        version,
        version_header,
        auth,
        connections_max,
        idle,
        drain,
        unread,
        half_closed,
        tolerated,
        front: FrontLimits { body_bytes_max, body_pause_max, tunnel_idle },
        buffered_bytes_max,
        mirror,
        stateful,
        shift,
        store,
        keep_match_every,
        clock_tolerance_ms: compared.clock_tolerance_ms,
        endpoints: compared.endpoints?,
        comparer: compared.comparer,
        words: compared.words,
        again,
        gate,
        capture,
    })
}

fn read_admin(root: &mut Section) -> (Option<SocketAddr>, Option<PathBuf>) {
    let admin = root.parsed("admin", "127.0.0.1:9090", "\"127.0.0.1:9090\"", address);
    let token_file = root.file("admin_token_file");
    if admin.is_some_and(|admin| !admin.ip().is_loopback()) && token_file.is_none() {
        root.wrong(
            "admin",
            "is reachable from other machines and changes the weight, so it needs a token",
            "admin_token_file = \"/run/secrets/admin-token\"",
        );
    }
    (admin, token_file)
}

/// What clients may send although RFC 9112 has it refused.
fn read_http(root: &mut Section) -> Tolerated {
    let mut http = root.section("http");
    let mut tolerated = Tolerated::default();
    let known = |name: &str| {
        let names = Tolerated::NAMES;
        names.contains(&name).then(|| name.to_owned()).ok_or_else(|| format!("is none of {}", names.join(", ")))
    };
    for name in http.list("tolerate", "[\"no_host\"]", known).unwrap_or_default() {
        tolerated.add(&name);
    }
    http.close(root);
    tolerated
}

/// Where it is asked, in time for the component to answer.
fn read_issuer(root: &mut Section, introspection: &Introspection, candidate: &Limits) -> Option<Uri> {
    if introspection.deadline >= candidate.deadline {
        root.wrong(
            "auth.introspection.deadline_ms",
            "is not below candidate.deadline_ms, so that no time is left to answer when the issuer does not",
            "deadline_ms = 500",
        );
    }
    introspection.endpoint.url.parse().ok()
}

fn read_mirror(root: &mut Section, drain: Duration) -> Option<MirrorLimits> {
    let mut mirror = root.section("mirror");
    let enabled = mirror.flag("enabled", true);
    let limits = MirrorLimits {
        queue_max: mirror.number("queue_max", 8_192, 1..=1_000_000, "calls") as usize,
        queue_bytes_max: mirror.number("queue_bytes_max", 64 * MEBIBYTE, 0..=1 << 40, "bytes") as usize,
        concurrency: mirror.number("concurrency", 64, 1..=4_096, "calls") as usize,
        drain,
    };
    mirror.close(root);
    enabled.then_some(limits)
}

fn read_record(root: &mut Section) -> (StoreLimits, u64) {
    let mut record = root.section("record");
    let store = StoreLimits {
        bytes_max: record.number("bytes_max", 256 * MEBIBYTE, MEBIBYTE..=1 << 40, "bytes"),
        age_max: Duration::from_secs(3_600 * record.number("age_hours", 168, 1..=87_600, "hours")),
    };
    let keep_match_every = record.number("keep_match_every", 100, 0..=u64::from(u32::MAX), "exchanges");
    record.close(root);
    (store, keep_match_every)
}

struct Compared {
    endpoints: Option<Endpoints>,
    comparer: Comparer,
    words: Vec<String>,
    clock_tolerance_ms: u64,
}

fn read_compare(root: &mut Section) -> Compared {
    let mut section = root.section("compare");
    let endpoints = match section.texts("endpoints").map(|templates| Endpoints::parse(&templates)) {
        None => Some(Endpoints::default()),
        Some(Ok(endpoints)) => Some(endpoints),
        Some(Err(reasons)) => {
            section.wrong_as(reasons.into_iter().map(|reason| format!("endpoints: {reason}")));
            None
        }
    };
    let decisions = read_decisions(&mut section);
    let signatures = section.optional("jwks", "\"jwks.json\"", |text| Signatures::read(Path::new(text)).map(Arc::new));
    let cookie_tolerance_s = section.number("cookie_tolerance_s", COOKIE_TOLERANCE_S, 0..=3_600, "seconds");
    let clock_tolerance_ms = section.number("clock_tolerance_ms", CLOCK_TOLERANCE_MS, 0..=60_000, "milliseconds");
    let words = section.texts("words").unwrap_or_default();
    let rules = Rules::parse(section.tables::<RawRule>("rules", RULE)).unwrap_or_else(|reasons| {
        section.wrong_as(reasons);
        Rules::starter()
    });
    section.close(root);
    let comparer = Comparer { rules, decisions, signatures, cookie_tolerance_s };
    Compared { endpoints, comparer, words, clock_tolerance_ms }
}

fn read_decisions(section: &mut Section) -> Decisions {
    let defaults = Decisions::default();
    let rules = DecisionRule::parse_all(section.tables::<RawDecision>("decisions", DECISION));
    Decisions {
        rules: rules.unwrap_or_else(|reasons| {
            section.wrong_as(reasons);
            Vec::new()
        }),
        names: section.texts("decision_fields").unwrap_or(defaults.names),
        denies: section.statuses("deny_statuses").unwrap_or(defaults.denies),
        neither: section.texts("decides_nothing").unwrap_or(defaults.neither),
    }
}

const RULE: &str = "a rule has name, path, reason and expires, and where wanted endpoint, explains, places_max and one condition; migration-guide/rules.md has all of them";

const DECISION: &str = "a decision has when and means, and where wanted endpoint; when has status, header or field, and where wanted is or begins, all lists but header and field";

fn not_toml(error: &toml::de::Error) -> String {
    format!("the configuration is not TOML: {}; correct that line first", error.to_string().trim())
}

fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(256) as u64)
}

/// A proxy in front of itself would ask itself until it runs out of connections.
fn refuse_own(
    root: &mut Section,
    address: SocketAddr,
    legacy: Option<&Uri>,
    candidate: Option<&CandidateConfig>,
    issuer: Option<&Uri>,
) {
    let candidate = if let Some(CandidateConfig::Url(url)) = candidate { Some(url) } else { None };
    for (key, url) in [("legacy.url", legacy), ("candidate.url", candidate), ("auth.introspection.url", issuer)] {
        if url.is_some_and(|url| is_own(address, url)) {
            root.wrong(
                key,
                "is this proxy's own address; it would ask itself for ever",
                "url = \"http://127.0.0.1:3000\"",
            );
        }
    }
}

/// Whether a proxy at `listen` would send requests to itself: at port 0 it cannot be known beforehand.
fn is_own(listen: SocketAddr, url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let ip = if host == "localhost" { Some(listen.ip()) } else { host.parse::<IpAddr>().ok() };
    let reaches = |ip: IpAddr| ip == listen.ip() || listen.ip().is_unspecified() && ip.is_loopback();
    let usual = if url.scheme_str() == Some("https") { 443 } else { 80 };
    url.port_u16().unwrap_or(usual) == listen.port() && ip.is_some_and(reaches)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "is not an IP address and a port".to_owned())
}

/// A URL that somebody can be asked by: no port that does not exist, and no user, whom nobody would be told.
fn url(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|_| "is not a URL".to_owned())?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err("has a user or a password in it, which would not be sent; name HOST:PORT alone".to_owned());
    }
    let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.contains(']'));
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Err("has a port that is not a number from 1 to 65535".to_owned());
    }
    Ok(uri)
}
