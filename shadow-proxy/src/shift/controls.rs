//! How others speak with the controller, and what it says of its last look.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use arc_swap::ArcSwap;
use serde::Serialize;
use tokio::sync::{oneshot, watch};

use super::journal::Entry;
use super::state::State;
use super::step::{Command, Decision, Input};

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

pub(super) enum Order {
    Command(Command, oneshot::Sender<Answer>),
    Look,
    End,
}

impl Controls {
    pub(super) fn new(
        orders: Sender<Order>,
        state: watch::Receiver<State>,
        present: Arc<ArcSwap<Present>>,
    ) -> Controls {
        Controls { orders, state, present }
    }

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
