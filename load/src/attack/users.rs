//! Closed loop by goose: its users take turns, send the case they were dealt, read the answer to its end and check it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::prelude::*;
use reqwest::{Client, Request};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Barrier;

use crate::check::{self, Answer};
use crate::contract::Case;
use crate::deck::Deck;
use crate::engine::{self, Heard};
use crate::environment::cpus_allowed;
use crate::measure::{self, Eye, Measured, Setting};
use crate::plan::Plan;
use crate::progress::Bar;
use crate::result::attack::{self, Load};
use crate::tally::{Attempt, Checked, Failure, Tally};

use super::turns::{End, Turns};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const BODY_BYTES_MAX: usize = 16 << 20;
/// How long answers are still waited for when the run is ended early.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
const WATCH_EVERY: Duration = Duration::from_millis(100);
/// All users are there within a second, and wait for each other before the first request.
const USERS_STARTED_PER_SECOND: &str = "1000";
/// Without a plan there is nothing to slice.
const SLICE: Duration = Duration::MAX;

pub(crate) struct Users<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) users: usize,
    pub(crate) setting: &'a Setting,
}

impl Users<'_> {
    pub(crate) fn run(&self) -> anyhow::Result<attack::Run> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("cannot start the threads that send; allow this process more of them")?;
        let eye = Eye::open(self.setting.watched.as_ref())?;
        let heard = runtime.block_on(self.attack())?;
        let load = Load::Users { users: self.users };
        let cases = &self.plan.cases;
        let cores_max = cpus_allowed().len().max(1) as f64;
        let measured = Measured { load, rate_planned: None, cases, heard, used: eye.close(), cores_max };
        Ok(measure::assemble(measured, self.setting))
    }

    async fn attack(&self) -> anyhow::Result<Heard> {
        let plan = self.plan;
        let run = Arc::new(Run::new(plan, self.users)?);
        let (started_at, cpu_before) = (SystemTime::now(), engine::cpu());
        let bar = Bar::of_requests(plan.progress, plan.requests, plan.time.unwrap_or_default());
        let watch = tokio::spawn(watch(Arc::clone(&run), bar));
        let ran = goose(plan, self.users, &run)?.execute().await;
        // goose may be done with a Ctrl-C before the watch has seen it.
        if goose::is_killswitch_triggered() {
            run.turns.stop();
        }
        watch.abort();
        // The bar is taken away with the task, and must be gone before anything is printed.
        let _ = watch.await;
        ran.map_err(|error| anyhow::anyhow!("{error}")).context("goose could not run; correct what it names")?;

        let tally = std::mem::replace(&mut *run.tally(), Tally::new(0, SLICE));
        let lasted = run.turns.start().zip(tally.end).map(|(start, end)| end.saturating_duration_since(start));
        Ok(Heard {
            started_at,
            lasted: lasted.unwrap_or_default(),
            sent: tally.requests(),
            connections: self.users,
            in_flight_seconds: tally.latency().sum().as_secs_f64(),
            generator_cpu: engine::cpu().saturating_sub(cpu_before),
            complete: !run.turns.stopped(),
            ..Heard::of_nothing(tally, SLICE)
        })
    }
}

/// What all users of the run share.
struct Run {
    turns: Turns,
    cases: Vec<Case>,
    /// The prepared request of each case.
    requests: Vec<Request>,
    client: Client,
    tally: Mutex<Tally>,
    all_users: Barrier,
}

impl Run {
    fn new(plan: &Plan, users: usize) -> anyhow::Result<Self> {
        let weights: Vec<u32> = plan.cases.iter().map(|case| case.weight).collect();
        let end = End { requests: plan.requests, time: plan.time };
        Ok(Self {
            turns: Turns::new(end, Deck::new(&weights, plan.seed)),
            cases: plan.cases.clone(),
            requests: plan.cases.iter().map(|case| prepare(plan, case)).collect::<anyhow::Result<_>>()?,
            client: client(users).context("cannot make an HTTP client; check the system's certificates")?,
            tally: Mutex::new(Tally::new(plan.cases.len(), SLICE)),
            all_users: Barrier::new(users),
        })
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn prepare(plan: &Plan, case: &Case) -> anyhow::Result<Request> {
    let url = format!("{}{}", plan.origin(), case.request.path)
        .parse()
        .with_context(|| format!("case {}: its path cannot be sent; correct it", case.name))?;
    let mut request = Request::new(case.request.method.clone(), url);
    *request.headers_mut() = case.request.headers.clone();
    *request.body_mut() = case.request.body.clone().map(reqwest::Body::from);
    Ok(request)
}

/// One pool for all users. What the service answers is what is checked: nothing is followed, unpacked or remembered.
fn client(users: usize) -> reqwest::Result<Client> {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .no_proxy()
        .http1_only()
        .pool_max_idle_per_host(users)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .build()
}

/// One scenario whose only transaction sends whichever case was dealt: goose's own weights would make the mix right
/// on average only, and for each user by itself. Neither a run time nor a throttle of goose's is used, the first
/// counts in half seconds and the second delivers a tenth less than asked: the turns say when it is over.
fn goose(plan: &Plan, users: usize, run: &Arc<Run>) -> anyhow::Result<GooseAttack> {
    let mut configuration = GooseConfiguration::default();
    configuration.users = Some(users);
    configuration.increase_rate = Some(USERS_STARTED_PER_SECOND.to_owned());
    configuration.quiet = 1;
    configuration.no_print_metrics = true;
    configuration.no_telnet = true;
    configuration.co_mitigation = Some(GooseCoordinatedOmissionMitigation::Disabled);
    let scenario = scenario!("contract")
        .set_host(&plan.origin())
        .register_transaction(transaction(run, |run, user| Box::pin(arrive(run, user))).set_on_start())
        .register_transaction(transaction(run, |run, user| Box::pin(take_a_turn(run, user))).set_name("case"));
    Ok(GooseAttack::initialize_with_config(configuration)?
        // Only so that goose does not make a client for each user, which they would not use.
        .set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies())?
        .register_scenario(scenario))
}

type Step<'user> = std::pin::Pin<Box<dyn Future<Output = TransactionResult> + Send + 'user>>;

fn transaction(run: &Arc<Run>, step: for<'user> fn(Arc<Run>, &'user mut GooseUser) -> Step<'user>) -> Transaction {
    let run = Arc::clone(run);
    let function: TransactionFunction = Arc::new(move |user| step(Arc::clone(&run), user));
    Transaction::new(function)
}

