//! The plugin host in the daemon: calls handlers, alerters and policies, and turns what happens to plugins into
//! events.
//!
//! Length: every port that the plugin host stands behind, each short, in one place.

mod collecting;
mod deciding;
mod detecting;
mod resume;
pub use resume::CallJournal;

use crate::{
    ports::{Alerters, Boxed, Delivery, Handlers, JudgeError, PluginView, Refused, RetentionJudge},
    services::{
        reload::{PluginSettings, PluginSettingsError},
        shared::Shared,
    },
};
use detecting::Memories;
use mainstay_domain::{
    actor::Actor,
    alert::Alert,
    backup::{BackupSummary, Verdict},
    call::{DeliverRequest, DeliveryFailure, JudgeRequest, NextStep, RecoveryFailure, Report},
    code::ErrorCode,
    event::{Event, EventKind, PluginRejected, PluginServing, PluginWithdrawn},
    measure::length,
    name::{JobName, PluginName},
    plugin::{PluginKind, PluginRow},
    recovery::{Call, Decide, Handled, NotHandled},
    severity::Severity,
    spec::PluginSpec,
    time::Timestamp,
};
use mainstay_runtime::{
    CallFailure, Plugin, PluginHost,
    observer::{Observer, PluginEvent},
    plugin::Called,
    registry::NotServing,
};
use semver::{Version, VersionReq};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// Why a plugin cannot be called.
#[derive(Debug, Clone, thiserror::Error)]
enum NotFound {
    /// There is no plugin host yet.
    #[error("plugins are not loaded yet")]
    NotLoaded,
    /// None that fits serves.
    #[error(transparent)]
    NotServing(#[from] NotServing),
}

/// How long a retention policy may take; it has no effects to wait for.
const JUDGE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is looked whether a plugin serves that is waited for.
const RELOOK: Duration = Duration::from_millis(100);
/// How long one delivery may take.
const DELIVER_TIMEOUT: Duration = Duration::from_secs(30);

/// The plugins, as services call them. Their host is connected once it has started: its effects need services that
/// themselves need plugins.
#[derive(Default)]
pub struct PluginCalls {
    host: OnceLock<PluginHost>,
    memories: Memories,
    journal: OnceLock<CallJournal>,
}

impl PluginCalls {
    /// From now on, calls go to the plugins of this host.
    pub fn connect(&self, host: PluginHost) {
        let connected = self.host.set(host);
        debug_assert!(connected.is_ok(), "a host is connected once");
    }

    /// From now on, calls that the daemon before was in are gone on with from this journal.
    pub fn resume_from(&self, journal: CallJournal) {
        let connected = self.journal.set(journal);
        debug_assert!(connected.is_ok(), "a journal is connected once");
    }

    /// The version that a call goes to.
    fn get(
        &self,
        kind: PluginKind,
        name: &PluginName,
        version: &VersionReq,
    ) -> Result<Arc<Plugin>, NotFound> {
        let host = self.host.get().ok_or(NotFound::NotLoaded)?;
        Ok(host.get(kind, name, version)?)
    }

    /// The same, but of what lay there at the start it waits for what is compiled still, for so long at most.
    async fn get_within(
        &self,
        kind: PluginKind,
        name: &PluginName,
        version: &VersionReq,
        patience: Duration,
    ) -> Result<Arc<Plugin>, NotFound> {
        let found = self.get(kind, name, version);
        let Some(host) = self.host.get().filter(|host| !host.is_judged()) else {
            return found;
        };
        if found.is_ok() {
            return found;
        }
        tracing::info!(plugin = %name, "waits until the plugins are compiled that lay there at the start");
        let judged = host.judged();
        tokio::pin!(judged);
        let serves = async {
            // Another may be compiled for longer.
            while self.get(kind, name, version).is_err() {
                tokio::time::sleep(RELOOK).await;
            }
        };
        let _ = tokio::time::timeout(patience, async {
            tokio::select! {
                () = judged => {}
                () = serves => {}
            }
        })
        .await;
        self.get(kind, name, version)
    }
}

impl Handlers for PluginCalls {
    fn recover(&self, call: Call) -> Boxed<'_, Handled> {
        Box::pin(async move {
            if call.resumed {
                return self.resume(&call).await;
            }
            let effects = call.effects;
            let missing = |why| Handled {
                by: None,
                result: Err(NotHandled::Missing(why)),
                effects,
                acted: false,
            };
            let found = self.get_within(
                PluginKind::RecoveryHandler,
                &call.handler,
                &call.version,
                call.timeout,
            );
            let plugin = match found.await {
                Ok(plugin) => plugin,
                Err(why) => return missing(why.to_string()),
            };
            let settled = match call.request.dry_run {
                true => plugin.recover(&call.request, effects, call.timeout).await,
                false => {
                    let place = (&call.place, 0);
                    let recovering =
                        plugin.recover_on_record(&call.request, effects, call.timeout, place);
                    recovering.await
                }
            };
            match handled(settled.called) {
                Err(NotHandled::Missing(why)) => missing(why),
                result => Handled {
                    by: Some(plugin.identity().as_ref().clone()),
                    result,
                    effects: settled.effects,
                    acted: settled.acted,
                },
            }
        })
    }

