//! Who is told of a decision: commands, and services. On a thread of their own, so that nothing waits for them.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::metrics::Metrics;

use super::journal::Entry;
use super::step::Finding;

#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// The findings it is told of.
    pub on: Vec<Finding>,
    pub told: Told,
    pub timeout: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A program with its arguments; the decision is on its standard input.
    Command(Vec<String>),
    /// A URL; the decision is the body of a `POST`.
    Url(String),
}

/// Decisions that wait for hooks; a hook that hangs must not fill the memory.
const WAITING_MAX: usize = 64;

pub struct Hooks {
    sender: Option<SyncSender<(Finding, Arc<str>)>>,
    thread: Option<std::thread::JoinHandle<()>>,
    metrics: Arc<Metrics>,
}

impl Hooks {
    pub fn start(hooks: Vec<Hook>, metrics: Arc<Metrics>) -> anyhow::Result<Hooks> {
        if hooks.is_empty() {
            return Ok(Hooks { sender: None, thread: None, metrics });
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let worker = Worker { hooks, client, metrics: metrics.clone() };
        let thread = std::thread::Builder::new()
            .name("hooks".to_owned())
            .spawn(move || runtime.block_on(worker.work(receiver)))?;
        Ok(Hooks { sender: Some(sender), thread: Some(thread), metrics })
    }

    /// Never waits.
    pub(super) fn run(&self, entry: &Entry) {
        let Some(sender) = &self.sender else { return };
        let decision: Arc<str> = told(entry).to_string().into();
        if sender.try_send((entry.decision.finding, decision)).is_err() {
            self.metrics.shift.hooks_failed.inc();
            tracing::warn!(epoch = entry.epoch, "too many decisions wait for hooks; this one is not told");
        }
    }

    /// What waits is still told, each hook within its timeout.
    pub(super) fn end(mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// The decision, without all that led to it: that is what `shift explain` is for.
fn told(entry: &Entry) -> serde_json::Value {
    let Entry { at_ms, epoch, before, state, who, why, decision, .. } = entry;
    json!({
        "at_ms": at_ms,
        "epoch": epoch,
        "finding": decision.finding,
        "reasons": decision.reasons,
        "tests": decision.tests,
        "before": before,
        "state": state,
        "who": who,
        "why": why,
    })
}

struct Worker {
    hooks: Vec<Hook>,
    client: reqwest::Client,
    metrics: Arc<Metrics>,
}

impl Worker {
    async fn work(self, decisions: Receiver<(Finding, Arc<str>)>) {
        for (finding, decision) in decisions {
            for hook in self.hooks.iter().filter(|hook| hook.on.contains(&finding)) {
                let run = tokio::time::timeout(hook.timeout, self.tell(hook, &decision)).await;
                let run = run.unwrap_or_else(|_| Err(anyhow::anyhow!("not done within {:?}", hook.timeout)));
                self.metrics.shift.hooks.inc();
                if let Err(error) = run {
                    self.metrics.shift.hooks_failed.inc();
                    tracing::warn!(hook = name(hook), error = %format!("{error:#}"), "a hook failed");
                }
            }
        }
    }

    async fn tell(&self, hook: &Hook, decision: &str) -> anyhow::Result<()> {
        match &hook.told {
            Told::Command(words) => call(words, decision).await,
            Told::Url(url) => {
                let request = self.client.post(url).header("content-type", "application/json");
                // The error would name the URL, which may carry a token.
                let response = request.body(decision.to_owned()).send().await.map_err(reqwest::Error::without_url)?;
                ensure!(response.status().is_success(), "answered {}", response.status());
                Ok(())
            }
        }
    }
}

async fn call(words: &[String], decision: &str) -> anyhow::Result<()> {
    let (program, arguments) = words.split_first().context("a command has a program")?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input is none the worse for it.
        let _ = stdin.write_all(decision.as_bytes()).await;
        let _ = stdin.write_all(b"\n").await;
    }
    let status = child.wait().await?;
    ensure!(status.success(), "ended with {status}");
    Ok(())
}

/// Without the arguments or the path, which may carry a token.
fn name(hook: &Hook) -> &str {
    match &hook.told {
        Told::Command(words) => words.first().map_or("", String::as_str),
        Told::Url(url) => {
            url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '@']).next()).unwrap_or("url")
        }
    }
}
