//! A well-behaved recovery handler that does what the operation's `params` say, and says which version did it:
//! the first action of every report is `probe VERSION`.
//!
//! One of its versions is chosen by a cargo feature, for tests that load several side by side; with `hasty` it is a build that
//! restarts the target first, for tests that rehearse it.

use mainstay_plugin_sdk::plugin::{Capability, Descriptor, Plugin};
use mainstay_plugin_sdk::recovery::*;
use mainstay_plugin_sdk::settings::{DurationText, check, schema_of};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hasher},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// The version of this build.
pub const VERSION: &str = if cfg!(feature = "v2_0_0") {
    "2.0.0"
} else if cfg!(feature = "v1_1_0") {
    "1.1.0"
} else if cfg!(feature = "v1_0_1") {
    "1.0.1"
} else {
    "1.0.0"
};

/// Settings, to see that they arrive.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ProbeSettings {
    /// What `echo` says when the step does not.
    word: String,
    /// How long `sleep` sleeps when the step does not say.
    nap: Option<DurationText>,
}

/// The `params` of an operation.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Params {
    /// What to do.
    #[serde(rename = "do")]
    deed: Deed,
    /// What `echo` says.
    word: Option<String>,
    /// How long `sleep` sleeps.
    length: Option<DurationText>,
    /// The command, URL, job or file that it is about; of `restart` another target than the operation's.
    name: String,
    /// From this attempt on, what fails restarts the target instead; 0 for never.
    until: u32,
    /// How often `many` does it.
    times: u32,
}

/// What to do.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Deed {
    /// Nothing but a report.
    #[default]
    Version,
    /// Reports the word of the step or of the settings.
    Echo,
    /// Reports the operation as it came.
    Operation,
    /// Restarts the target, or the one that is named.
    Restart,
    /// Reads the target's status and runs its checks.
    Look,
    /// Stops the target and starts it.
    StopStart,
    /// Sends SIGHUP to the target.
    Signal,
    /// Runs the command `name`.
    Command,
    /// Requests the URL `name`.
    Http,
    /// Posts the word of the step or of the settings to the URL `name`, as JSON.
    Post,
    /// Keeps the word of the step or of the settings under itself, and reads it back.
    Keep,
    /// Counts its runs in a durable value.
    Count,
    /// Sets, gets, lists and deletes a value.
    Kv,
    /// Creates a snapshot of the job `name` and restores the newest backup.
    Backup,
    /// Reads the file `name`.
    Read,
    /// Writes the word of the step or of the settings to the file `name`.
    Write,
    /// Keeps what the file `name` holds, and writes the word of the step over it where there is one.
    Copy,
    /// Sleeps.
    Sleep,
    /// Counts, sleeps and restarts: three effects to crash between.
    Steps,
    /// Twelve effects of all kinds: `name` is a server that knows idempotency keys, and the word one that does not.
    Twelve,
    /// One effect, or all that look, as the word names it, between two requests to the server `name`.
    Between,
    /// Sets a value again and again.
    Many,
    /// Sets values in an order and of a kind that only chance and clocks know.
    Chance,
    /// Fails, another attempt may help.
    Retryable,
    /// Fails for good.
    Permanent,
    /// Asks for a person.
    NeedsOperator,
}

impl Deed {
    /// What it is in this attempt.
    fn at(self, attempt: u32, until: u32) -> Self {
        let fails = matches!(
            self,
            Deed::Retryable | Deed::Permanent | Deed::NeedsOperator
        );
        if fails && until > 0 && attempt >= until {
            Deed::Restart
        } else {
            self
        }
    }
}

/// Does as it is told.
#[derive(Debug, Default)]
pub struct Probe;

