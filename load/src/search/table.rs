//! What a search found, for people.

use crate::result::search::{Decision, Found, Search, Stage};
use crate::text::{Columns, time};

pub(crate) fn render(search: &Search) -> String {
    let slo = &search.slo;
    let mut text = format!(
        "the highest rate with p99 at most {} from the planned send, errors at most {} %{}\n",
        time(Some(slo.latency_us_p99_max)),
        slo.errors_share_max * 100.0,
        search.head.mark()
    );
    for side in &search.sides {
        text += &format!("\n{}  {}\n", side.side.name, found(side));
        let header = ["stage", "rate", "p50", "p99", "CPU cores", "decision", "", "run"].map(str::to_owned).to_vec();
        let mut probes = Columns::new(header);
        for probe in &side.probes {
            let run = &probe.run;
            let cores = run.resources.as_ref().map(|used| format!("{:.2}", used.cpu_cores)).unwrap_or_default();
            probes.add(vec![
                stage(probe.stage).to_owned(),
                format!("{}/s", probe.rate),
                time(run.latency_us.p50),
                time(run.latency_us.p99),
                cores,
                decision(probe.decision).to_owned(),
                probe.reason.clone(),
                run.validity.verdict.name().to_owned(),
            ]);
        }
        text += &probes.text();
    }
    if !search.head.complete {
        text += "ended early: these figures are of the probes that were run\n";
    }
    text
}

fn found(side: &Found) -> String {
    let Some(rate) = side.rate else { return "no rate kept the objective".to_owned() };
    let sure = if side.confirmed { "confirmed" } else { "NOT CONFIRMED" };
    let limit = if side.limited_by_generator { "; the generator was the limit, so it may be more" } else { "" };
    let cores = side.cpu_cores.map(|cores| format!(" with {cores:.2} cores")).unwrap_or_default();
    let verdict = side.verdict.map(|verdict| verdict.name()).unwrap_or("unknown");
    format!("{}/s{cores}, {sure}, {verdict}{limit} (closed loop: {:.0}/s)", rate.estimate, side.closed_loop_rate)
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Step => "step",
        Stage::Bisect => "bisect",
        Stage::Confirm => "confirm",
    }
}

fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Pass => "pass",
        Decision::Fail => "fail",
        Decision::Undecided => "undecided",
        Decision::Invalid => "invalid",
    }
}