async fn arrive(run: Arc<Run>, user: &mut GooseUser) -> TransactionResult {
    user.client = run.client.clone();
    tokio::select! {
        _ = run.all_users.wait() => run.turns.begin(),
        () = run.turns.ended_early() => {}
    }
    Ok(())
}

async fn take_a_turn(run: Arc<Run>, user: &mut GooseUser) -> TransactionResult {
    let Some(index) = run.turns.next() else {
        // goose ends a user that has run as often as its own configuration says, and the run with the last user.
        user.config.iterations = Some(1);
        return Ok(());
    };
    let case = &run.cases[index];
    let request = run.requests[index].try_clone().expect("a body in memory can be cloned");
    let sent = Instant::now();
    let answer = tokio::select! {
        answer = ask(&user.client, request) => answer,
        failure = give_up(&run.turns) => Err(failure),
    };
    let end = Instant::now();
    let result = answer
        .map(|answer| Checked { status: answer.status, differences: check::differences(&case.accepted, &answer) });
    let time = end - sent;
    let (due, lag) = (Duration::ZERO, Duration::ZERO);
    let attempt = Attempt { case: index, due, lag, latency: time, service: time, end, result };
    run.tally().record(case, &attempt);
    report(user, case, &attempt).await
}

async fn ask(client: &Client, request: Request) -> Result<Answer, Failure> {
    let mut response = client.execute(request).await.map_err(failure)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(Failure::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status: response.status().as_u16(),
        headers: std::mem::take(response.headers_mut()),
        body: body.into(),
    })
}

fn failure(error: reqwest::Error) -> Failure {
    if error.is_timeout() {
        Failure::Timeout
    } else if error.is_connect() {
        Failure::Connect
    } else {
        Failure::Broken
    }
}

async fn give_up(turns: &Turns) -> Failure {
    turns.ended_early().await;
    tokio::time::sleep(LAST_ANSWERS).await;
    Failure::EndedEarly
}

/// goose's own books, for its reports and thresholds. The JSON is made from ours: goose clears its books when the
/// last user has started, and its times are less exact. The texts are few, because goose keeps a count of each.
async fn report(user: &mut GooseUser, case: &Case, attempt: &Attempt) -> TransactionResult {
    let (status, problem) = match &attempt.result {
        Ok(Checked { status, differences }) => (Some(*status), (!differences.is_empty()).then_some("wrong answer")),
        Err(failure) => (None, Some(failure.reason())),
    };
    let method = case.request.method.as_str();
    user.record_custom_request_duration(method, &case.name, attempt.latency, problem.is_none(), status, problem).await
}

/// Moves the bar, and ends the run when it should end early: goose's switch is thrown by Ctrl-C, and here by SIGTERM.
async fn watch(run: Arc<Run>, bar: Bar) {
    let bar = ClearedOnDrop(bar);
    let mut tick = tokio::time::interval(WATCH_EVERY);
    let mut terminate = signal(SignalKind::terminate()).ok();
    loop {
        let terminated = async {
            match &mut terminate {
                Some(terminate) => terminate.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = tick.tick() => {}
            _ = terminated => goose::trigger_killswitch("SIGTERM"),
        }
        if goose::is_killswitch_triggered() {
            run.turns.stop();
        }
        if let Some(start) = run.turns.start() {
            bar.0.show(start.elapsed(), &run.tally());
        }
    }
}

struct ClearedOnDrop(Bar);

impl Drop for ClearedOnDrop {
    fn drop(&mut self) {
        self.0.clear();
    }
}
