//! The tables `[noise]` and `[gate]`: how evidence is gathered, and how much of it is enough.

use crate::shadow::again::AgainPolicy;
use crate::shift::gate;

use super::reader::Section;

pub fn read_noise(root: &mut Section) -> AgainPolicy {
    let mut section = root.section("noise");
    let defaults = AgainPolicy::default();
    let again = AgainPolicy {
        share_ppm: section.share_ppm("aa_share", defaults.share_ppm),
        pairs: section.number("aa_pairs", defaults.pairs, 0..=1_000_000, "calls"),
    };
    section.close(root);
    again
}

pub fn read_gate(root: &mut Section) -> gate::Policy {
    let mut section = root.section("gate");
    let defaults = gate::Policy::default();
    let mut ppm = |key, default: u32| section.number(key, u64::from(default), 1..=500_000, "ppm") as u32;
    let mismatch_ppm_max = ppm("mismatch_ppm_max", defaults.mismatch_ppm_max);
    let endpoint_mismatch_ppm_max = ppm("endpoint_mismatch_ppm_max", defaults.endpoint_mismatch_ppm_max);
    let coverage = u64::from(defaults.coverage_percent_min);
    let policy = gate::Policy {
        mismatch_ppm_max,
        endpoint_mismatch_ppm_max,
        coverage_percent_min: section.number("coverage_percent_min", coverage, 0..=100, "percent") as u8,
        endpoint_pairs_min: section.number(
            "endpoint_pairs_min",
            defaults.endpoint_pairs_min,
            0..=1_000_000,
            "requests",
        ),
        alpha: defaults.alpha,
    };
    section.close(root);
    policy
}
