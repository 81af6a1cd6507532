//! What all connections of one run share. Everything happens on one thread: a `RefCell` is never held across an await.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::check::Known;
use crate::contract::Case;
use crate::tally::{Attempt, Checked, Failure, Tally};

use super::Heard;
use super::connection::{Connection, Prepared, Target};
use super::pacer::{Due, Mix, Pacer};

/// Beyond these a request is not sent: the service is a million behind.
const QUEUE_MAX: usize = 1_000_000;

pub(super) struct Floor {
    target: Target,
    cases: Vec<Case>,
    prepared: Vec<Prepared>,
    known: RefCell<Vec<Known>>,
    tally: RefCell<Tally>,
    start: Cell<Instant>,
    idle: RefCell<Vec<Connection>>,
    /// Due, and no connection was free.
    queue: RefCell<VecDeque<Waiting>>,
    /// Connections that are there or being made.
    open: Cell<usize>,
    open_max: Cell<usize>,
    cap: usize,
    queued_at_cap: Cell<u64>,
    sent: Cell<u64>,
    last_sent: Cell<Duration>,
    /// Sent and not yet ended, by case.
    unanswered: RefCell<Vec<u64>>,
    /// Due and not yet ended.
    in_flight: Cell<usize>,
    in_flight_seconds: Cell<f64>,
    in_flight_since: Cell<Instant>,
    /// No request is due any more.
    done: Cell<bool>,
    stopped: Cell<bool>,
}

#[derive(Clone, Copy)]
struct Waiting {
    due: Due,
    lag: Duration,
}

/// What can be done with a connection after a request.
enum After {
    Ready,
    Closed,
    /// It was closed before, so that the request is still to be sent.
    NotSent,
}

impl Floor {
    pub(super) fn new(target: &Target, cases: &[Case], cap: usize, slice: Duration) -> anyhow::Result<Self> {
        Ok(Self {
            target: target.clone(),
            prepared: cases.iter().map(|case| target.prepare(case)).collect::<anyhow::Result<_>>()?,
            known: RefCell::new(cases.iter().map(|_| Known::default()).collect()),
            tally: RefCell::new(Tally::new(cases.len(), slice)),
            cases: cases.to_vec(),
            start: Cell::new(Instant::now()),
            idle: RefCell::default(),
            queue: RefCell::default(),
            open: Cell::new(0),
            open_max: Cell::new(0),
            cap,
            queued_at_cap: Cell::new(0),
            sent: Cell::new(0),
            last_sent: Cell::new(Duration::ZERO),
            unanswered: RefCell::new(vec![0; cases.len()]),
            in_flight: Cell::new(0),
            in_flight_seconds: Cell::new(0.0),
            in_flight_since: Cell::new(Instant::now()),
            done: Cell::new(false),
            stopped: Cell::new(false),
        })
    }

    /// One that cannot be opened is left out: the first request that wants it will find out why.
    pub(super) async fn open_ahead(&self, connections: usize) {
        for _ in 0..connections {
            if let Ok(connection) = Connection::open(&self.target).await {
                self.opened(1);
                self.idle.borrow_mut().push(connection);
            }
        }
    }

    pub(super) fn start(&self) -> Instant {
        let now = Instant::now();
        self.start.set(now);
        self.in_flight_since.set(now);
        now
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.start.get().elapsed()
    }

    /// Open loop: takes each request when it is due, whatever became of the others.
    pub(super) async fn serve(self: Rc<Self>, mut pacer: Pacer) {
        while let Some(due) = pacer.due.recv().await {
            if self.stopped.get() {
                return;
            }
            let waiting = Waiting { due, lag: self.elapsed().saturating_sub(due.at) };
            match self.take_idle() {
                Some(connection) => {
                    self.flies(1);
                    tokio::task::spawn_local(Rc::clone(&self).drive(connection, waiting));
                }
                None => self.wait(waiting),
            }
        }
        self.done.set(true);
    }

