//! What people command of targets, and the failures that they and other programs report.
//!
//! Invariant: what holds over restarts of the daemon is written down before it is done. Where the disk takes nothing it is done
//! all the same, and written down as soon as that can be: who stops what fills the disk is not refused for that. Only a drill
//! is, which no daemon would know to end.
//! Invariant: a command that was taken ends with an event that says what came of it, whoever waits for it.
//! Invariant: what is kept stopped is started by a person alone, and has no failure: what was open of it is let go of.

mod allowed;
mod commands;
mod drills;
mod reports;
mod words;

use crate::{
    ports::{
        Boxed, Commands, DrillRequest, OrderStore, RecoveryControl, Refused, ReportRequest,
        Reports, Secrets, TakenCommand, TargetCommand, TargetControl, TargetOperator,
    },
    services::{next_spec::next_spec, shared::Shared},
};
use mainstay_domain::{
    event::Event,
    name::TargetName,
    orders::{DrillOrder, Orders, Reported, StopOrder},
    record::Change,
    spec::Spec,
    timeline::Timeline,
};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A report whose time is over is taken back within this, whatever was done with the wall clock.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Where that cannot be written down it is tried again after this.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// How long the stop waits for that: a disk that does not answer must not hold it up.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What it works with.
pub struct OrderPorts {
    /// The journal, the clock and the config.
    pub shared: Shared,
    /// Does what is commanded.
    pub targets: Arc<dyn TargetControl>,
    /// Breaks targets for a drill, by commands of the config.
    pub commands: Arc<dyn Commands>,
    /// Takes what is reported.
    pub reports: Arc<dyn Reports>,
    /// Gives up what it does for a target that is stopped.
    pub recovery: Arc<dyn RecoveryControl>,
    /// Where orders are written down.
    pub store: Arc<dyn OrderStore>,
    /// What is taken out of the words of people.
    pub secrets: Arc<dyn Secrets>,
}

/// The service; clones are the same.
#[derive(Clone)]
pub struct TargetOrders {
    inner: Arc<Inner>,
}

struct Inner {
    ports: OrderPorts,
    orders: Mutex<Orders>,
    /// What was lived since reports were made. Locked before the orders.
    timeline: Mutex<Timeline>,
    /// Held while orders are changed and written down.
    turn: tokio::sync::Mutex<()>,
    /// What holds is another than what is written down.
    is_unwritten: AtomicBool,
    /// Another report may end first, or something is to be written down.
    reported: Notify,
    /// The drills that the daemon before did not see the end of.
    cut_off: Vec<DrillOrder>,
    /// The daemon ends: drills are not waited for any more.
    ends: CancellationToken,
}

impl TargetOrders {
    /// Goes on with the orders that held when the daemon before ended.
    pub fn new(ports: OrderPorts, orders: Orders) -> Self {
        Self {
            inner: Arc::new(Inner {
                ports,
                cut_off: orders.drills.clone(),
                orders: Mutex::new(orders),
                timeline: Mutex::default(),
                turn: tokio::sync::Mutex::default(),
                is_unwritten: AtomicBool::new(false),
                reported: Notify::new(),
                ends: CancellationToken::new(),
            }),
        }
    }

    /// Lets go of orders about targets that a config takes away, and of reports whose time is over, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        // However this ends.
        let _ends = self.inner.ends.clone().drop_guard();
        self.inner.end_cut_off_drills().await;
        let mut spec = self.inner.ports.shared.spec.clone();
        // While no daemon was there the config may have changed too.
        let present = Arc::clone(&spec.borrow_and_update());
        self.inner.follow(&present).await;
        loop {
            let rest = match self.inner.is_unwritten.load(SeqCst) {
                true => self.inner.rest().min(TRY_AGAIN),
                false => self.inner.rest(),
            };
            tokio::select! { biased;
                () = stop.cancelled() => {
                    let _ = tokio::time::timeout(LAST_WORD, self.inner.write_again()).await;
                    return;
                }
                present = next_spec(&mut spec) => self.inner.follow(&present).await,
                () = self.inner.reported.notified() => {}
                () = tokio::time::sleep(rest) => {
                    self.inner.write_again().await;
                    self.inner.end_overdue().await;
                }
            }
        }
    }
}

impl TargetOperator for TargetOrders {
    fn command(&self, command: TargetCommand) -> Boxed<'_, Result<TakenCommand, Refused>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.take(command).await })
    }

    fn drill(&self, request: DrillRequest) -> Boxed<'_, Result<TakenCommand, Refused>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.drill(request).await })
    }

    fn report(&self, request: ReportRequest) -> Boxed<'_, Result<Reported, Refused>> {
        Box::pin(self.inner.report(request))
    }
}

