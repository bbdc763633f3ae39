//! The words of an alert, for a person at three in the morning: what happened, to what, what the host did, and what to
//! do next.
//!
//! Invariant: of an event's data only what `EventData` answers by name is read, and each answer may be absent.

use crate::event::{AfterEscalation, Event, EventKind, IncidentEnd};
use std::fmt::Write;

/// The longest title, in characters; some receivers cut what is longer.
const MAX_TITLE: usize = 160;

/// One line.
pub(super) fn title(event: &Event, host_name: &str) -> String {
    title_of(event, host_name, headline(event))
}

/// One line with other words than those of the event's kind.
pub(super) fn title_of(event: &Event, host_name: &str, headline: &str) -> String {
    let subject = match (subject(event), event.data.failure()) {
        (Some(subject), Some(failure)) => format!("{subject}: {failure}: "),
        (Some(subject), None) => format!("{subject}: "),
        (None, _) => String::new(),
    };
    let line = format!("[{host_name}] {subject}{headline}");
    line.chars().take(MAX_TITLE).collect()
}

/// Some lines.
pub(super) fn body(event: &Event, host_name: &str) -> String {
    let mut body = String::new();
    let mut line = |name: &str, text: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(body, "{name}: {text}");
    };
    line("What happened", &event.message);
    if let Some(error) = event.data.error() {
        line("Why", error);
    }
    let about = subject(event).unwrap_or("the host itself");
    let severity = event.severity;
    line(
        "To what",
        &format!("{about} on {host_name}, {severity}, at {}", event.at),
    );
    line("What the host did", &actions_taken(event));
    for step in event.data.steps() {
        line("To be done first", step);
    }
    line("What to do next", &next_step(event));
    body
}

/// The name of a plugin that is written `name@version`.
pub(super) fn without_version(plugin: &str) -> &str {
    plugin.split('@').next().unwrap_or(plugin)
}

fn subject(event: &Event) -> Option<&str> {
    let target = event.target.as_ref().map(|target| target.as_str());
    let job = event.job.as_ref().map(|job| job.as_str());
    target.or(job).or(event.plugin.as_deref())
}

fn headline(event: &Event) -> &'static str {
    use EventKind as K;
    match event.kind {
        K::IncidentOpened => "it is failing",
        K::IncidentClosed => match event.data.incident_end() {
            Some(IncidentEnd::Unseen) => "its recovery is over",
            Some(IncidentEnd::Removed) => "it is not watched any more",
            _ => "it is healthy again",
        },
        K::CheckDegraded => "it works, but a check warns",
        K::CircuitFlapping => "it fails again and again",
        K::CircuitSteady => "it does not fail again and again any more",
        K::OperationAwaitingManual => "its recovery waits for your decision",
        K::OperationSucceeded => "it is recovered",
        K::OperationPartial => "its recovery was done, but it is still failing",
        K::OperationFailed => "its recovery failed",
        K::OperationEscalated => "it needs a person",
        K::PluginRejected => "a plugin was refused",
        K::PluginWithdrawn => "a refused plugin is gone",
        K::PluginQuarantined => "a plugin is in quarantine",
        K::PluginReleased => "a plugin is out of quarantine",
        K::ConfigRejected => "a config was refused",
        K::ConfigApplied => "a config was applied",
        K::HostStarted => "the daemon has started",
        K::PluginServing => "a plugin serves",
        K::BackupVerified => "it has a verified backup",
        K::BackupRpoMissed => "its newest backup is too old",
        K::RetentionJudged => "its retention policy has judged it",
        K::DrillPassed => "its restore drill passed",
        K::BackupFailed => "its backup failed",
        K::BackupCorrupted => "a stored backup is corrupted",
        K::RetentionFailed => "its retention policy failed",
        K::DrillFailed => "its restore drill failed",
        K::JournalFull => "the disk of the state directory is full",
        K::JournalWritable => "the state directory is written again",
        K::JournalDamaged => "its journal is damaged",
        K::RecordSetAside => "a record of its journal was set aside",
        K::MonitorBlind => "its checks cannot look",
        K::MonitorSees => "its checks look again",
        other => other.as_str(),
    }
}