    fn decide(&self, asked: Decide) -> Boxed<'_, Result<NextStep, String>> {
        Box::pin(self.next_step(asked))
    }
}

/// What a call of a handler came to.
fn handled(called: Called<Report, RecoveryFailure>) -> Result<Report, NotHandled> {
    match called {
        Ok(answer) => answer.map_err(NotHandled::Failed),
        Err(error) => match error.cause {
            CallFailure::Halted(halt) => Err(NotHandled::Halted(halt)),
            // It was quarantined since it was looked up.
            CallFailure::Resting(..) => Err(NotHandled::Missing(error.to_string())),
            // A trap or a limit ends one call; another attempt may go well, or find another version.
            _ => Err(NotHandled::Failed(RecoveryFailure::Retryable(
                error.to_string(),
            ))),
        },
    }
}

impl Alerters for PluginCalls {
    fn deliver(
        &self,
        alerter: PluginName,
        version: VersionReq,
        alert: Alert,
        attempt: u32,
    ) -> Boxed<'_, Delivery> {
        Box::pin(async move {
            let delayed = |why: String| Delivery::Delayed {
                why,
                not_before: None,
            };
            let found = self.get_within(PluginKind::Alerter, &alerter, &version, DELIVER_TIMEOUT);
            let plugin = match found.await {
                Ok(plugin) => plugin,
                Err(error) => return delayed(error.to_string()),
            };
            match plugin
                .deliver(&DeliverRequest { alert, attempt }, DELIVER_TIMEOUT)
                .await
            {
                Ok(Ok(receipt)) => Delivery::Delivered {
                    by: plugin.identity().as_ref().clone(),
                    reference: receipt.reference,
                },
                Ok(Err(DeliveryFailure::RetryAfter { reason, after_ms })) => Delivery::Delayed {
                    why: reason,
                    not_before: after_ms.map(Duration::from_millis),
                },
                Ok(Err(DeliveryFailure::Permanent(why))) => Delivery::Refused(why),
                // A failing alerter queues: what traps today may be replaced tomorrow.
                Err(error) => delayed(error.to_string()),
            }
        })
    }
}

impl RetentionJudge for PluginCalls {
    fn judge(
        &self,
        policy: PluginName,
        version: VersionReq,
        job: JobName,
        backups: Vec<BackupSummary>,
        now: Timestamp,
    ) -> Boxed<'_, Result<Vec<Verdict>, JudgeError>> {
        Box::pin(async move {
            let plugin = self.get_within(
                PluginKind::RetentionPolicy,
                &policy,
                &version,
                JUDGE_TIMEOUT,
            );
            let plugin = plugin
                .await
                .map_err(|error| JudgeError::NotServing(error.to_string()))?;
            let request = JudgeRequest { job, now, backups };
            let judged = plugin.judge(&request, JUDGE_TIMEOUT).await;
            let judged = judged.map_err(|error| JudgeError::Failed(error.to_string()))?;
            judged.map_err(JudgeError::Policy)
        })
    }
}

impl PluginView for PluginCalls {
    fn rows(&self) -> Vec<PluginRow> {
        self.host.get().map(PluginHost::rows).unwrap_or_default()
    }

    fn are_judged(&self) -> bool {
        self.host.get().is_some_and(PluginHost::is_judged)
    }

    fn judged(&self) -> Boxed<'_, ()> {
        match self.host.get() {
            Some(host) => Box::pin(host.judged()),
            // It is connected before anything is called.
            None => Box::pin(std::future::pending()),
        }
    }

    fn forget(
        &self,
        name: PluginName,
        version: Version,
        by: Actor,
    ) -> Boxed<'_, Result<(), Refused>> {
        Box::pin(async move {
            let host = self.host.get();
            let host = host.ok_or_else(|| Refused(NotFound::NotLoaded.to_string()))?;
            let plugin = format!("{name}@{version}");
            match host.forget(name, version).await {
                Ok(true) => {
                    tracing::info!(plugin, %by, "other bytes may go by this name and version");
                    Ok(())
                }
                Ok(false) => Err(Refused(format!(
                    "no {plugin} was ever accepted here; `mainstay plugin list` shows names and versions"
                ))),
                Err(error) => Err(Refused(format!(
                    "what is known of {plugin} cannot be removed from the state directory: {error}"
                ))),
            }
        })
    }
}

