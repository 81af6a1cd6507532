//! How a metric gets its name and its help text.

use std::collections::BTreeMap;

use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Metric, Registry};

use super::{Count, Outcome, Reason};

pub fn named(names: &[&'static str], counts: &[Count]) -> BTreeMap<String, u64> {
    names.iter().zip(counts).map(|(name, count)| ((*name).to_owned(), count.get())).collect()
}

pub fn new<M: Clone + Default + Metric>(r: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    register(r, name, help, &metric);
    metric
}

pub fn reasons<const N: usize>(r: &mut Registry, name: &str, help: &str, reasons: [&'static str; N]) -> [Count; N] {
    let family = Family::<Reason, Count>::default();
    register(r, name, help, &family);
    reasons.map(|reason| family.get_or_create_owned(&Reason { reason }))
}

pub fn outcomes<const N: usize>(r: &mut Registry, name: &str, help: &str, outcomes: [&'static str; N]) -> [Count; N] {
    let family = Family::<Outcome, Count>::default();
    register(r, name, help, &family);
    outcomes.map(|outcome| family.get_or_create_owned(&Outcome { outcome }))
}

pub fn register<M: Clone + Metric>(r: &mut Registry, name: &str, help: &str, metric: &M) {
    r.register(name, help, metric.clone());
}
