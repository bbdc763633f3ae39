//! What one call has of its own: its limits as they are used up, its effects, its WASI context.
//!
//! Invariant: a store with this state lives for one call; nothing in it outlives the call or is seen by another.
//! Invariant: CPU time is counted in ticks that find the guest computing; a tick during an effect is not charged.

use crate::{
    effects::{Call, EffectPort, LogLine, LogSource, answer_bytes},
    engine::{Engine, Running, Ticks},
    limits::{Exceeded, INSTANCES, LOG_BYTES, LOG_LINE_BYTES, Limit, TABLE_ELEMENTS},
    wasi::Wasi,
};
use mainstay_domain::{
    effect::{Effect, EffectError, EffectResult},
    grant,
};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};
use wasmtime::{ResourceLimiter, Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::{WasiCtxView, WasiView};

/// How much of standard error is kept to explain a trap, bytes.
const LAST_WORDS: usize = 400;
/// The length of a tick, in which deadlines are counted.
const TICK_MILLIS: u128 = crate::engine::TICK.as_millis();

/// A call and where its effects and log lines go; shared with the pipes of standard output.
pub(crate) struct CallContext {
    pub(crate) call: Call,
    pub(crate) settings: Arc<str>,
    port: Arc<dyn EffectPort>,
    log_lines: AtomicU32,
    log_bytes: AtomicU64,
    last_words: Mutex<String>,
}

impl CallContext {
    pub(crate) fn new(call: Call, settings: Arc<str>, port: Arc<dyn EffectPort>) -> Arc<Self> {
        Arc::new(Self {
            call,
            settings,
            port,
            log_lines: AtomicU32::new(0),
            log_bytes: AtomicU64::new(0),
            last_words: Mutex::default(),
        })
    }

    /// Counts a log line and hands it on.
    pub(crate) fn log(&self, mut line: LogLine) -> Result<(), Exceeded> {
        let allowed = self.call.limits.log_lines;
        if self.log_lines.fetch_add(1, Relaxed) >= allowed {
            return Err(Exceeded::new(Limit::LogLines, allowed));
        }
        let fields = line
            .fields
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let bytes = line.message.len() + fields.sum::<usize>();
        let before = self.log_bytes.fetch_add(bytes as u64, Relaxed);
        if before.saturating_add(bytes as u64) > LOG_BYTES {
            return Err(Exceeded::new(Limit::LogBytes, LOG_BYTES));
        }
        if line.message.len() > LOG_LINE_BYTES {
            line.message
                .truncate(line.message.floor_char_boundary(LOG_LINE_BYTES));
            line.message.push('…');
        }
        if line.source == LogSource::Stderr {
            self.keep_last_words(&line.message);
        }
        self.port.log(&self.call, line);
        Ok(())
    }

    /// What the guest last wrote to standard error, one line: where it panicked, this says why.
    pub(crate) fn last_words(&self) -> String {
        self.last_words
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn keep_last_words(&self, line: &str) {
        if line.starts_with("note: run with") {
            return;
        }
        let mut words = self
            .last_words
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(line);
        let excess = words.len().saturating_sub(LAST_WORDS);
        let cut = words.ceil_char_boundary(excess);
        words.drain(..cut);
    }
}

/// The state of one call's store.
pub(crate) struct CallState {
    pub(crate) context: Arc<CallContext>,
    wasi: Wasi,
    ticks: Arc<Ticks>,
    /// When the guest last began to compute.
    resumed_at: u64,
    ticks_left: u64,
    effects: u32,
    memory: usize,
    table_elements: usize,
    _running: Running,
}

impl CallState {
    /// A fresh store for one call, under its limits.
    pub(crate) fn store(engine: &Engine, context: Arc<CallContext>) -> Store<CallState> {
        let limits = context.call.limits;
        let ticks = engine.ticks().clone();
        let deadline = limits.deadline.as_millis().div_ceil(TICK_MILLIS).max(1);
        let state = CallState {
            wasi: Wasi::new(context.clone()),
            context,
            resumed_at: ticks.now(),
            ticks,
            ticks_left: u64::try_from(deadline).unwrap_or(u64::MAX),
            effects: 0,
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
        self.charge()?;
        let context = self.context.clone();
        let call = &context.call;
        if self.effects >= call.limits.effects {
            return Err(Exceeded::new(Limit::Effects, call.limits.effects).into());
        }
        self.effects += 1;
        if let Err(denied) = grant::check(
            &call.plugin.name,
            &call.grants,
            &effect,
            call.purpose.own_target(),
        ) {
            return Ok(Err(denied));
        }
        let result = context.port.perform(call, effect).await;
        self.resumed_at = self.ticks.now();
        if let Ok(answer) = &result
            && answer_bytes(answer) as u64 > call.limits.result_bytes
        {
            return Err(Exceeded::new(Limit::Answer, call.limits.result_bytes).into());
        }
        Ok(result)
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

/// The answer to an effect that the port answered with something of another shape: a fault of the host, which must
/// not take the guest down.
pub(crate) fn wrong_answer(effect: &'static str) -> EffectError {
    EffectError::Failed(format!(
        "the host answered {effect} with something else; this is a fault of the host"
    ))
}