impl Inner {
    /// Lets go of orders about targets that the config does not have.
    async fn follow(&self, spec: &Spec) {
        let is_there = |target: &TargetName| spec.target(target).is_some();
        let gone: Vec<TargetName> = {
            let orders = self.orders.lock();
            let stopped = orders.stopped.iter().map(|order| &order.target);
            let reported = orders.reported.iter().map(|report| &report.target);
            let gone = stopped.chain(reported).filter(|&target| !is_there(target));
            gone.cloned().collect()
        };
        if gone.is_empty() {
            return;
        }
        for target in &gone {
            self.ports.targets.release(target);
        }
        self.change(|orders| orders.keep_to(is_there)).await;
    }

    async fn forget_stop(&self, target: &TargetName) {
        let is_stopped = {
            let orders = self.orders.lock();
            orders.stopped(target).is_some()
        };
        if is_stopped {
            self.change(|orders| orders.start(target)).await;
        }
    }

    /// Changes what holds, once it is written down or cannot be.
    async fn change(&self, change: impl FnOnce(&mut Orders) + Send) {
        let _turn = self.turn.lock().await;
        let mut orders = self.orders.lock().clone();
        change(&mut orders);
        self.write(&orders).await;
        *self.orders.lock() = orders;
    }

    /// The same, where what holds allows it when its turn comes.
    async fn try_change(
        &self,
        change: impl FnOnce(&mut Orders) -> Result<(), Refused> + Send,
    ) -> Result<(), Refused> {
        let _turn = self.turn.lock().await;
        let mut orders = self.orders.lock().clone();
        change(&mut orders)?;
        self.write(&orders).await;
        *self.orders.lock() = orders;
        Ok(())
    }

    /// The same, where it does not hold unless it is written down.
    async fn try_change_durably(
        &self,
        change: impl FnOnce(&mut Orders) -> Result<(), Refused> + Send,
    ) -> Result<(), Refused> {
        let _turn = self.turn.lock().await;
        let mut orders = self.orders.lock().clone();
        change(&mut orders)?;
        let kept = self.ports.store.keep(orders.clone()).await;
        kept.map_err(|why| {
            Refused(format!(
                "that cannot be written down, so it would not outlive the daemon, and is not done: {why}"
            ))
        })?;
        self.is_unwritten.store(false, SeqCst);
        *self.orders.lock() = orders;
        Ok(())
    }

    /// Writes down what is to hold from now on; where that cannot be it is tried again.
    async fn write(&self, orders: &Orders) {
        match self.ports.store.keep(orders.clone()).await {
            Ok(()) => self.is_unwritten.store(false, SeqCst),
            Err(why) => {
                if !self.is_unwritten.swap(true, SeqCst) {
                    tracing::warn!(%why, "what was ordered is not written down for now: the next daemon would not know it");
                }
                self.reported.notify_one();
            }
        }
    }

    /// Tries once more to write down what holds, where that is to be.
    async fn write_again(&self) {
        if !self.is_unwritten.load(SeqCst) {
            return;
        }
        let _turn = self.turn.lock().await;
        let orders = self.orders.lock().clone();
        if self.ports.store.keep(orders).await.is_ok() {
            self.is_unwritten.store(false, SeqCst);
            tracing::info!("what was ordered is written down");
        }
    }

    /// Puts on record what was done; `what` it is, for the daemon's log where that fails.
    async fn tell(&self, event: Event, what: &str) {
        let target = event.target.clone();
        let told = self
            .ports
            .shared
            .journal
            .commit(vec![Change::Event(event)].into());
        if let Err(error) = told.await {
            let target_name = target.as_ref().map(TargetName::as_str);
            tracing::error!(%error, target_name, "{what} is not on record");
        }
    }

    fn refused_as_unknown(target: &TargetName) -> Refused {
        Refused(format!(
            "there is no target `{target}`; `mainstay status --all` lists all"
        ))
    }

    /// What a stop that is commanded orders.
    fn order_of(&self, command: &TargetCommand) -> StopOrder {
        StopOrder {
            target: command.target.clone(),
            by: command.by.name.clone(),
            note: command.by.note.clone(),
            reason: command.reason.clone(),
            at: self.ports.shared.clock.now(),
        }
    }

    /// Why nothing can be done with what is kept stopped.
    fn refused_as_held(target: &TargetName, words: &str) -> Refused {
        Refused(allowed::kept_stopped(target, words))
    }
}
