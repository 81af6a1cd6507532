//! The bar on stderr: how far the run is, how fast, and whether answers are wrong.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::Progress;
use crate::tally::Tally;

/// A bar of requests where their number is known, else of time.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    planned: Option<u64>,
    time: Duration,
}

impl Bar {
    pub(crate) fn of_requests(progress: Progress, planned: Option<u64>, time: Duration) -> Self {
        let target = draw_target(progress);
        let length = planned.unwrap_or_else(|| milliseconds(time));
        let template = match planned {
            Some(_) => "{wide_bar} {pos}/{len}  {msg}  {eta} left",
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

/// A bar of steps that take about as long each, for what takes minutes.
#[derive(Debug)]
pub(crate) struct Steps(ProgressBar);

impl Steps {
    pub(crate) fn new(progress: Progress, steps: usize) -> Self {
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}  {eta} left");
        let bar = ProgressBar::with_draw_target(Some(steps as u64), draw_target(progress));
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(bar.with_style(style.expect("the template is well formed")))
    }

    /// What is done now.
    pub(crate) fn say(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    pub(crate) fn done(&self) {
        self.0.inc(1);
    }

    /// There are more than was thought.
    pub(crate) fn more(&self, steps: usize) {
        self.0.inc_length(steps as u64);
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn draw_target(progress: Progress) -> ProgressDrawTarget {
    let shown = progress == Progress::Auto && std::io::stderr().is_terminal();
    if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
