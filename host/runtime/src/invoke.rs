//! One call of one function of one plugin: a fresh store, the timeout, and a reason where there is no answer.
//!
//! Invariant: a call leaves nothing behind, however it ends: its store is dropped, and its effects are settled before
//! what it came to is had.

use crate::{
    bindings::Program,
    call_context::CallContext,
    call_state::CallState,
    effects::{Boxed, Call, EffectPort, EffectSession, Purpose},
    engine::Engine,
    error::{CallError, CallFailure},
    limits::{Exceeded, GUEST_STACK, HANDLES, Limit},
};
use mainstay_domain::{replay::Halt, text::in_one_line};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};
use wasmtime::{
    PoolConcurrencyLimitError, Store, Trap, WasmBacktrace, component::ResourceTableError,
};

/// The innermost frames that a trap names.
const FRAMES: usize = 3;

/// A function of a program, to be called with a request.
pub(crate) type Function<R, T> =
    for<'s> fn(&'s Program, &'s mut Store<CallState>, &'s R) -> Boxed<'s, wasmtime::Result<T>>;

/// How long a call may take, waiting for its turn included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallDeadline {
    began: Instant,
    /// What the caller gives.
    given: Option<Duration>,
    /// What the plugin's limits allow.
    allowed: Duration,
}

impl CallDeadline {
    pub(crate) fn new(given: Option<Duration>, allowed: Duration) -> Self {
        Self {
            began: Instant::now(),
            given,
            allowed,
        }
    }

    pub(crate) fn ends(&self) -> Instant {
        self.began + self.given.unwrap_or(self.allowed).min(self.allowed)
    }

    fn exhausted(&self, call: &Call) -> CallFailure {
        match self.given {
            Some(given) if given < self.allowed => CallFailure::TimedOut(given),
            _ => exceeded(call, Exceeded::time(Limit::Timeout, self.allowed)),
        }
    }
}

/// What a call needs beside the program and the request.
pub(crate) struct Invocation {
    pub(crate) function: &'static str,
    pub(crate) call: Arc<Call>,
    pub(crate) settings: Arc<str>,
    pub(crate) deadline: CallDeadline,
    /// Bytes that the answer may have beside `result_bytes`, where the request asks for a long one.
    pub(crate) extra_result_bytes: usize,
}

/// A call that has ended, and whose effects may still act.
#[must_use = "the effects of a call are settled before its outcome is had"]
pub(crate) struct Ended<T> {
    outcome: Result<T, CallError>,
    session: Box<dyn EffectSession>,
    /// Whether an effect of it did something, or may have.
    pub(crate) acted: bool,
}

impl<T> Ended<T> {
    /// Looks at what the call came to before its effects are settled.
    pub(crate) fn map<U>(
        self,
        change: impl FnOnce(Result<T, CallError>) -> Result<U, CallError>,
    ) -> Ended<U> {
        Ended {
            outcome: change(self.outcome),
            session: self.session,
            acted: self.acted,
        }
    }

    /// What the call came to, and how many effects its operation has had, when nothing of the call acts any more.
    pub(crate) async fn settled(self) -> (Result<T, CallError>, u32) {
        let effects = self.session.settle().wait().await;
        (self.outcome, effects)
    }
}

impl Invocation {
    pub(crate) async fn run<R, T>(
        self,
        engine: &Engine,
        effects: Arc<dyn EffectPort>,
        program: &Program,
        request: &R,
        function: Function<R, T>,
    ) -> Ended<T> {
        let session = effects.begin(&self.call);
        let context = CallContext::new(self.call, self.settings, effects);
        let mut store = CallState::store(engine, context.clone(), session);
        if self.extra_result_bytes > 0 {
            let fuel = store
                .hostcall_fuel()
                .saturating_add(self.extra_result_bytes);
            store.set_hostcall_fuel(fuel);
        }
        let outcome =
            timeout_at(self.deadline.ends(), function(program, &mut store, request)).await;
        let failed = |cause| {
            Err(CallError {
                plugin: context.call.plugin.clone(),
                function: self.function,
                cause,
            })
        };
        let outcome = match outcome {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => failed(explain(&error, &context)),
            Err(_) => failed(self.deadline.exhausted(&context.call)),
        };
        // The guest and its memory are gone before anything waits for what it began.
        let CallState { session, acted, .. } = store.into_data();
        // After its last line, which is written when it is gone.
        context.tell_of_dropped_lines();
        Ended {
            outcome,
            session,
            acted,
        }
    }
}

/// A limit that was exceeded, with what the operator can do.
pub(crate) fn exceeded(call: &Call, exceeded: Exceeded) -> CallFailure {
    let remedy = match call.purpose {
        Purpose::Describe => {
            "`describe` runs under the default limits; the plugin has to need less".to_owned()
        }
        _ => exceeded.remedy(&call.plugin.name),
    };
    CallFailure::Limit { exceeded, remedy }
}

/// Why the engine gave no answer.
fn explain(error: &wasmtime::Error, context: &CallContext) -> CallFailure {
    let call = &context.call;
    if let Some(halt) = error.downcast_ref::<Halt>() {
        return CallFailure::Halted(halt.clone());
    }
    if let Some(limit) = error.downcast_ref::<Exceeded>() {
        return exceeded(call, *limit);
    }
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return CallFailure::Busy(full.to_string());
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return exceeded(call, Exceeded::new(Limit::Handles, HANDLES));
    }
    if is_hostcall_fuel(error) {
        return exceeded(call, Exceeded::new(Limit::Result, call.limits.result_bytes));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => exceeded(call, Exceeded::new(Limit::Stack, GUEST_STACK)),
        Some(trap) => CallFailure::Trapped {
            reason: match context.stderr_tail() {
                words if !words.is_empty() => format!("{trap}, after it wrote: {words}"),
                // Compilers put a guest's own stack at the start of its memory, so it overflows out of bounds.
                _ if *trap == Trap::MemoryOutOfBounds => {
                    format!(
                        "{trap}; unbounded recursion, which uses up the guest's own stack, ends like this"
                    )
                }
                _ => trap.to_string(),
            },
            frames: frames(error),
        },
        None => {
            // Without the backtrace that wasmtime adds as a context.
            let causes = error.chain().map(ToString::to_string);
            let causes = causes.filter(|cause| !cause.contains("wasm backtrace:"));
            CallFailure::Broken(in_one_line(causes))
        }
    }
}

/// The error that says that the bytes a guest hands over exceed what the store allows has no public type.
fn is_hostcall_fuel(error: &wasmtime::Error) -> bool {
    error
        .root_cause()
        .to_string()
        .contains("fuel allocated for hostcalls has been exhausted")
}

fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let named = backtrace
        .frames()
        .iter()
        .filter_map(|frame| frame.func_name());
    named
        .map(|name| rustc_name(name).to_owned())
        .take(FRAMES)
        .collect()
}

/// The name without the hash that Rust's older mangling appends.
fn rustc_name(name: &str) -> &str {
    name.split_once("::h")
        .map_or(name, |(path, hash)| match hash.len() == 16 {
            true => path,
            false => name,
        })
}
