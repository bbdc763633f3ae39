//! Performs the effects that plugins ask for, in a session per call: journaled for an operation, answered by the plan
//! in a dry run.
//!
//! Invariant: the intent of an acting effect is durable before it acts; where all that it does ends with the machine, it
//! outlives the daemon, see [`mainstay_domain::effect::Effect::ends_with_the_machine`]. Its result is written even after the call has
//! timed out. An effect that only reads writes its result only. A dry run never acts. On a full disk an intent is
//! held in memory: an effect that does no harm when done twice begins anyway, see
//! [`mainstay_domain::effect::Effect::may_begin_unrecorded`]; any other is refused.
//! Invariant: the numbers of effects go on over the calls of an operation, so that a number is an idempotency key.
//! Invariant: the time that an operation is told never goes back; see `clocks`.
//! Invariant: what is written shows secrets by name, never by a handle.
//! Invariant: grants and counts were checked before an effect comes here; see `mainstay_runtime`.
//!
//! One file for each session: `live`, `planned`, `delivering`, `looking`, `nothing`; `act` does what they ask for, and
//! `replayed` looks at what a daemon before began.

mod act;
mod clocks;
mod delivering;
mod live;
mod looking;
mod nothing;
mod operation;
mod planned;
mod replayed;
mod sizes;

use super::{inbox::SignalInbox, shared::Shared};
use crate::ports::{
    BackupControl, Commands, HttpClient, MailSender, Secrets, TargetControl, Values, Watch,
};
use clocks::OperationClocks;
use delivering::AlertSession;
use live::LiveSession;
use looking::LookSession;
use mainstay_domain::{
    event::{Event, EventKind},
    severity::Severity,
    text::visible,
};
use mainstay_runtime::{
    Call, EffectPort, EffectSession, LogLine, Purpose,
    effects::{LogLevel, LogSource},
};
use nothing::NoEffectsSession;
use operation::OperationCall;
use planned::DryRunSession;
use sizes::JournalSizes;
use std::sync::Arc;

/// Characters of a logged line that are in its event; the daemon's own log has the rest.
const SAID: usize = 400;

/// What effects are made of.
pub struct Effects {
    /// The journal for intents and results, the config for its commands.
    pub shared: Shared,
    /// `targets`.
    pub targets: Arc<dyn TargetControl>,
    /// `targets.check`.
    pub watch: Arc<dyn Watch>,
    /// `commands`.
    pub commands: Arc<dyn Commands>,
    /// `http`.
    pub http: Arc<dyn HttpClient>,
    /// `mail`.
    pub mail: Arc<dyn MailSender>,
    /// `kv`.
    pub values: Arc<dyn Values>,
    /// `backups`.
    pub backups: Arc<dyn BackupControl>,
    /// Keeps secrets out of what guests log.
    pub secrets: Arc<dyn Secrets>,
    /// What people signalled to operations.
    pub inbox: SignalInbox,
}

/// Begins the session that fits the purpose of each call.
pub struct EffectSessions(Arc<Effects>, Arc<OperationClocks>, Arc<JournalSizes>);

impl EffectSessions {
    /// Sessions over these effects.
    pub fn new(effects: Effects) -> Self {
        Self(Arc::new(effects), Arc::default(), Arc::default())
    }

    /// The event of a line that a handler logs at warn or above while it recovers. What looks at targets logs in every look, and
    /// an alert about what an alerter logs would have it log again: theirs are in the daemon's log alone.
    fn logged(&self, call: &Call, line: &LogLine, said: [&str; 2]) -> Option<Event> {
        let severity = match line.level {
            _ if line.source != LogSource::Log => return None,
            LogLevel::Warn => Severity::Medium,
            LogLevel::Error => Severity::High,
            LogLevel::Trace | LogLevel::Debug | LogLevel::Info => return None,
        };
        let Purpose::Recover {
            operation,
            target,
            dry_run: false,
            ..
        } = &call.purpose
        else {
            return None;
        };
        let said: String = said.join(" ").trim_end().chars().take(SAID).collect();
        let message = format!("{}: {said}", call.plugin);
        let now = self.0.shared.clock.now();
        let event = Event::new(EventKind::PluginLogged, severity, now, message)
            .with_plugin(&call.plugin)
            .with_target(target)
            .with_operation(operation);
        Some(event)
    }
}

impl EffectPort for EffectSessions {
    fn begin(&self, call: &Arc<Call>) -> Box<dyn EffectSession> {
        match &call.purpose {
            Purpose::Recover {
                operation,
                dry_run,
                effects,
                ..
            } => {
                let of = OperationCall {
                    effects: self.0.clone(),
                    call: call.clone(),
                    operation: operation.clone(),
                    clocks: self.1.clone(),
                    on_record: Arc::default(),
                    sizes: self.2.clone(),
                };
                match dry_run {
                    true => Box::new(DryRunSession::new(of, *effects)),
                    false => Box::new(LiveSession::new(of, *effects)),
                }
            }
            Purpose::Deliver { alert } => {
                Box::new(AlertSession::new(self.0.clone(), call.clone(), alert))
            }
            Purpose::Probe { .. } | Purpose::Collect { .. } => {
                Box::new(LookSession::new(self.0.clone(), call.clone()))
            }
            Purpose::Describe
            | Purpose::Configure
            | Purpose::Judge { .. }
            | Purpose::Next { .. } => Box::new(NoEffectsSession),
        }
    }

    fn log(&self, call: &Call, line: LogLine) {
        let secrets = &self.0.secrets;
        let clean = |text: &str| visible(&secrets.conceal_text(text));
        let (plugin, message) = (call.plugin.to_string(), clean(&line.message));
        let fields: Vec<String> = line
            .fields
            .iter()
            .map(|(key, value)| format!("{}={}", clean(key), clean(value)))
            .collect();
        let fields = fields.join(" ");
        if let Some(event) = self.logged(call, &line, [&message, &fields]) {
            self.0.shared.submit_event(event);
        }
        match line.level {
            LogLevel::Trace => tracing::trace!(plugin, fields, "{message}"),
            LogLevel::Debug => tracing::debug!(plugin, fields, "{message}"),
            LogLevel::Info => tracing::info!(plugin, fields, "{message}"),
            LogLevel::Warn => tracing::warn!(plugin, fields, "{message}"),
            LogLevel::Error => tracing::error!(plugin, fields, "{message}"),
        }
    }
}

#[cfg(test)]
mod tests;
