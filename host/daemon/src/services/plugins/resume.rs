//! Goes on with a call that the daemon before was in: the same build, by its digest, is fed what the journal has of it.
//!
//! Invariant: a call that gets no further is begun again so often and no more, and that is durable before it is: a guest that
//! ends the daemon does not do so for ever.

use super::{PluginCalls, handled};
use crate::{ports::Browse, services::shared::Shared};
use mainstay_domain::{
    call_record::{CallRecord, RecordedCall},
    name::PluginName,
    record::Change,
    recovery::{Call, Handled, NotHandled},
    replay::{Divergence, Halt, MAX_REPLAYS, Recorded, next_try},
    spec::PluginSpec,
    time::Timestamp,
};
use mainstay_runtime::{CallError, CallFailure, Plugin, PluginHost};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What a call has left at least: how long no daemon ran is a part of the time in its record.
const LEAST_LEFT: Duration = Duration::from_secs(10);

/// The journal, as calls are gone on with from it.
pub struct CallJournal {
    /// Where they are written, and the config of today.
    pub shared: Shared,
    /// Where they are read.
    pub records: Arc<dyn Browse>,
}

/// A call as the journal has it.
struct Found {
    record: CallRecord,
    recorded: Recorded,
    /// The number of its last effect.
    last: u32,
}

impl PluginCalls {
    /// Goes on with a call.
    pub(super) async fn resume(&self, call: &Call) -> Handled {
        let resumed = self.try_resume(call).await;
        resumed.unwrap_or_else(|why| Handled {
            by: None,
            result: Err(NotHandled::Halted(Halt::GivenUp(why))),
            effects: call.effects,
            acted: true,
        })
    }

    async fn try_resume(&self, call: &Call) -> Result<Handled, String> {
        let host = self.host.get().ok_or("plugins are not loaded yet")?;
        let journal = self.journal.get().ok_or("there is no journal to read")?;
        // What a person found out of an effect may not be written yet, and is read below.
        let written = journal.shared.journal.written().await;
        written.map_err(|error| format!("what is known of it was not written: {error}"))?;
        let Found {
            mut record,
            recorded,
            last,
        } = find(&*journal.records, call).await?;
        let plugin = build_of(host, journal, &record).await?;
        let is_replayed = plugin.grants().dir.is_empty();
        // What is called anew writes as much each time.
        let got_further = is_replayed && recorded.has_of(record.fencing);
        record.replays = next_try(record.replays, got_further).ok_or_else(|| {
            format!(
                "the daemon ended again in each of {MAX_REPLAYS} tries to go on with a call of {}, and none got further",
                record.identity()
            )
        })?;
        record.fencing = call.request.fencing;
        let change = Change::Call(Box::new(record.clone()));
        let raised = journal.shared.journal.commit(vec![change].into()).await;
        raised.map_err(|error| format!("that it is begun again was not written: {error}"))?;
        let identity = record.identity();
        if !is_replayed {
            // What it sees of its directories is in no record, so it is called anew.
            return Ok(call_anew(&plugin, call, last, &record).await);
        }
        let left = time_left(record.timeout(), record.began_at, &recorded);
        let last_asked = recorded.get(last).cloned();
        // What does not end the daemon is not counted.
        let before = CallRecord {
            replays: record.replays.saturating_sub(1),
            ..record.clone()
        };
        let replaying = plugin.replay(Arc::new(record), Arc::new(recorded), left);
        let settled = replaying.await;
        let result = match settled.called {
            Err(error) if ended_early(&error, settled.effects, last) => {
                let why = format!(
                    "{error}; that was after effect {} of the {last} that its record has",
                    settled.effects
                );
                Err(NotHandled::Halted(Halt::GivenUp(why)))
            }
            Err(error) => match error.cause {
                CallFailure::Halted(halt) => {
                    let change = Change::Call(Box::new(before));
                    // On the disk before anybody is told: a daemon that ends during a long sleep would count it for each time.
                    let _ = journal.shared.journal.commit(vec![change].into()).await;
                    Err(NotHandled::Halted(halt))
                }
                CallFailure::Resting(..) => {
                    Err(NotHandled::Halted(Halt::GivenUp(error.to_string())))
                }
                _ => handled(Err(error)),
            },
            Ok(_) if settled.effects < last => {
                let entry = last_asked.and_then(|effect| effect.result.or(effect.intent));
                let recorded =
                    entry.map_or_else(String::new, |entry| entry.effect.name().to_owned());
                let divergence = Divergence {
                    number: settled.effects.saturating_add(1),
                    recorded: format!("more, up to effect {last}, {recorded}"),
                    asked: "nothing more".to_owned(),
                };
                Err(NotHandled::Halted(Halt::Diverged(divergence)))
            }
            answered => handled(answered),
        };
        Ok(Handled {
            by: Some(identity),
            result,
            effects: settled.effects.max(last),
            acted: settled.acted,
        })
    }
}

/// How long a call may last that is made again: what it had left when the last of it was written, and a little at least.
fn time_left(timeout: Duration, began_at: Timestamp, recorded: &Recorded) -> Duration {
    let spent = recorded.spent(began_at);
    timeout.saturating_sub(spent).max(LEAST_LEFT)
}