    /// Closed loop: each connection asks again as soon as it has its answer.
    pub(super) fn loop_until(self: &Rc<Self>, time: Duration, mix: Mix) {
        let mix = Rc::new(RefCell::new(mix));
        let connections = std::mem::take(&mut *self.idle.borrow_mut());
        for mut connection in connections {
            let (floor, mix) = (Rc::clone(self), Rc::clone(&mix));
            tokio::task::spawn_local(async move {
                let mut index = 0;
                while floor.elapsed() < time && !floor.stopped.get() {
                    let due = Due { at: floor.elapsed(), case: mix.borrow_mut().case(index) };
                    index += 1;
                    floor.flies(1);
                    match floor.ask(&mut connection, Waiting { due, lag: Duration::ZERO }).await {
                        After::Ready => continue,
                        After::Closed => {}
                        After::NotSent => floor.flies(-1),
                    }
                    match Connection::open(&floor.target).await {
                        Ok(another) => connection = another,
                        Err(_) => return,
                    }
                }
            });
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        loop {
            let connection = self.idle.borrow_mut().pop()?;
            if connection.is_open() {
                return Some(connection);
            }
            self.open.set(self.open.get() - 1);
        }
    }

    fn wait(self: &Rc<Self>, waiting: Waiting) {
        if self.queue.borrow().len() >= QUEUE_MAX {
            return;
        }
        self.flies(1);
        self.queue.borrow_mut().push_back(waiting);
        if self.open.get() < self.cap {
            self.open_another();
        } else {
            self.queued_at_cap.set(self.queued_at_cap.get() + 1);
        }
    }

    fn open_another(self: &Rc<Self>) {
        self.opened(1);
        let floor = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let opened = Connection::open(&floor.target).await;
            let next = floor.queue.borrow_mut().pop_front();
            match (opened, next) {
                (Ok(connection), Some(waiting)) => floor.drive(connection, waiting).await,
                (Ok(connection), None) => floor.idle.borrow_mut().push(connection),
                (Err(failure), next) => {
                    floor.open.set(floor.open.get() - 1);
                    if let Some(waiting) = next {
                        floor.record(waiting, floor.elapsed(), Err(failure));
                    }
                    floor.open_for_those_waiting();
                }
            }
        });
    }

    /// Where nobody else would come for them.
    fn open_for_those_waiting(self: &Rc<Self>) {
        if !self.stopped.get() && !self.queue.borrow().is_empty() && self.open.get() < self.cap {
            self.open_another();
        }
    }

    /// Sends what waits over this connection until nothing does.
    async fn drive(self: Rc<Self>, mut connection: Connection, first: Waiting) {
        let mut next = Some(first);
        while let Some(waiting) = next {
            match self.ask(&mut connection, waiting).await {
                After::Ready => next = self.queue.borrow_mut().pop_front(),
                after => {
                    self.open.set(self.open.get() - 1);
                    if matches!(after, After::NotSent) {
                        self.again(waiting);
                    }
                    return self.open_for_those_waiting();
                }
            }
        }
        self.idle.borrow_mut().push(connection);
    }

    /// Over another connection, unless the run is over.
    fn again(&self, waiting: Waiting) {
        if self.stopped.get() {
            self.flies(-1);
        } else {
            self.queue.borrow_mut().push_front(waiting);
        }
    }

    async fn ask(&self, connection: &mut Connection, waiting: Waiting) -> After {
        let (sent, case) = (self.elapsed(), waiting.due.case);
        self.unanswered.borrow_mut()[case] += 1;
        let answer = connection.ask(&self.prepared[case]).await;
        self.unanswered.borrow_mut()[case] -= 1;
        if matches!(answer, Err(Failure::NotSent)) {
            return After::NotSent;
        }
        let answered = answer.is_ok();
        let result = answer.map(|answer| Checked {
            status: answer.status,
            differences: self.known.borrow_mut()[case].differences(&self.cases[case].accepted, answer),
        });
        self.record(waiting, sent, result);
        if answered && connection.is_ready().await { After::Ready } else { After::Closed }
    }

    fn record(&self, waiting: Waiting, sent: Duration, result: Result<Checked, Failure>) {
        let end = self.elapsed();
        self.sent.set(self.sent.get() + 1);
        self.last_sent.set(self.last_sent.get().max(sent));
        self.flies(-1);
        let Waiting { due: Due { at, case }, lag } = waiting;
        let attempt = Attempt {
            case,
            due: at,
            lag,
            latency: end.saturating_sub(at),
            service: end.saturating_sub(sent),
            end: self.start.get() + end,
            result,
        };
        self.tally.borrow_mut().record(&self.cases[case], &attempt);
    }

    fn opened(&self, more: usize) {
        self.open.set(self.open.get() + more);
        self.open_max.set(self.open_max.get().max(self.open.get()));
    }

    /// So many more are in flight from now on.
    fn flies(&self, more: isize) {
        let now = Instant::now();
        let seconds = now.saturating_duration_since(self.in_flight_since.get()).as_secs_f64();
        self.in_flight_seconds.set(self.in_flight_seconds.get() + seconds * self.in_flight.get() as f64);
        self.in_flight_since.set(now);
        self.in_flight.set(self.in_flight.get().saturating_add_signed(more));
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Everything that was due has ended.
    pub(super) fn is_done(&self) -> bool {
        self.done.get() && self.in_flight.get() == 0
    }

    pub(super) fn with_tally(&self, look: impl FnOnce(&Tally)) {
        look(&self.tally.borrow());
    }

    /// Nothing further is sent; what waits stays unsent.
    pub(super) fn stop(&self) {
        self.stopped.set(true);
        let unsent = self.queue.borrow_mut().drain(..).count();
        self.flies(-(unsent as isize));
    }

    /// Completes what was heard; whoever still has no answer has failed.
    pub(super) fn close(&self, heard: Heard) -> Heard {
        let mut tally = std::mem::replace(&mut *self.tally.borrow_mut(), Tally::new(0, heard.slice));
        let why = if heard.complete { Failure::Timeout } else { Failure::EndedEarly };
        let unanswered = std::mem::take(&mut *self.unanswered.borrow_mut());
        tally.never_answered(&unanswered, why);
        let lasted = tally.end.map_or(Duration::ZERO, |end| end.saturating_duration_since(self.start.get()));
        self.flies(0);
        Heard {
            lasted: lasted.max(heard.plan.min(self.elapsed())),
            last_sent: self.last_sent.get(),
            sent: self.sent.get() + unanswered.iter().sum::<u64>(),
            queued_at_cap: self.queued_at_cap.get(),
            connections: self.open_max.get(),
            in_flight_seconds: self.in_flight_seconds.get(),
            tally,
            ..heard
        }
    }
}