impl RecoveryHandler for Probe {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let params: Params = op.params_as()?;
        let settings: ProbeSettings = host.settings()?;
        let report = Report::action(format!("probe {VERSION}"));
        let nap = params
            .length
            .or(settings.nap)
            .map(DurationText::get)
            .unwrap_or_default();
        let name = params.name.as_str();
        if cfg!(feature = "hasty") {
            host.target(&op.target).restart()?;
        }
        Ok(match params.deed.at(op.attempt, params.until) {
            Deed::Version => report,
            Deed::Echo => report.and(params.word.unwrap_or(settings.word)),
            Deed::Operation => report.and(format!("{op:?}")),
            Deed::Restart => {
                let target = if name.is_empty() { &op.target } else { name };
                host.target(target).restart()?;
                report.and("restarted")
            }
            Deed::Look => {
                let status = host.target(&op.target).status()?;
                let failing = host.target(&op.target).check()?;
                report
                    .and(format!("{status:?}"))
                    .and(format!("{} checks fail", failing.len()))
            }
            Deed::StopStart => {
                host.target(&op.target).stop()?;
                host.target(&op.target).start()?;
                report.and("stopped").and("started")
            }
            Deed::Signal => {
                host.target(&op.target).signal(Signal::Hup)?;
                report.and("signalled")
            }
            Deed::Command => {
                let output = host.command(name, &[("target", &op.target)])?;
                report.and(format!("exit {}: {}", output.exit_code, output.text()))
            }
            Deed::Http => {
                let response = host.http(Request::get(of_its_own(name)))?;
                report.and(format!("status {}: {}", response.status, response.text()))
            }
            Deed::Post => {
                let word = params.word.unwrap_or(settings.word);
                let body = format!("{{\"word\":\"{word}\"}}");
                let response = host.http(Request::post_json(name, body))?;
                report.and(format!("status {}: {}", response.status, response.text()))
            }
            Deed::Keep => {
                let word = of_its_own(&params.word.unwrap_or(settings.word));
                host.kv().set(&word, word.as_str())?;
                let kept = host.kv().get(&word)?.unwrap_or_default();
                report.and(String::from_utf8_lossy(&kept).into_owned())
            }
            Deed::Count => report.and(format!("run {}", count(host)?)),
            Deed::Kv => {
                host.kv().set("probe/a", "1")?;
                let value = host.kv().get("probe/a")?;
                let swapped = host
                    .kv()
                    .compare_and_set("probe/a", value.as_deref(), "2")?;
                let keys = host.kv().keys("probe/")?;
                host.kv().delete("probe/a")?;
                report.and(format!("{value:?} {swapped} {keys:?}"))
            }
            Deed::Backup => {
                let made = host.backup(name).create(BackupType::Snapshot)?;
                let newest = host
                    .backup(name)
                    .newest()?
                    .map_or(made.id, |backup| backup.id);
                let restored = host.backup(name).restore(&newest)?;
                report.and(format!("restored {} documents", restored.documents))
            }
            Deed::Read => report.and(std::fs::read_to_string(name).map_err(permanent)?),
            Deed::Write => {
                std::fs::write(name, params.word.unwrap_or(settings.word)).map_err(permanent)?;
                report.and("written")
            }
            Deed::Copy => {
                let text = std::fs::read_to_string(name).map_err(permanent)?;
                host.kv().set("copy", text.as_str())?;
                if let Some(word) = params.word {
                    std::fs::write(name, word).map_err(permanent)?;
                }
                report.and(text)
            }
            Deed::Sleep => {
                let before = host.now();
                host.sleep(nap);
                report.and(format!("slept {} ms", host.now().saturating_sub(before)))
            }
            Deed::Steps => {
                let run = count(host)?;
                host.sleep(nap);
                host.target(&op.target).restart()?;
                report.and(format!("run {run}")).and("restarted")
            }
            Deed::Twelve => {
                let word = params.word.unwrap_or(settings.word);
                let run = count(host)?;
                let began = host.now();
                host.http(Request::post_json(format!("{name}/begin"), "{}"))?;
                host.command("mark", &[("target", &op.target)])?;
                host.sleep(nap);
                host.http(Request::post_json(format!("{word}/once"), "{}"))?;
                host.target(&op.target).restart()?;
                host.kv().set("began", began.to_string())?;
                host.http(Request::post_json(format!("{name}/end"), "{}"))?;
                host.http(Request::get(format!("{name}/look")))?;
                host.target(&op.target).status()?;
                report.and(format!("run {run}"))
            }
            Deed::Between => {
                let word = params.word.unwrap_or(settings.word);
                report.and(between(host, &op.target, name, &word)?)
            }
            Deed::Many => {
                for number in 0..params.times {
                    host.kv().set("many", number.to_string())?;
                }
                report.and(format!("{} values", params.times))
            }
            Deed::Chance => report.and(chance(host)?),
            Deed::Retryable => return Err(RecoveryFailure::Retryable("asked to".into())),
            Deed::Permanent => return Err(RecoveryFailure::Permanent("asked to".into())),
            Deed::NeedsOperator => {
                return Err(RecoveryFailure::NeedsOperator(vec![
                    "look".into(),
                    "act".into(),
                ]));
            }
        })
    }
}

