//! Takes an operation along, and rehearses a build on one of its calls: no effect acts, and no daemon runs it.
//!
//! Invariant: a build sees of the machine what the record has, and nothing else.

use super::{
    arguments::{ReplayArguments, parse_plugin},
    client::Client,
    component::loader_with,
    failure::Ending,
    identifiers::IdText,
    listings::parse,
    output::Output,
};
use anyhow::{Context, anyhow};
use mainstay_api::{OperationExport, RehearsalClass, RehearsalReport, outcome_words};
use mainstay_daemon::config;
use mainstay_domain::{
    call_record::{CallOutcome, RecordedCall},
    effect::{Answer, Effect, EffectError, EffectResult},
    id::OperationId,
    name::PluginName,
    record::EffectEntry,
    rehearsal::Rehearsal,
    replay::Recorded,
    secret::Masked,
    spec::{Grants, PluginSpec},
    time::Timestamp,
};
use mainstay_runtime::{
    effects::{Boxed, Call, EffectPort, EffectSession, LogLine, Settling},
    kept_build,
};
use parking_lot::Mutex;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Prints all that a rehearsal of an operation needs.
pub(super) async fn export(
    client: &Client,
    out: &Output,
    id: &IdText,
    redact: bool,
) -> anyhow::Result<()> {
    let id: OperationId = id.resolve(client).await?;
    let answer = client.get(&format!("/v1/operations/{id}/export")).await?;
    if !redact {
        return out.json_text(&answer);
    }
    let export: OperationExport = parse(&answer)?;
    let (calls, journal) = stored(&export)?;
    let calls: Vec<_> = calls.into_iter().map(RecordedCall::redacted).collect();
    let journal: Vec<_> = journal.into_iter().map(EffectEntry::redacted).collect();
    out.json_line(&OperationExport::of(export.operation, &calls, &journal))
}

