//! The daemon's log as the story that an operator follows: one line for each event, in the event's own words.
//!
//! Invariant: what is told of what happens is told here and from the event alone, so the log never says something else than
//! the events do, and secrets are in neither. It is told when the event is submitted: while the disk takes nothing, the log
//! does.
//! Invariant: one event is one line, whatever others wrote into its message.

use mainstay_domain::{
    event::{Event, EventLogLevel},
    id::{BackupId, OperationId},
    name::{JobName, TargetName},
    text::visible,
};

/// Tells of an event that is being submitted; after the beginning of the charter's digest, where there is one [seed 002].
pub(super) fn tell(event: &Event, charter: Option<&str>) {
    let charter = charter.map_or(String::new(), |digest| format!("[{digest}] "));
    macro_rules! tell_at {
        ($level:ident) => {
            tracing::$level!(
                kind = event.kind.as_str(),
                target_name = event.target.as_ref().map(TargetName::as_str),
                operation = event.operation.as_ref().map(OperationId::to_string),
                plugin = event.plugin.as_deref(),
                job = event.job.as_ref().map(JobName::as_str),
                backup = event.backup.as_ref().map(BackupId::to_string),
                due = event.announces().map(|at| at.to_string()),
                "{charter}{}",
                visible(&event.message)
            )
        };
    }
    match event.log_level() {
        Some(EventLogLevel::Error) => tell_at!(error),
        Some(EventLogLevel::Warn) => tell_at!(warn),
        Some(EventLogLevel::Info) => tell_at!(info),
        Some(EventLogLevel::Debug) => tell_at!(debug),
        None => {}
    }
}
