//! What was used, for people.

use crate::result::memory::{Figures, Marginal, Memory};
use crate::text::{Columns, bytes};

pub(crate) fn render(memory: &Memory) -> String {
    let short = if memory.head.short { "SHORT: to see that it works, not for a claim\n\n" } else { "" };
    let header = ["", "", "RSS", "peak", "PSS", "USS", "cgroup", "peak", "limit", "processes"];
    let mut rows = Columns::new(header.map(str::to_owned).to_vec());
    for side in &memory.sides {
        let load = format!("at {:.0}/s", side.load.achieved_rate);
        rows.add(row(&side.side.name, "idle", &side.idle));
        rows.add(row("", &load, &side.loaded));
    }
    let mut text = format!("{short}{}\n", rows.text());
    for side in &memory.sides {
        let run = &side.load;
        text += &format!("{}: the run at a rate was {}\n", side.side.name, run.validity.verdict.name());
        if let Some(marginal) = &side.marginal {
            text += &line(&side.side.name, "instances", marginal);
        }
    }
    if let Some(components) = &memory.components {
        text += &line("one host", "components", &components.marginal);
        text += &format!("  {}\n", components.sentence);
    }
    if !memory.head.complete {
        text += "ended early: these figures are of what was run\n";
    }
    text
}

fn row(name: &str, when: &str, figures: &Figures) -> Vec<String> {
    let shown = |figure: Option<u64>| figure.map(|figure| bytes(figure as f64)).unwrap_or_else(|| "-".to_owned());
    vec![
        name.to_owned(),
        when.to_owned(),
        shown(figures.rss_bytes),
        shown(figures.rss_bytes_peak),
        shown(figures.pss_bytes),
        shown(figures.uss_bytes),
        shown(figures.cgroup_bytes),
        shown(figures.cgroup_bytes_peak),
        shown(figures.cgroup_bytes_limit),
        figures.processes.to_string(),
    ]
}

fn line(name: &str, what: &str, marginal: &Marginal) -> String {
    let interval = marginal
        .each_bytes_interval
        .map(|interval| format!(" (95 % interval {} to {})", bytes(interval.low), bytes(interval.high)));
    let last = marginal.points.last().map(|point| point.instances).unwrap_or_default();
    format!(
        "{name}: {} + {} for each of up to {last} {what}{}, PSS\n",
        bytes(marginal.base_bytes),
        bytes(marginal.each_bytes),
        interval.unwrap_or_default()
    )
}