/// Rehearses a build on a call of an operation.
pub(super) async fn replay(
    out: &Output,
    text: &str,
    arguments: &ReplayArguments,
    config: Option<&Path>,
) -> anyhow::Result<Ending> {
    let export: OperationExport = parse(text)?;
    let (recorded, journal) = the_call(&export, arguments.call)?;
    let record = recorded.record;
    let then = recorded.end.map(|end| end.outcome);
    let rehearsal = Arc::new(Mutex::new(Rehearsal::new(&record, &journal)));
    let loader = loader_with(Arc::new(Rehearsing(rehearsal.clone())))?;
    let build = build_file(&arguments.build, config)?;
    let candidate = loader.load_file(&build).await?;
    let spec = PluginSpec {
        settings: record.settings.clone(),
        grants: grants_of(config, &record.plugin)?,
        ..PluginSpec::default()
    };
    let plugin = loader.configure(&candidate, &spec).await?;
    let timeout = record.timeout();
    let record = Arc::new(record);
    let settled = plugin
        .replay(record.clone(), Arc::new(Recorded::default()), timeout)
        .await;
    let (now, words) = match settled.called {
        Ok(Ok(report)) => (Some(CallOutcome::Done(report)), None),
        Ok(Err(failure)) => (Some(CallOutcome::Failed(failure)), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let words = now.as_ref().map(outcome_words).or(words);
    let found = rehearsal.lock().clone().end(then.as_ref(), now.as_ref());
    let report = RehearsalReport::of(
        export.operation,
        plugin.identity().to_string(),
        &found,
        then.as_ref(),
        words.unwrap_or_default(),
    );
    show(out, &report)?;
    Ok(match report.class {
        RehearsalClass::Identical | RehearsalClass::Cosmetic | RehearsalClass::ReadsDiffer => {
            Ending::Done
        }
        RehearsalClass::EffectsDiffer | RehearsalClass::OutcomeDiffers | RehearsalClass::Fault => {
            Ending::Failed
        }
    })
}

/// The export that a file holds, or that the daemon has of an operation.
pub(super) async fn text_of(
    operation: &str,
    connecting: impl Future<Output = anyhow::Result<Client>>,
) -> anyhow::Result<String> {
    if Path::new(operation).is_file() {
        return fs::read_to_string(operation).with_context(|| format!("cannot read {operation}"));
    }
    let id = IdText::parse(operation).map_err(|error| anyhow!("{error}"))?;
    let client = connecting.await?;
    let id: OperationId = id.resolve(&client).await?;
    client.get(&format!("/v1/operations/{id}/export")).await
}

/// Where the build lies: a file, or what is kept by a name and a version in the state directory.
fn build_file(named: &Path, config: Option<&Path>) -> anyhow::Result<PathBuf> {
    let plugin = named.to_str().map(parse_plugin);
    let Some(Ok((name, version))) = plugin.filter(|_| !named.exists()) else {
        return Ok(named.to_owned());
    };
    let directory = config::state_dir(&config::find(config)?)?.join("plugins");
    let found = kept_build(&directory, &name, &version)
        .with_context(|| format!("cannot look into {}", directory.display()))?;
    found.ok_or_else(|| {
        anyhow!(
            "no build {name}@{version} is kept in {}, where those are that are in use; name the file of the build",
            directory.display()
        )
    })
}

/// What an export holds, as it was stored.
fn stored(export: &OperationExport) -> anyhow::Result<(Vec<RecordedCall>, Vec<EffectEntry>)> {
    let calls = export.calls.iter().cloned().map(serde_json::from_value);
    let calls: Vec<RecordedCall> = calls
        .collect::<Result<_, _>>()
        .context("a call of it is of another version")?;
    let journal = export.journal.iter().cloned().map(serde_json::from_value);
    let journal: Vec<EffectEntry> = journal
        .collect::<Result<_, _>>()
        .context("its journal is of another version")?;
    Ok((calls, journal))
}

/// The call that is asked for, else the last one, and the journal.
fn the_call(
    export: &OperationExport,
    number: Option<u32>,
) -> anyhow::Result<(RecordedCall, Vec<EffectEntry>)> {
    let (calls, journal) = stored(export)?;
    let mut found = calls.into_iter();
    let found = match number {
        Some(number) => found.find(|call| call.record.call == number),
        None => found.next_back(),
    };
    let missing = || {
        anyhow!(
            "{} has no such call on record; `mainstay operation show {} --json` lists its calls",
            export.operation,
            export.operation
        )
    };
    Ok((found.ok_or_else(missing)?, journal))
}

/// What the config of today grants the plugin, of directories to read alone; nothing where there is no config.
fn grants_of(file: Option<&Path>, plugin: &PluginName) -> anyhow::Result<Grants> {
    let Ok(file) = config::find(file) else {
        return Ok(Grants::default());
    };
    let specs = config::load(&file)?.spec.plugin_specs();
    let instance = || {
        let mut all = specs.values();
        all.find_map(|spec| spec.instances.get(plugin))
    };
    let spec = specs.get(plugin).or_else(instance);
    let mut grants = spec.map(|spec| spec.grants.clone()).unwrap_or_default();
    for directory in &mut grants.dir {
        // What is in it is in no record: it is read as it is now, and stays so.
        directory.write = false;
    }
    Ok(grants)
}

fn show(out: &Output, report: &RehearsalReport) -> anyhow::Result<()> {
    if out.json {
        return out.json_line(report);
    }
    out.line(&format!(
        "{} on {}: {}",
        report.plugin, report.operation, report.class
    ))?;
    if let Some(first) = &report.first_difference {
        let nothing = || "nothing more".to_owned();
        out.line(&format!(
            "first difference at effect {}: the record has {}, and it asks for {}",
            first.number,
            first.recorded.clone().unwrap_or_else(nothing),
            first.asked.clone().unwrap_or_else(nothing)
        ))?;
    }
    out.line(&format!(
        "then: {}; now: {}",
        report.outcome.recorded.as_deref().unwrap_or("no end"),
        report.outcome.now
    ))
}

/// Answers every effect of a call from its record, or from the plan.
struct Rehearsing(Arc<Mutex<Rehearsal>>);

struct Session {
    rehearsal: Arc<Mutex<Rehearsal>>,
    call: Arc<Call>,
    effects: u32,
}

impl EffectPort for Rehearsing {
    fn begin(&self, call: &Arc<Call>) -> Box<dyn EffectSession> {
        Box::new(Session {
            rehearsal: self.0.clone(),
            call: call.clone(),
            effects: call.purpose.effects(),
        })
    }

    fn log(&self, _: &Call, line: LogLine) {
        tracing::debug!(?line, "the plugin logged");
    }
}

impl EffectSession for Session {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        self.effects = self.effects.saturating_add(1);
        let masked = effect.masked(&self.call.secrets);
        let answer = self.rehearsal.lock().answer(&masked);
        Box::pin(std::future::ready(answer))
    }

    fn await_signal(
        &mut self,
        name: String,
        until: Timestamp,
    ) -> Boxed<'_, Result<String, EffectError>> {
        let answered = self.perform(Effect::AwaitSignal { name, until });
        Box::pin(async move {
            Ok(match answered.await? {
                Answer::Signal { text, .. } => text,
                _ => String::new(),
            })
        })
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(self.effects)
    }
}
