//! The loop that looks, decides, writes down, and only then sets the weight. What it decides is `step`'s to say.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use serde::Serialize;
use tokio::sync::{oneshot, watch};

use crate::clock::{Rarely, now_ms};
use crate::metrics::Metrics;

use super::gate::Evidence;
use super::history::History;
use super::hooks::Hooks;
use super::journal::{Entry, VERSION};
use super::observed::Observed;
use super::plan::{MINUTE_MS, Plan};
use super::recent::{Rate, Recent};
use super::shared::{Set, Shared};
use super::state::{Phase, State};
use super::step::{Command, Decision, Finding, Input, Verb, step};
use super::watch::Watch;
use super::weight::Weight;

/// All that a controller works with.
pub struct Controller {
    pub plan: Plan,
    pub candidate: String,
    pub shared: Box<dyn Shared>,
    pub weight: Arc<Weight>,
    pub watch: Arc<Watch>,
    pub metrics: Arc<Metrics>,
    pub sources: Sources,
    pub hooks: Hooks,
    pub history: History,
}

/// What has to be asked for.
pub struct Sources {
    /// What the store has at a time.
    pub evidence: Box<dyn FnMut(u64) -> anyhow::Result<Evidence> + Send>,
    /// Whether legacy takes connections; asked only when no traffic says so.
    pub legacy_up: Box<dyn FnMut() -> bool + Send>,
}

/// How others speak with the controller. Cloned for whoever does.
#[derive(Clone)]
pub struct Controls {
    orders: Sender<Order>,
    state: watch::Receiver<State>,
    present: Arc<ArcSwap<Present>>,
}

/// The last look: what was seen, and what was made of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Present {
    pub state: State,
    pub decision: Decision,
    pub input: Input,
}

/// What became of a command.
#[derive(Debug)]
pub enum Answer {
    /// Journalled and in force.
    Done(Box<Entry>),
    Refused(Vec<String>),
    Failed(anyhow::Error),
}

enum Order {
    Command(Command, oneshot::Sender<Answer>),
    Look,
    End,
}

impl Controls {
    /// Waits until the command is journalled and in force, or refused.
    pub async fn command(&self, command: Command) -> Answer {
        let (answer, answered) = oneshot::channel();
        let sent = self.orders.send(Order::Command(command, answer)).is_ok();
        match answered.await {
            Ok(answer) if sent => answer,
            _ => Answer::Failed(anyhow::anyhow!("the proxy is ending; nothing was changed")),
        }
    }

    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub fn present(&self) -> Arc<Present> {
        self.present.load_full()
    }

    pub fn end(&self) {
        // Whoever ended before needs no word.
        let _ = self.orders.send(Order::End);
    }
}

/// Between two looks, when nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// While all traffic is legacy's and nobody wants anything else, the store is read less often.
const EVIDENCE_EVERY: Duration = Duration::from_secs(5);
const PROBE_EVERY: Duration = Duration::from_secs(5);

impl Controller {
    /// Puts the state in force that the journal has, looks once, and goes on on a thread of its own.
    pub fn start(self) -> anyhow::Result<(Controls, JoinHandle<()>)> {
        let (orders, received) = channel();
        let state = self.shared.get();
        self.weight.set(state.weight_ppm);
        let wake = orders.clone();
        self.watch.on_brake(move || drop(wake.send(Order::Look)));
        let mut running = Running::new(self, state);
        running.look(None);
        let controls = Controls { orders, state: running.parts.shared.watch(), present: running.present.clone() };
        let thread = std::thread::Builder::new()
            .name("shift".to_owned())
            .spawn(move || running.run(&received))
            .context("a thread for the controller cannot be started")?;
        Ok((controls, thread))
    }
}

/// A controller with what it remembers between looks.
struct Running {
    parts: Controller,
    state: State,
    present: Arc<ArcSwap<Present>>,
    /// What was seen when the present weight came into force.
    baseline: Observed,
    /// What was seen at this weight before a restart.
    carried: Observed,
    recent: Recent,
    evidence: Evidence,
    evidence_failed: bool,
    evidence_read: Option<Instant>,
    legacy: LegacyState,
    rate: Rate,
    /// In force on the request path, and not yet in the journal.
    unwritten: Option<Command>,
    unwritten_said: Rarely,
}

struct LegacyState {
    is_up: bool,
    legs: (u64, u64),
    probed: Option<Instant>,
}

impl Running {
    fn new(parts: Controller, state: State) -> Running {
        let decision = Decision { finding: Finding::Hold, reasons: Vec::new(), tests: Vec::new(), next: None };
        let input = Input::nothing(0);
        Running {
            baseline: parts.watch.observed(),
            carried: parts.history.since(&state),
            recent: Recent::default(),
            present: Arc::new(ArcSwap::from_pointee(Present { state: state.clone(), decision, input })),
            parts,
            state,
            evidence: Evidence::default(),
            evidence_failed: false,
            evidence_read: None,
            legacy: LegacyState { is_up: true, legs: (0, 0), probed: None },
            rate: Rate::default(),
            unwritten: None,
            unwritten_said: Rarely::every(Duration::from_secs(60)),
        }
    }

