//! A call and where its log lines go.
//!
//! Invariant: log lines are counted before they are handed on, whichever way they came, and hold no handle of a secret.

use crate::{
    effects::{Call, EffectPort, LogLine, LogSource},
    limits::{Exceeded, LOG_BYTES, LOG_LINE_BYTES, Limit},
};
use mainstay_domain::secret::Masked;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

/// How much of standard error is kept to explain a trap, bytes.
const STDERR_TAIL: usize = 400;
/// A call and where its log lines go; shared with the pipes of standard output.
pub(crate) struct CallContext {
    pub(crate) call: Arc<Call>,
    pub(crate) settings: Arc<str>,
    pub(crate) port: Arc<dyn EffectPort>,
    log_lines: AtomicU32,
    log_bytes: AtomicU64,
    stderr_tail: Mutex<String>,
}

impl CallContext {
    pub(crate) fn new(call: Arc<Call>, settings: Arc<str>, port: Arc<dyn EffectPort>) -> Arc<Self> {
        Arc::new(Self {
            call,
            settings,
            port,
            log_lines: AtomicU32::new(0),
            log_bytes: AtomicU64::new(0),
            stderr_tail: Mutex::default(),
        })
    }

    /// Counts a log line and hands it on.
    pub(crate) fn log(&self, mut line: LogLine) -> Result<(), Exceeded> {
        let allowed = self.call.limits.log_lines;
        if self.log_lines.fetch_add(1, Relaxed) >= allowed {
            return Err(Exceeded::new(Limit::LogLines, allowed));
        }
        line.message = line.message.masked(&self.call.secrets);
        line.fields = line.fields.masked(&self.call.secrets);
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
            self.record_stderr_tail(&line.message);
        }
        self.port.log(&self.call, line);
        Ok(())
    }

    /// What the guest last wrote to standard error, one line: where it panicked, this says why.
    pub(crate) fn stderr_tail(&self) -> String {
        self.stderr_tail.lock().clone()
    }

    fn record_stderr_tail(&self, line: &str) {
        if line.starts_with("note: run with") {
            return;
        }
        let mut words = self.stderr_tail.lock();
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(line);
        let excess = words.len().saturating_sub(STDERR_TAIL);
        let cut = words.ceil_char_boundary(excess);
        words.drain(..cut);
    }
}