/// `$[secret:NAME]` is what it may make of a secret's name by itself, which no config would let through.
fn of_its_own(text: &str) -> String {
    text.replace("$[", "${").replace(']', "}")
}

/// What the file system refuses once it refuses again.
fn permanent(error: std::io::Error) -> RecoveryFailure {
    RecoveryFailure::Permanent(error.to_string())
}

/// One effect, or all that look, between two requests at which a test can stop it; says what came of it.
fn between(host: &mut impl Host, target: &str, name: &str, word: &str) -> Result<String> {
    // It is on the disk before the first request, and the record of the call with it.
    host.kv().set("between", word)?;
    if word == "start" {
        host.target(target).stop()?;
    }
    host.http(Request::get(format!("{name}/before")))?;
    let it = |method| Request::new(method, format!("{name}/it"));
    let mut told = word.to_owned();
    match word {
        "restart" => host.target(target).restart()?,
        "stop" => host.target(target).stop()?,
        "start" => host.target(target).start()?,
        "hup" => host.target(target).signal(Signal::Hup)?,
        "term" => host.target(target).signal(Signal::Term)?,
        "int" => host.target(target).signal(Signal::Int)?,
        "usr1" => host.target(target).signal(Signal::Usr1)?,
        "usr2" => host.target(target).signal(Signal::Usr2)?,
        "kill" => host.target(target).signal(Signal::Kill)?,
        "put" => told = host.http(it(Method::Put))?.status.to_string(),
        "delete" => told = host.http(it(Method::Delete))?.status.to_string(),
        "post" => told = host.http(it(Method::Post))?.status.to_string(),
        "patch" => told = host.http(it(Method::Patch))?.status.to_string(),
        "command" => {
            let output = host.command("once", &[("target", target)])?;
            told = output.exit_code.to_string();
        }
        "count" => told = format!("run {}", count(host)?),
        "set" => {
            host.kv().set("it", "1")?;
            told = kept(host)?;
        }
        "unset" => {
            host.kv().delete("it")?;
            told = kept(host)?;
        }
        "look" => told = look(host, target, name)?,
        "backup" => told = host.backup("state").create(BackupType::Snapshot)?.id,
        "restore" => told = restore(host, "kept")?,
        other => {
            let why = format!("there is no effect `{other}`");
            return Err(RecoveryFailure::Permanent(why));
        }
    }
    host.http(Request::get(format!("{name}/after")))?;
    if matches!(word, "stop" | "kill") {
        host.target(target).start()?;
    }
    Ok(told)
}

/// Whether the value is there that is set and deleted.
fn kept(host: &mut impl Host) -> Result<String, EffectError> {
    let kept = host.kv().get("it")?;
    Ok(kept.map_or("gone", |_| "there").to_owned())
}

/// All effects that only look; gives the time, and the identifier of the newest backup of `kept`.
fn look(host: &mut impl Host, target: &str, name: &str) -> Result<String, EffectError> {
    let now = host.now();
    host.target(target).status()?;
    host.target(target).check()?;
    host.kv().keys("b")?;
    host.kv().get("between")?;
    let newest = host.backup("kept").newest()?;
    for method in [Method::Head, Method::Options] {
        host.http(Request::new(method, format!("{name}/it")))?;
    }
    let id = newest.map_or_else(String::new, |backup| backup.id);
    Ok(format!("{now} {id}"))
}

/// The newest backup of a job is put back; gives its identifier.
fn restore(host: &mut impl Host, job: &str) -> Result<String> {
    let newest = host.backup(job).newest()?;
    let why = || RecoveryFailure::Permanent(format!("there is no backup of {job}"));
    let id = newest.ok_or_else(why)?.id;
    host.backup(job).restore(&id)?;
    Ok(id)
}