    fn run(mut self, orders: &Receiver<Order>) {
        let mut next = Instant::now() + LOOK_EVERY;
        loop {
            match orders.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Order::Command(command, answer)) => {
                    let answered = self.look(Some(command)).unwrap_or_else(|| {
                        Answer::Failed(anyhow::anyhow!(
                            "the controller gave no answer; `shadow-proxy status` says what is"
                        ))
                    });
                    // A client that left has its answer in the journal.
                    let _ = answer.send(answered);
                    continue;
                }
                Ok(Order::Look) | Err(RecvTimeoutError::Timeout) => drop(self.look(None)),
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
            next = Instant::now() + LOOK_EVERY;
        }
    }

    fn end(mut self) {
        let Present { state, input, .. } = &*self.present.load_full();
        self.parts.history.end(now_ms(), &self.parts.watch.observed(), input, state);
        self.parts.hooks.end();
    }

    /// One look, and what follows from it. The answer is for the command, where there is one.
    fn look(&mut self, command: Option<Command>) -> Option<Answer> {
        self.adopt();
        let (is_command, epoch) = (command.is_some(), self.state.epoch);
        let now_ms = now_ms();
        let seen = self.parts.watch.observed();
        let input = self.input(now_ms, &seen, command.or_else(|| self.unwritten.clone()));
        let decision = step(&self.state, &self.parts.plan, &input);
        let answer = match &decision.next {
            None => Answer::Refused(decision.reasons.clone()),
            Some(next) => match self.write(now_ms, &seen, next, &decision, &input) {
                Answer::Done(_) if is_overruled(&decision, &input) => Answer::Refused(decision.reasons.clone()),
                answer => answer,
            },
        };
        self.settle_brake(epoch, &input, &answer);
        self.tell(&decision);
        self.parts.history.add(now_ms, &seen, &input, &self.state);
        self.present.store(Arc::new(Present { state: self.state.clone(), decision, input }));
        is_command.then_some(answer)
    }

    fn input(&mut self, now_ms: u64, seen: &Observed, command: Option<Command>) -> Input {
        let is_moving = self.state.weight_ppm > 0 || self.state.phase == Phase::Ramp || command.is_some();
        self.read_evidence(now_ms, is_moving);
        let total = seen.served_legacy + seen.served_candidate + seen.rescued + seen.unanswered;
        let legs = self.look_at_legacy(is_moving);
        self.rate.add(Instant::now(), total, legs);
        let mut live = seen - &self.baseline;
        live += &self.carried;
        Input {
            live,
            recent: seen - self.recent.begins(now_ms / MINUTE_MS, seen).unwrap_or(&self.baseline),
            evidence: self.evidence.clone(),
            evidence_failed: self.evidence_failed,
            legacy_up: self.legacy.is_up,
            legacy_load: self.rate.legacy_load(),
            requests_per_minute: self.rate.requests_per_minute(),
            braked: self.parts.watch.braked(),
            command,
            ..Input::nothing(now_ms)
        }
    }

    fn read_evidence(&mut self, now_ms: u64, is_moving: bool) {
        if !is_moving && self.evidence_read.is_some_and(|read| read.elapsed() < EVIDENCE_EVERY) {
            return;
        }
        match (self.parts.sources.evidence)(now_ms) {
            Ok(evidence) => (self.evidence, self.evidence_failed) = (evidence, false),
            Err(error) => {
                if !self.evidence_failed {
                    tracing::warn!(error = %format!("{error:#}"), "the store cannot be read; the weight stays as long as that is so");
                }
                self.evidence_failed = true;
            }
        }
        self.evidence_read = Some(Instant::now());
    }

    /// Whether it is up, and how many legs there were since the start. Where traffic says nothing, it is asked.
    fn look_at_legacy(&mut self, is_moving: bool) -> u64 {
        let (answered, failed) = self.parts.watch.legacy_legs();
        let (answered_before, failed_before) = std::mem::replace(&mut self.legacy.legs, (answered, failed));
        let (well, badly) = (answered - answered_before, failed - failed_before);
        let legacy = &mut self.legacy;
        if well + badly > 0 {
            legacy.is_up = well >= badly;
        } else if is_moving && legacy.probed.is_none_or(|probed| probed.elapsed() >= PROBE_EVERY) {
            legacy.is_up = (self.parts.sources.legacy_up)();
            legacy.probed = Some(Instant::now());
        }
        answered + failed
    }

    /// Writes the change down, then puts it in force.
    fn write(&mut self, now_ms: u64, seen: &Observed, next: &State, decision: &Decision, input: &Input) -> Answer {
        let (who, why) = match &input.command {
            Some(command) if !is_overruled(decision, input) => (command.who.clone(), command.why.clone()),
            _ => ("shadow-proxy".to_owned(), decision.reasons.first().cloned().unwrap_or_default()),
        };
        let entry = Entry {
            v: VERSION,
            at_ms: now_ms,
            epoch: next.epoch,
            before: self.state.clone(),
            state: next.clone(),
            who,
            why,
            decision: decision.clone(),
            input: input.clone(),
            plan: self.parts.plan.clone(),
            candidate: self.parts.candidate.clone(),
        };
        match self.parts.shared.compare_and_set(&entry) {
            Ok(Set::Done) => {
                self.unwritten = None;
                // So that what came before this state and what comes after it are lines of their own.
                self.parts.history.end(now_ms, seen, input, &self.state);
                self.put_in_force(next.clone(), seen);
                self.journalled(&entry);
                Answer::Done(Box::new(entry))
            }
            Ok(Set::Overtaken(theirs)) => {
                self.put_in_force(theirs, seen);
                Answer::Refused(vec![
                    "somebody else changed the state at the same moment; look at it and say it again".to_owned(),
                ])
            }
            Err(error) => {
                // Less exposure never waits for the disk.
                if next.weight_ppm < self.state.weight_ppm {
                    self.parts.weight.brake();
                    self.unwritten = input.command.clone();
                }
                if self.unwritten_said.is_due() {
                    tracing::error!(error = %format!("{error:#}"), weight_ppm = self.parts.weight.ppm(), "a decision could not be journalled; a rollback is in force without");
                }
                Answer::Failed(error)
            }
        }
    }

    /// What another replica wrote.
    fn adopt(&mut self) {
        let theirs = self.parts.shared.get();
        if theirs == self.state {
            return;
        }
        // Written after ours was read; or else the place it is kept in fell behind, and nobody knows who is right.
        let next = if theirs.epoch > self.state.epoch { theirs } else { theirs.join(&self.state) };
        let seen = self.parts.watch.observed();
        self.put_in_force(next, &seen);
    }

    fn put_in_force(&mut self, next: State, seen: &Observed) {
        let is_new_weight = (next.weight_ppm, next.since_ms) != (self.state.weight_ppm, self.state.since_ms);
        self.parts.weight.set(next.weight_ppm);
        if is_new_weight {
            self.parts.watch.forget_ids();
            // Who was chosen before the weight came into force says nothing about it; all else counts from the decision
            // on, so that nothing is overlooked.
            let now = self.parts.watch.observed();
            let Observed { ids_legacy, ids_candidate, .. } = now;
            self.baseline = Observed { ids_legacy, ids_candidate, ..seen.clone() };
            self.carried = Observed::default();
            self.recent = Recent::default();
        }
        if next.phase == Phase::ReverseShadow && self.state.phase == Phase::Complete {
            // What legacy answered in between had been sent to it before.
            let Observed { served_legacy, rescued, .. } = self.parts.watch.observed();
            self.baseline = Observed { served_legacy, rescued, ..self.baseline.clone() };
        }
        self.state = next;
    }

    fn journalled(&self, entry: &Entry) {
        let Entry { epoch, before, state, decision, .. } = entry;
        tracing::info!(
            epoch,
            finding = decision.finding.words(),
            from_ppm = before.weight_ppm,
            to_ppm = state.weight_ppm,
            reason = decision.reasons.first().map(String::as_str),
            "the shift goes on"
        );
        self.parts.metrics.shift.decided(decision.finding.words());
        self.parts.hooks.run(entry);
    }

    /// The brake did its work once the journal has what follows. Where nobody else could answer, it is let go: the
    /// candidate is better than nobody.
    fn settle_brake(&mut self, epoch: u64, input: &Input, answer: &Answer) {
        let is_for_nothing = input.braked.is_some() && !input.legacy_up && !matches!(answer, Answer::Failed(_));
        let is_written = self.state.epoch > epoch;
        if is_written && (input.braked.is_some() || self.parts.watch.braked().is_none()) || is_for_nothing {
            self.parts.watch.release();
        }
    }

    fn tell(&self, decision: &Decision) {
        let State { epoch, weight_ppm, step, brake, phase, .. } = &self.state;
        let metrics = &self.parts.metrics;
        metrics.weight_ppm.set(i64::from(*weight_ppm));
        let tests = decision.tests.iter().map(|test| (test.name.as_str(), test.statistic, test.threshold));
        let step = step.map_or(0, |step| step + 1);
        let is_braked = *brake || self.parts.weight.is_braked();
        metrics.shift.looked(decision.finding.words(), phase.name(), (*epoch, step), is_braked, tests);
    }
}

/// Guards go before commands: then it was not the person who decided.
fn is_overruled(decision: &Decision, input: &Input) -> bool {
    let is_command = |command: &Command| command.verb != Verb::Rollback;
    decision.finding == Finding::RollBack && input.command.as_ref().is_some_and(is_command)
}
