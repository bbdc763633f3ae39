//! What one call has of its own: its limits as they are used up, its effects, its WASI context.
//!
//! Invariant: a store with this state lives for one call; nothing in it but the session outlives the call, and nothing is
//! seen by another.
//! Invariant: CPU time is counted in ticks that find the guest computing; a tick during an effect is not charged. Where the
//! record of a call that is made again is used up, the guest has all of it again.

use crate::{
    call_context::CallContext,
    durable::{self, Random},
    effects::{EffectSession, Purpose, answer_bytes},
    engine::{Engine, Running, Ticks},
    limits::{Exceeded, INSTANCES, Limit, TABLE_ELEMENTS},
    wasi::{CallView, Timers, Wasi},
};
use mainstay_domain::{
    effect::{Answer, Effect, EffectError, EffectResult},
    grant,
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};
use wasmtime::{ResourceLimiter, Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::{WasiCtxView, WasiView};

/// The length of a tick, in which deadlines are counted.
const TICK_MILLIS: u128 = crate::engine::TICK.as_millis();

/// The state of one call's store.
pub(crate) struct CallState {
    pub(crate) context: Arc<CallContext>,
    /// Settled after the call; see [`crate::invoke`].
    pub(crate) session: Box<dyn EffectSession>,
    /// For those that ask the contract for random numbers.
    pub(crate) random: Random,
    wasi: Wasi,
    ticks: Arc<Ticks>,
    /// When the guest last began to compute.
    resumed_at: u64,
    ticks_left: u64,
    effects: u32,
    /// An effect that does not only read was begun, and did something or may have.
    pub(crate) acted: bool,
    memory: usize,
    table_elements: usize,
    _running: Running,
}

impl CallState {
    /// A fresh store for one call, under its limits.
    pub(crate) fn store(
        engine: &Engine,
        context: Arc<CallContext>,
        session: Box<dyn EffectSession>,
    ) -> Store<CallState> {
        let limits = context.call.limits;
        let ticks = engine.ticks().clone();
        let state = CallState {
            random: Random::new(context.call.seed),
            wasi: Wasi::new(context.clone()),
            context,
            session,
            resumed_at: ticks.now(),
            ticks,
            ticks_left: ticks_within(limits.deadline),
            effects: 0,
            acted: false,
            memory: 0,
            table_elements: 0,
            _running: engine.running(),
        };
        let mut store = Store::new(engine.wasmtime(), state);
        store.limiter(|state| state);
        store.epoch_deadline_callback(on_tick);
        store.set_epoch_deadline(1);
        store.set_hostcall_fuel(usize::try_from(limits.result_bytes).unwrap_or(usize::MAX));
        store
    }

    /// Counts an effect, checks it against the grants, and performs it.
    pub(crate) async fn effect(&mut self, effect: Effect) -> wasmtime::Result<EffectResult> {
        self.count_effect()?;
        let call = self.context.call.clone();
        if let Err(denied) = grant::check(
            &call.plugin.name,
            &call.grants,
            &effect,
            call.purpose.own_target(),
        ) {
            return Ok(Err(denied));
        }
        let before = self.acted;
        let slept = match &effect {
            Effect::ClockSleep { length_ms } => Some(*length_ms),
            _ => None,
        };
        // Where the call ends meanwhile nobody knows what it comes to.
        self.acted |= !effect.only_reads();
        let was_replaying = self.session.is_replaying();
        let result = self.session.perform(effect).await;
        let did_not = matches!(
            result,
            Err(EffectError::Denied(_) | EffectError::Unavailable(_) | EffectError::Failed(_))
        );
        if did_not {
            self.acted = before;
        }
        self.compute_on(was_replaying);
        if let Some(halt) = self.session.halted() {
            return Err(wasmtime::Error::new(halt));
        }
        if let (Some(clock), Ok(answer)) = (&self.context.clock, &result) {
            match (answer, slept) {
                (Answer::Now(now), _) => clock.told(*now),
                (_, Some(length_ms)) => clock.slept(length_ms),
                _ => {}
            }
        }
        if let Ok(answer) = &result
            && answer_bytes(answer) as u64 > call.limits.result_bytes
        {
            return Err(Exceeded::new(Limit::Answer, call.limits.result_bytes).into());
        }
        Ok(result)
    }

    /// Waits for a signal to the call's operation. It counts as an effect, and needs no grant.
    pub(crate) async fn await_signal(
        &mut self,
        name: String,
        until: Timestamp,
    ) -> wasmtime::Result<Result<String, EffectError>> {
        self.count_effect()?;
        if let Err(failed) = durable::check_signal(&name) {
            return Ok(Err(failed));
        }
        let was_replaying = self.session.is_replaying();
        let signal = self.session.await_signal(name, until).await;
        self.compute_on(was_replaying);
        if let Some(halt) = self.session.halted() {
            return Err(wasmtime::Error::new(halt));
        }
        let allowed = self.context.call.limits.result_bytes;
        if let Ok(text) = &signal
            && text.len() as u64 > allowed
        {
            return Err(Exceeded::new(Limit::Answer, allowed).into());
        }
        Ok(signal)
    }

    /// The key of something that is done once in the call's operation.
    pub(crate) fn durable_key(&self, name: &str) -> wasmtime::Result<String> {
        match &self.context.call.purpose {
            Purpose::Recover { operation, .. } => Ok(durable::key(operation, name)),
            _ => Err(wasmtime::Error::msg(
                "`durable.key` is there for calls that recover only",
            )),
        }
    }

    /// Counts an effect, before the guest waits for it.
    fn count_effect(&mut self) -> wasmtime::Result<()> {
        self.charge()?;
        let allowed = self.context.call.limits.effects;
        if self.effects >= allowed {
            return Err(Exceeded::new(Limit::Effects, allowed).into());
        }
        self.effects += 1;
        Ok(())
    }

    /// The guest has its answer. What it computed again until its record was used up, it is not charged for.
    fn compute_on(&mut self, was_replaying: bool) {
        self.resumed_at = self.ticks.now();
        if was_replaying && !self.session.is_replaying() {
            self.ticks_left = ticks_within(self.context.call.limits.deadline);
        }
    }

    /// Charges the ticks that passed since the guest began to compute, one at most: where more passed, others ran.
    fn charge(&mut self) -> Result<(), Exceeded> {
        let now = self.ticks.now();
        let ran = u64::from(now > self.resumed_at);
        self.resumed_at = now;
        self.ticks_left = self.ticks_left.saturating_sub(ran);
        match self.ticks_left {
            0 => Err(Exceeded::time(
                Limit::Deadline,
                self.context.call.limits.deadline,
            )),
            _ => Ok(()),
        }
    }
}

/// How many ticks a guest may compute that has so much time.
fn ticks_within(deadline: Duration) -> u64 {
    let ticks = deadline.as_millis().div_ceil(TICK_MILLIS).max(1);
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// A tick found the guest computing: it is charged, and others run before it goes on.
fn on_tick(mut store: StoreContextMut<'_, CallState>) -> wasmtime::Result<UpdateDeadline> {
    store.data_mut().charge()?;
    Ok(UpdateDeadline::Yield(1))
}

impl ResourceLimiter for CallState {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.memory = self.memory.saturating_add(desired.saturating_sub(current));
        let allowed = self.context.call.limits.memory_bytes;
        match self.memory as u64 > allowed {
            true => Err(Exceeded::new(Limit::Memory, allowed).into()),
            false => Ok(true),
        }
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.table_elements = self
            .table_elements
            .saturating_add(desired.saturating_sub(current));
        match self.table_elements > TABLE_ELEMENTS {
            true => Err(Exceeded::new(Limit::Table, TABLE_ELEMENTS).into()),
            false => Ok(true),
        }
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        INSTANCES
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.view()
    }
}

impl CallView for CallState {
    fn timers(&self) -> Timers {
        match &self.context.clock {
            _ if self.context.call.purpose == Purpose::Describe => Timers::Fixed,
            Some(clock) => Timers::Virtual(clock.clone()),
            None => Timers::Real,
        }
    }
}

/// The answer to an effect that the port answered with something of another shape: a fault of the host, which must
/// not take the guest down.
pub(crate) fn wrong_answer(effect: &'static str) -> EffectError {
    EffectError::Failed(format!(
        "the host answered {effect} with something else; this is a fault of the host"
    ))
}