/// Whether a call that was made again ended, by no halt of its session, before all of its record was fed: another attempt
/// would know nothing of what the rest of that began.
fn ended_early(error: &CallError, effects: u32, last: u32) -> bool {
    effects < last && !matches!(error.cause, CallFailure::Halted(_))
}

/// Reads a call, and its effects.
async fn find(records: &dyn Browse, call: &Call) -> Result<Found, String> {
    let id = &call.request.operation;
    let unread = |error: crate::ports::StoreError| format!("its record cannot be read: {error}");
    let calls = records.calls(id.clone()).await.map_err(unread)?;
    let is_it = |found: &RecordedCall| found.record.call == call.place.call && found.end.is_none();
    let found = calls.into_iter().find(is_it);
    let record = found
        .ok_or_else(|| format!("the journal has no call {} of {id}", call.place.call))?
        .record;
    let operation = records.operation(id.clone()).await.map_err(unread)?;
    let entries = operation.map(|(_, entries)| entries).unwrap_or_default();
    let recorded = Recorded::of(&entries, record.call, record.first_number);
    let last = recorded.last_number().unwrap_or(record.effects_before());
    Ok(Found {
        record,
        recorded,
        last,
    })
}

/// The build that the call was made of, also where it serves no more.
async fn build_of(
    host: &PluginHost,
    journal: &CallJournal,
    record: &CallRecord,
) -> Result<Arc<Plugin>, String> {
    let specs = journal.shared.spec.borrow().plugin_specs();
    let spec = spec_of(&specs, &record.plugin);
    let built = host.by_digest(&record.digest, &spec).await;
    let plugin = built.map_err(|error| {
        format!(
            "the build of {} with the digest {}, which its call was made of, cannot be had: {error}",
            record.identity(),
            record.digest
        )
    })?;
    Ok(plugin.instance(&record.plugin).cloned().unwrap_or(plugin))
}

/// What the config says of the plugin that is called by this name, or that this is an instance of.
fn spec_of(specs: &BTreeMap<PluginName, PluginSpec>, name: &PluginName) -> PluginSpec {
    let mut all = specs.values();
    // An instance that a route calls is named there too, with nothing.
    let of_instance = all.find(|spec| spec.instances.contains_key(name));
    let spec = of_instance.or_else(|| specs.get(name));
    spec.cloned().unwrap_or_default()
}

/// Its new record has how often it was begun in the one before.
async fn call_anew(plugin: &Plugin, call: &Call, last: u32, record: &CallRecord) -> Handled {
    let place = (&call.place, record.replays);
    let settled = plugin
        .recover_on_record(&call.request, last, call.timeout, place)
        .await;
    Handled {
        by: Some(record.identity()),
        result: handled(settled.called),
        effects: settled.effects,
        acted: settled.acted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::{
        effect::{Answer, Effect},
        id::OperationId,
        plugin::PluginIdentity,
        record::{EffectEntry, EntryKind},
    };

    #[test]
    fn a_call_has_what_it_had_left_when_the_last_of_it_was_written_and_a_little_at_least() {
        let began_at = Timestamp::from_millis(1_700_000_000_000);
        let left_after = |seconds| {
            let entry = EffectEntry {
                operation: OperationId::parse("op-01K0000000000000000000000A").unwrap(),
                number: 1,
                at: began_at + Duration::from_secs(seconds),
                kind: EntryKind::Result,
                effect: Effect::ClockNow,
                result: Some(Ok(Answer::Now(began_at))),
                call: Some(1),
                request_hash: None,
                fencing: 1,
                before: None,
                until: None,
            };
            let recorded = Recorded::of(&[entry], 1, 1);
            time_left(Duration::from_secs(60), began_at, &recorded)
        };
        for (seconds, left) in [(0, 60), (20, 40), (49, 11), (55, 10), (3_600, 10)] {
            assert_eq!(left_after(seconds), Duration::from_secs(left), "{seconds}");
        }
    }

    #[test]
    fn a_build_is_configured_as_the_plugin_that_it_is_an_instance_of() {
        let name = |text: &str| PluginName::parse(text).unwrap();
        let base = PluginSpec {
            instances: [(name("fix-web"), PluginSpec::default())].into(),
            ..PluginSpec::default()
        };
        let specs = BTreeMap::from([
            (name("fix"), base.clone()),
            (name("fix-web"), PluginSpec::default()),
        ]);
        assert_eq!(spec_of(&specs, &name("fix-web")), base);
        assert_eq!(spec_of(&specs, &name("fix")), base);
        assert_eq!(spec_of(&specs, &name("other")), PluginSpec::default());
    }

    #[test]
    fn a_call_that_ends_before_its_record_is_used_up_is_no_attempt_that_failed() {
        let error = |cause| CallError {
            plugin: Arc::new(PluginIdentity {
                name: PluginName::parse("fix").unwrap(),
                version: semver::Version::new(1, 0, 0),
                digest: "ab".repeat(32),
            }),
            function: "recover",
            cause,
        };
        let late = error(CallFailure::TimedOut(Duration::from_secs(10)));
        assert!(ended_early(&late, 2, 3));
        assert!(!ended_early(&late, 3, 3), "all of it was fed");
        let halted = CallFailure::Halted(Halt::GivenUp("x".to_owned()));
        assert!(!ended_early(&error(halted), 2, 3), "it says itself why");
    }
}