/// Sets values in the order of a `HashMap`, of random numbers and of what the clocks say; gives all of it in words.
fn chance(host: &mut impl Host) -> Result<String, EffectError> {
    let began = Instant::now();
    // By its own clock, and longer than any call may last by that of the host.
    std::thread::sleep(std::time::Duration::from_secs(3_600));
    let drawn = RandomState::new().build_hasher().finish();
    let words: HashMap<u32, u64> = (0..8)
        .map(|turns| (turns, drawn.rotate_left(turns)))
        .collect();
    let mut told = String::new();
    for (number, word) in &words {
        let today = SystemTime::now().duration_since(UNIX_EPOCH);
        let today = today.unwrap_or_default().as_nanos();
        let value = format!("{word:x} {today} {}", began.elapsed().as_nanos());
        told.push_str(&format!("{number}: {value} {}; ", host.now()));
        host.kv().set(&format!("chance-{number}"), value)?;
        if word % 2 == 0 {
            host.sleep(std::time::Duration::from_millis(u64::from(*number)));
        }
    }
    Ok(told)
}

/// Adds one to a durable count and gives it.
fn count(host: &mut impl Host) -> Result<u64, EffectError> {
    loop {
        let before = host.kv().get("count")?;
        let number = before
            .as_deref()
            .and_then(|bytes| std::str::from_utf8(bytes).ok()?.parse::<u64>().ok())
            .unwrap_or(0)
            + 1;
        if host
            .kv()
            .compare_and_set("count", before.as_deref(), number.to_string())?
        {
            return Ok(number);
        }
    }
}

impl Plugin for Probe {
    fn descriptor() -> Descriptor {
        let capability = |name: &str, why: &str| Capability {
            name: name.into(),
            why: why.into(),
        };
        Descriptor {
            name: env!("CARGO_PKG_NAME").into(),
            version: VERSION.into(),
            summary: env!("CARGO_PKG_DESCRIPTION").into(),
            handles: vec!["service-down".into()],
            capabilities: vec![
                capability("target", "do with the target what the test says"),
                capability("kv", "count its runs"),
            ],
            settings_schema: Some(schema_of::<ProbeSettings>()),
        }
    }

    fn configure(settings: &str) -> Result<(), String> {
        check::<ProbeSettings>(settings)
    }
}

mainstay_plugin_sdk::__export!(Probe, recovery);

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::testing::{ScriptedHost, operation};

    fn run(host: &mut ScriptedHost, params: &str) -> Report {
        let mut op = operation("api", "service-down");
        op.params = params.into();
        Probe.recover(&op, host).unwrap()
    }

    #[test]
    fn each_deed_starts_with_the_version_and_says_what_was_done() {
        fn check(params: &str, expected: &str) {
            let mut host = ScriptedHost::new();
            host.set_settings(r#"{"word": "hello"}"#);
            let report = run(&mut host, params);
            assert_eq!(report.actions[0], format!("probe {VERSION}"));
            assert_eq!(report.actions.get(1).map_or("", String::as_str), expected);
        }
        check("{}", "");
        check(r#"{"do": "echo"}"#, "hello");
        check(r#"{"do": "echo", "word": "hi"}"#, "hi");
        check(r#"{"do": "count"}"#, "run 1");
        check(r#"{"do": "kv"}"#, r#"Some([49]) true ["probe/a"]"#);
        check(r#"{"do": "keep", "word": "$[a]"}"#, "${a}");
        check(
            r#"{"do": "backup", "name": "state"}"#,
            "restored 1 documents",
        );
        check(r#"{"do": "sleep", "length": "20ms"}"#, "slept 20 ms");
    }

    #[test]
    fn what_fails_until_an_attempt_restarts_from_then_on() {
        let mut op = operation("api", "service-down");
        op.params = r#"{"do": "needs-operator", "until": 2}"#.into();
        let mut host = ScriptedHost::new();
        assert!(Probe.recover(&op, &mut host).is_err());
        op.attempt = 2;
        let report = Probe.recover(&op, &mut host).unwrap();
        assert_eq!(report.actions[1], "restarted");
    }

    #[test]
    fn runs_are_counted_across_calls() {
        let mut host = ScriptedHost::new();
        run(&mut host, r#"{"do": "count"}"#);
        assert_eq!(run(&mut host, r#"{"do": "steps"}"#).actions[1], "run 2");
    }
}