impl PluginSettings for PluginCalls {
    fn apply(
        &self,
        plugins: BTreeMap<PluginName, PluginSpec>,
    ) -> Boxed<'_, Result<(), PluginSettingsError>> {
        Box::pin(async move {
            let host = self.host.get().ok_or(PluginSettingsError::NotLoaded)?;
            let applied = host.apply(plugins).await;
            applied.map_err(|error| PluginSettingsError::Refused(error.to_string()))
        })
    }

    fn check(&self, plugins: &BTreeMap<PluginName, PluginSpec>) -> Result<(), PluginSettingsError> {
        let checked = self.host.get().map(|host| host.check_settings(plugins));
        let checked = checked.unwrap_or(Ok(()));
        checked.map_err(|error| PluginSettingsError::Refused(error.to_string()))
    }
}

/// Writes what happens to plugins as events.
pub struct PluginEvents {
    /// The journal is where they are written.
    pub shared: Shared,
}

impl Observer for PluginEvents {
    fn observe(&self, event: PluginEvent) {
        let now = self.shared.clock.now();
        let low = |kind, message: String| Event::new(kind, Severity::Low, now, message);
        let high = |kind, message: String| Event::new(kind, Severity::High, now, message);
        let name = |file: &Path| {
            file.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        let event = match event {
            PluginEvent::Serving {
                plugin,
                kind,
                file,
                is_restored,
            } => {
                let data = PluginServing {
                    kind,
                    digest: plugin.digest.clone(),
                    file: name(&file),
                };
                let message = match is_restored {
                    false => format!("{plugin} serves, from {}", name(&file)),
                    true => format!(
                        "{plugin} serves, from the copy that was kept of it: it is the last good one of {}, and what \
                         that file holds now does not serve",
                        name(&file)
                    ),
                };
                low(EventKind::PluginServing, message)
                    .with_plugin(&plugin)
                    .with_data(data)
            }
            PluginEvent::Rejected {
                file,
                plugin,
                reason,
            } => {
                let message = format!("{} refused: {reason}", name(&file));
                let data = PluginRejected {
                    file: name(&file),
                    reason,
                };
                let event = high(EventKind::PluginRejected, message).with_data(data);
                match plugin {
                    Some(plugin) => event.with_plugin(plugin),
                    None => event,
                }
            }
            PluginEvent::Withdrawn { file, plugin } => {
                let message = format!(
                    "{} is refused no more: it is gone, holds again what serves, or is not in use",
                    name(&file)
                );
                let data = PluginWithdrawn { file: name(&file) };
                let event = low(EventKind::PluginWithdrawn, message).with_data(data);
                match plugin {
                    Some(plugin) => event.with_plugin(plugin),
                    None => event,
                }
            }
            PluginEvent::Draining { plugin } => low(
                EventKind::PluginDraining,
                format!("{plugin} gets no new calls"),
            )
            .with_plugin(&plugin),
            PluginEvent::Retired { plugin } => {
                low(EventKind::PluginRetired, format!("{plugin} is freed")).with_plugin(&plugin)
            }
            PluginEvent::Quarantined {
                plugin,
                rest,
                reason,
            } => {
                let message = format!("{plugin} rests for {}: {reason}", length(rest));
                let message = ErrorCode::Quarantined.mark(message);
                high(EventKind::PluginQuarantined, message).with_plugin(&plugin)
            }
            PluginEvent::Released { plugin } => {
                low(EventKind::PluginReleased, format!("{plugin} answers again"))
                    .with_plugin(&plugin)
            }
        };
        // Events of plugins are recorded in order; nothing waits for them.
        self.shared.submit_event(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::{
        ManualClock, MemoryJournal, shared,
        specs::{failure, name},
        within,
    };
    use mainstay_domain::{
        call::RecoverRequest, call_record::CallPlace, id::OperationId, plugin::PluginIdentity,
    };
    use mainstay_runtime::CallError;

    fn fixer() -> Arc<PluginIdentity> {
        Arc::new(PluginIdentity {
            name: PluginName::parse("fixer").unwrap(),
            version: Version::new(1, 0, 0),
            digest: "ab".repeat(32),
        })
    }

    fn failed(cause: CallFailure) -> Called<Report, RecoveryFailure> {
        Err(CallError {
            plugin: fixer(),
            function: "recover",
            cause,
        })
    }

    #[test]
    fn a_trap_or_a_timeout_may_go_well_the_next_time_and_who_rests_is_missing() {
        let trapped = CallFailure::Trapped {
            reason: "unreachable".to_owned(),
            frames: Vec::new(),
        };
        for cause in [
            trapped,
            CallFailure::TimedOut(Duration::from_secs(1)),
            CallFailure::Broken("no text".to_owned()),
            CallFailure::Busy("256".to_owned()),
        ] {
            let failure = handled(failed(cause)).unwrap_err();
            let retryable = matches!(
                &failure,
                NotHandled::Failed(RecoveryFailure::Retryable(why)) if why.contains("fixer@1.0.0")
            );
            assert!(retryable, "{failure}");
        }
        let rests = CallFailure::Resting(Duration::from_secs(9), "it trapped".to_owned());
        let missing = handled(failed(rests)).unwrap_err();
        assert!(matches!(missing, NotHandled::Missing(_)), "{missing}");
    }

    /// Each kind of news, with and without what may be unknown of it.
    #[test]
    fn what_is_said_of_a_plugin_is_true_wherever_it_stands() {
        let plugin = fixer();
        let file = || std::path::PathBuf::from("/plugins/fixer.wasm");
        let serving = |is_restored| PluginEvent::Serving {
            plugin: plugin.clone(),
            kind: PluginKind::RecoveryHandler,
            file: file(),
            is_restored,
        };
        let rejected = |plugin| PluginEvent::Rejected {
            file: file(),
            plugin,
            reason: "it is no component".to_owned(),
        };
        let withdrawn = |plugin| PluginEvent::Withdrawn {
            file: file(),
            plugin,
        };
        let quarantined = PluginEvent::Quarantined {
            plugin: plugin.clone(),
            rest: Duration::from_secs(30),
            reason: "it trapped".to_owned(),
        };
        let gone =
            "fixer.wasm is refused no more: it is gone, holds again what serves, or is not in use";
        for (news, expected) in [
            (serving(false), "fixer@1.0.0 serves, from fixer.wasm"),
            (
                serving(true),
                "fixer@1.0.0 serves, from the copy that was kept of it: it is the last good one of fixer.wasm, and what \
                 that file holds now does not serve",
            ),
            (rejected(None), "fixer.wasm refused: it is no component"),
            (
                rejected(Some(plugin.clone())),
                "fixer.wasm refused: it is no component",
            ),
            (withdrawn(None), gone),
            (withdrawn(Some(plugin.clone())), gone),
            (
                PluginEvent::Draining {
                    plugin: plugin.clone(),
                },
                "fixer@1.0.0 gets no new calls",
            ),
            (
                PluginEvent::Retired {
                    plugin: plugin.clone(),
                },
                "fixer@1.0.0 is freed",
            ),
            (
                quarantined,
                "fixer@1.0.0 rests for 30 s: it trapped [MS-0303]",
            ),
            (
                PluginEvent::Released {
                    plugin: plugin.clone(),
                },
                "fixer@1.0.0 answers again",
            ),
        ] {
            let journal = MemoryJournal::new();
            let events = PluginEvents {
                shared: shared(journal.clone(), ManualClock::new()),
            };
            events.observe(news);
            let said: Vec<String> = journal
                .events()
                .into_iter()
                .map(|event| event.message)
                .collect();
            assert_eq!(said, [expected]);
        }
    }

    #[test]
    fn what_a_handler_answers_is_kept() {
        let permanent = RecoveryFailure::Permanent("no".to_owned());
        let answered = handled(Ok(Err(permanent.clone())));
        assert_eq!(answered, Err(NotHandled::Failed(permanent)));
        assert_eq!(handled(Ok(Ok(Report::default()))), Ok(Report::default()));
    }

    #[tokio::test]
    async fn a_handler_that_no_version_serves_is_missing_and_has_used_no_number() {
        let operation = OperationId::parse("op-01K0000000000000000000000A").unwrap();
        let call = Call {
            handler: PluginName::parse("fixer").unwrap(),
            version: VersionReq::STAR,
            request: RecoverRequest {
                operation,
                incident: None,
                target: name("api"),
                failure: failure("api-down"),
                severity: Severity::High,
                recurrence: 0,
                attempt: 1,
                max_attempts: 1,
                phase: "normal".to_owned(),
                detected_at: Timestamp::from_millis(0),
                remaining: None,
                evidence: Vec::new(),
                fencing: 1,
                dry_run: false,
                params: serde_json::json!({}),
            },
            timeout: Duration::from_secs(1),
            effects: 6,
            place: CallPlace {
                call: 1,
                step: 0,
                began_at: Timestamp::from_millis(0),
            },
            resumed: false,
        };
        let Handled {
            by,
            result,
            effects,
            acted,
        } = within(PluginCalls::default().recover(call)).await;
        assert_eq!((by, effects, acted), (None, 6, false));
        assert!(matches!(result, Err(NotHandled::Missing(_))), "{result:?}");
    }
}
