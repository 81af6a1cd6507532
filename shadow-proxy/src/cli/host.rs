//! `shadow-proxy host`: one JSON line for each thing measured. Hidden, because it is for `cargo load`.

use clap::{ArgGroup, Args};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde_json::json;

use crate::config;
use crate::exchange::Call;
use crate::run;
use crate::side::candidate::measure;

#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true))]
pub(super) struct Host {
    /// Instantiate so many times in a warm host, and ask each instance once
    #[arg(long, value_name = "N", group = "what")]
    instances: Option<u32>,
    /// Hold so many components at the same time
    #[arg(long, value_name = "N", group = "what", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    components: Option<u32>,
}

pub(super) fn main(host: &Host) -> anyhow::Result<String> {
    let config = config::parse_alone("").map_err(|errors| anyhow::anyhow!(errors.join("; ")))?;
    let (component, limits) = (run::built_component(&config)?, config.candidate_limits.clone());
    let mut lines = Vec::new();
    if let Some(count) = host.instances {
        for start in measure::starts(component, limits.clone(), &asked(), count).map_err(run::said)? {
            let us = |time: std::time::Duration| time.as_secs_f64() * 1e6;
            lines.push(json!({"instantiated_us": us(start.instantiated), "answered_us": us(start.answered)}));
        }
    }
    if let Some(count) = host.components {
        let look = |number: u32| {
            if number == 0 || number == count || number.is_power_of_two() {
                lines.push(json!({"components": number, "memory": memory()}));
            }
        };
        let cache = run::kept(&config);
        let first =
            measure::components(component, limits, &asked(), cache.as_deref(), count, look).map_err(run::said)?;
        lines.push(json!({"first_load_seconds": first.as_secs_f64()}));
    }
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

/// A good key of the development set.
fn asked() -> Call {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer key_123"));
    Call { method: Method::POST, uri: Uri::from_static("/auth/validate"), headers, body: bytes::Bytes::new() }
}

/// Of this process, as proc(5) has it: name -> bytes.
fn memory() -> serde_json::Map<String, serde_json::Value> {
    let files =
        ["/proc/self/status", "/proc/self/smaps_rollup"].map(|file| std::fs::read_to_string(file).unwrap_or_default());
    let names = ["VmRSS", "Pss", "Private_Clean", "Private_Dirty"];
    let lines = files.iter().flat_map(|file| file.lines()).filter_map(|line| line.split_once(':'));
    let known = lines.filter(|(name, _)| names.contains(name));
    let bytes = known.filter_map(|(name, value)| {
        let kb: u64 = value.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some((name.to_owned(), (kb * 1_024).into()))
    });
    bytes.collect()
}
