//! A call and where its log lines go.
//!
//! Invariant: log lines are counted before they are handed on, whichever way they came, and hold no handle of a secret.
//! Those above the limits are dropped, and how many is told when the call has ended.

use crate::{
    effects::{Call, EffectPort, LogLevel, LogLine, LogSource},
    limits::{LOG_BYTES, LOG_LINE_BYTES},
    virtual_clock::VirtualClock,
};
use mainstay_domain::secret::Masked;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// How much of standard error is kept to explain a trap, bytes.
const STDERR_TAIL: usize = 400;
/// A call and where its log lines go; shared with the pipes of standard output.
pub(crate) struct CallContext {
    pub(crate) call: Arc<Call>,
    pub(crate) settings: Arc<str>,
    pub(crate) port: Arc<dyn EffectPort>,
    /// Time and chance of a call that is on record; any other has the machine's.
    pub(crate) clock: Option<Arc<VirtualClock>>,
    log_lines: AtomicU64,
    log_bytes: AtomicU64,
    dropped_lines: AtomicU64,
    stderr_tail: Mutex<String>,
}

impl CallContext {
    pub(crate) fn new(call: Arc<Call>, settings: Arc<str>, port: Arc<dyn EffectPort>) -> Arc<Self> {
        let record = call.record.as_deref();
        Arc::new(Self {
            clock: record.map(|record| Arc::new(VirtualClock::new(record))),
            call,
            settings,
            port,
            log_lines: AtomicU64::new(0),
            log_bytes: AtomicU64::new(0),
            dropped_lines: AtomicU64::new(0),
            stderr_tail: Mutex::default(),
        })
    }

    /// Counts a log line and hands it on, or drops it.
    pub(crate) fn log(&self, mut line: LogLine) {
        let is_above =
            self.log_lines.fetch_add(1, Relaxed) >= u64::from(self.call.limits.log_lines);
        // What explains a trap is known also of one that wrote too much.
        if is_above && line.source != LogSource::Stderr {
            self.dropped_lines.fetch_add(1, Relaxed);
            return;
        }
        line.message = line.message.masked(&self.call.secrets);
        line.fields = line.fields.masked(&self.call.secrets);
        let fields = line
            .fields
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let bytes = (line.message.len() + fields.sum::<usize>()) as u64;
        if line.message.len() > LOG_LINE_BYTES {
            line.message
                .truncate(line.message.floor_char_boundary(LOG_LINE_BYTES));
            line.message.push('…');
        }
        if line.source == LogSource::Stderr {
            self.record_stderr_tail(&line.message);
        }
        let is_above = is_above
            || self
                .log_bytes
                .fetch_add(bytes, Relaxed)
                .saturating_add(bytes)
                > LOG_BYTES;
        if is_above {
            self.dropped_lines.fetch_add(1, Relaxed);
            return;
        }
        self.port.log(&self.call, line);
    }

    /// Says in one more line how many were dropped, where any were.
    pub(crate) fn tell_of_dropped_lines(&self) {
        let dropped = self.dropped_lines.load(Relaxed);
        if dropped == 0 {
            return;
        }
        let Call { plugin, limits, .. } = &*self.call;
        let message = format!(
            "{dropped} log lines of this call were dropped: it may write {} lines and {} KiB; raise `[plugin.{}] \
             limits.log_lines` if it needs more lines",
            limits.log_lines,
            LOG_BYTES >> 10,
            plugin.name
        );
        let line = LogLine {
            level: LogLevel::Warn,
            source: LogSource::Log,
            message,
            fields: Vec::new(),
        };
        self.port.log(&self.call, line);
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
