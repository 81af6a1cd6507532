//! The bar on stderr: how far the run is, how fast, and whether answers are wrong.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::Progress;
use crate::plan::Plan;
use crate::tally::Tally;

/// A bar of requests where their number is known, else of time.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    planned: Option<u64>,
    time: Duration,
}

impl Bar {
    pub(crate) fn new(plan: &Plan, planned: Option<u64>) -> Self {
        let shown = plan.progress == Progress::Auto && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let time = plan.time.unwrap_or_default();
        let length = planned.unwrap_or_else(|| milliseconds(time));
        let template = match planned {
            Some(_) => "{wide_bar} {pos}/{len}  {msg}",
            None => "{wide_bar} {elapsed}/{prefix}  {msg}",
        };
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        let bar = ProgressBar::with_draw_target(Some(length), target)
            .with_style(style)
            .with_prefix(format!("{}s", time.as_secs()));
        Self { bar, planned, time }
    }

    pub(crate) fn show(&self, elapsed: Duration, tally: &Tally) {
        let requests = tally.requests();
        let done = match self.planned {
            Some(planned) => requests.min(planned),
            None => milliseconds(elapsed.min(self.time)),
        };
        self.bar.set_position(done);
        let rate = requests as f64 / elapsed.as_secs_f64().max(1e-3);
        self.bar.set_message(format!("{rate:.0}/s  {} wrong  {} failed", tally.wrong(), tally.failed()));
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
