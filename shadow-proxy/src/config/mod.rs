//! From TOML and flags to one typed value, before the first socket opens. All that is wrong is said at once.

mod auth;
mod candidate;
mod capture;
mod choice;
mod evidence;
mod hooks;
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

use http::Uri;

use crate::keys::{Introspection, Sources};
use crate::serve::answer::FrontLimits;
use crate::shadow::again::AgainPolicy;
use crate::shadow::capture::CaptureLimits;
use crate::shadow::compare::{COOKIE_TOLERANCE_S, Comparer, DecisionRule, Decisions, RawDecision, Signatures};
use crate::shadow::endpoint::Endpoints;
use crate::shadow::mirror::MirrorLimits;
use crate::shadow::record::StoreLimits;
use crate::shadow::rules::{RawRule, Rules};
use crate::shift::gate;
use crate::side::candidate::Limits;
use crate::side::legacy::LegacyLimits;

use self::candidate::Part;
pub use self::choice::ChoiceConfig;
pub use self::part::{parse_gate, parse_key_files, parse_plan};
use self::reader::Section;
use self::shift::Shift;
use self::stateful::Stateful;

/// Everything `run` needs to know.
pub struct Config {
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    pub admin_token_file: Option<PathBuf>,
    pub data: PathBuf,
    pub threads: usize,
    pub legacy: Uri,
    pub legacy_limits: LegacyLimits,
    pub candidate: CandidateConfig,
    pub candidate_limits: Limits,
    pub candidate_connect: Duration,
    /// Where compiled components are kept, if not where they usually are.
    pub compiled: Option<PathBuf>,
    /// Where the component's keys come from; none: it knows those for development, if any.
    pub auth: Option<Sources>,
    pub connections_max: usize,
    pub idle: Duration,
    pub drain: Duration,
    pub front: FrontLimits,
    pub buffered_bytes_max: usize,
    pub mirror: Option<MirrorLimits>,
    pub stateful: Stateful,
    pub shift: Shift,
    pub store: StoreLimits,
    pub keep_match_every: u64,
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
    let body_bytes_max = limits.number("body_bytes_max", 2 * MEBIBYTE, 0..=1 << 30, "bytes") as usize;
    let body_deadline = limits.millis("body_ms", 30_000);
    let buffered_bytes_max = limits.number("buffered_bytes_max", 256 * MEBIBYTE, 0..=1 << 40, "bytes") as usize;
    limits.close(root);

    let (legacy, legacy_limits) = read_legacy(root, body_bytes_max);
    let Part { candidate, limits: candidate_limits, connect: candidate_connect, compiled } =
        candidate::read(root, body_bytes_max);
    let auth = auth::read(root);
    if auth.is_some() && matches!(candidate, CandidateConfig::Url(_)) {
        root.wrong("auth", "stands beside candidate.url, whose keys are its own", "[candidate] without url");
    }
    let introspection = auth.as_ref().and_then(|auth| auth.introspection.as_ref());
    let issuer = introspection.and_then(|introspection| read_issuer(root, introspection, &candidate_limits));
    for address in [listen, admin].into_iter().flatten() {
        refuse_own(root, address, legacy.as_ref(), Some(&candidate), issuer.as_ref());
    }
    let mirror = read_mirror(root, drain);
    let stateful = stateful::read(root, [legacy_limits.deadline, candidate_limits.deadline]);

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
        legacy_limits,
        candidate,
        candidate_limits,
        candidate_connect,
        compiled,
        auth,
        connections_max,
        idle,
        drain,
        front: FrontLimits { body_bytes_max, body_deadline },
        buffered_bytes_max,
        mirror,
        stateful,
        shift,
        store,
        keep_match_every,
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

fn read_legacy(root: &mut Section, body_bytes_max: usize) -> (Option<Uri>, LegacyLimits) {
    let mut legacy = root.section("legacy");
    let url = legacy.required("url", "\"http://127.0.0.1:3000\"", origin);
    let limits = LegacyLimits {
        connect: legacy.millis("connect_ms", 1_000),
        deadline: legacy.millis("deadline_ms", 30_000),
        idle: legacy.millis("idle_ms", 4_000),
        body_bytes_max,
    };
    legacy.close(root);
    (url, limits)
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
    let words = section.texts("words").unwrap_or_default();
    let rules = Rules::parse(section.tables::<RawRule>("rules", RULE)).unwrap_or_else(|reasons| {
        section.wrong_as(reasons);
        Rules::starter()
    });
    section.close(root);
    Compared { endpoints, comparer: Comparer { rules, decisions, signatures, cookie_tolerance_s }, words }
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
    url.port_u16().unwrap_or(80) == listen.port() && ip.is_some_and(reaches)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "is not an IP address and a port".to_owned())
}

fn origin(text: &str) -> Result<Uri, String> {
    if text.starts_with("https:") {
        return Err("is https, but legacy is asked in plain http; run the proxy behind what ends TLS".to_owned());
    }
    any_origin(text)
}

fn any_origin(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|_| "is not a URL".to_owned())?;
    match (uri.scheme_str(), uri.authority(), uri.path_and_query().map(|path| path.as_str())) {
        (Some("http" | "https"), Some(_), None | Some("/")) => Ok(uri),
        (Some("http" | "https"), Some(_), _) => Err("has a path; requests bring their own".to_owned()),
        _ => Err("is not http://HOST:PORT".to_owned()),
    }
}