fn actions_taken(event: &Event) -> String {
    use EventKind as K;
    let actions = event.data.actions();
    let attempts = event.data.attempts();
    let actions_taken = match event.kind {
        K::IncidentOpened => "it opened an incident and looks for a route that recovers it",
        K::IncidentClosed => match event.data.incident_end() {
            Some(IncidentEnd::Lasting) => "it recovered it, and it has stayed healthy since",
            Some(IncidentEnd::Unseen) => "nothing more, for no check sees this failure",
            Some(IncidentEnd::Removed) => {
                "it let go of it, for the config does not name it any more"
            }
            _ if attempts > 0 => "it tried to recover it, and the checks pass again",
            _ => "nothing; the checks pass again",
        },
        K::CheckDegraded => "nothing; what warns is no failure",
        K::CircuitFlapping => "it spaces further recoveries of this target as their strategy says",
        K::OperationAwaitingManual if attempts > 0 => "it tried; it does not go on without you",
        K::OperationAwaitingManual => "nothing yet; it does not go on without you",
        K::OperationSucceeded => "it recovered it, and the checks pass again",
        K::OperationPartial | K::OperationFailed => {
            "it tried what the route says; `mainstay status` shows what follows"
        }
        K::OperationEscalated => match event.data.after_escalation() {
            Some(AfterEscalation::People) => {
                "nothing more until it is over, for a person decided so"
            }
            Some(AfterEscalation::Route) => "nothing, for no route fits it",
            _ => "it tried what the route says, and goes on trying, each time after a longer pause",
        },
        K::PluginRejected => "it did not load it; the version that served before still serves",
        K::PluginWithdrawn => "nothing; what serves goes on",
        K::PluginQuarantined => "it calls it no more until its rest is over",
        K::PluginReleased => "it calls it again",
        K::ConfigRejected => "it kept the config that it had",
        K::BackupFailed => "it kept the backups that there are; the next slot tries again",
        K::BackupRpoMissed => "it goes on taking backups as the job's schedules say",
        K::BackupVerified => "it stored it, and read it back",
        K::RetentionJudged => "it let go what the policy lets go and the host need not keep",
        K::DrillPassed => "it restored the newest backup into a directory of its own, and compared",
        K::ConfigApplied => "it uses this config now",
        K::HostStarted => "it read its config and its journal, and is ready",
        K::PluginServing => "it calls this version now",
        K::CircuitSteady => "nothing",
        K::BackupCorrupted => "it marked the backup, and restores nothing from it",
        K::RetentionFailed => "it kept every backup",
        K::DrillFailed => "it left the stored backups and the sources as they are",
        K::JournalFull => {
            "it let go of its reserve; what cannot be written is held in memory, and recovery goes on"
        }
        K::JournalWritable => "it wrote all that it held",
        K::JournalDamaged => "it goes on with what it could read, and has changed nothing of it",
        K::RecordSetAside => "it keeps the record as it was found, and goes on without it",
        K::MonitorBlind => {
            "it goes on trying to look; what it cannot see counts neither as a failure nor as a success"
        }
        K::MonitorSees => "it judges what it sees again",
        _ => "it recorded it",
    };
    let mut text = actions_taken.to_owned();
    // Writing to a string cannot fail.
    if attempts > 0 {
        let _ = write!(text, "; attempts: {attempts}");
    }
    if !actions.is_empty() {
        let _ = write!(text, "; actions: {}", actions.join(", "));
    }
    text
}

fn next_step(event: &Event) -> String {
    use EventKind as K;
    let operation = event.operation.as_ref();
    let job = event.job.as_ref().map_or("JOB", |job| job.as_str());
    let plugin = event.plugin.as_deref().map_or("it", without_version);
    match (event.kind, operation) {
        (K::IncidentOpened, _) => {
            "nothing yet; if no recovery follows, look at `mainstay status`".to_owned()
        }
        (
            K::IncidentClosed
            | K::OperationSucceeded
            | K::PluginReleased
            | K::PluginServing
            | K::PluginWithdrawn
            | K::JournalWritable
            | K::ConfigApplied
            | K::HostStarted
            | K::BackupVerified
            | K::RetentionJudged
            | K::DrillPassed
            | K::CircuitSteady
            | K::MonitorSees,
            _,
        ) => "nothing".to_owned(),
        (K::JournalFull, _) => {
            "free some space on the disk of `host.state_dir`, and do not restart the daemon before that".to_owned()
        }
        (K::JournalDamaged, _) => {
            "look at the disk; `mainstay journal check` shows more; then stop the daemon and run `mainstay journal salvage`".to_owned()
        }
        (K::RecordSetAside, _) => {
            "if an older version runs again it may read the record; `mainstay journal check` looks at the others".to_owned()
        }
        (K::MonitorBlind, _) => {
            "look at the host itself: open files, memory, processes, name servers and file systems; `unseen` in `mainstay status --json` says which targets and why".to_owned()
        }
        (K::CheckDegraded, _) => {
            "look at what the check saw before it becomes a failure".to_owned()
        }
        (K::CircuitFlapping, _) => {
            "find what makes it fail: `mainstay history` lists its recoveries".to_owned()
        }
        (K::OperationAwaitingManual, Some(id)) => format!(
            "look at `mainstay operation show {id}`, then `mainstay approve {id}` or `mainstay reject {id}`"
        ),
        (K::OperationPartial | K::OperationFailed | K::OperationEscalated, Some(id)) => {
            let again = match (&event.target, event.data.failure()) {
                (Some(target), Some(failure)) => {
                    format!("; to try again: `mainstay recover {target} --failure {failure}`")
                }
                _ => String::new(),
            };
            format!("`mainstay operation show {id}` says what was tried; repair it by hand{again}")
        }
        (K::OperationEscalated, None)
            if event.data.after_escalation() == Some(AfterEscalation::Route) =>
        {
            "add a [[route]] that fits it, or repair it by hand".to_owned()
        }
        (K::PluginRejected, _) => {
            "build it anew or take the file away; `mainstay plugin list` gives the reason"
                .to_owned()
        }
        (K::PluginQuarantined, _) => format!(
            "look at `last_error` of {plugin} in `mainstay plugin list`, and drop a version that is right"
        ),
        (K::ConfigRejected, _) => "`mainstay check` shows every problem with its line".to_owned(),
        (K::BackupFailed, _) => {
            format!("repair the source, then `mainstay backup create {job}`")
        }
        (K::BackupRpoMissed, _) => {
            format!("`mainstay events` says why none was taken; then `mainstay backup create {job}`")
        }
        (K::BackupCorrupted, _) => {
            format!("look at the disk below the store, then `mainstay backup create {job}`")
        }
        (K::RetentionFailed, _) => {
            format!(
                "look at the policy in `mainstay plugin list`, then `mainstay backup prune {job}`"
            )
        }
        (K::DrillFailed, _) => {
            format!(
                "do not rely on these backups: `mainstay backup verify`, then `mainstay backup drill {job}`"
            )
        }
        _ => "`mainstay events` shows what was before and after".to_owned(),
    }
}
