//! The imports of contract 1.0.0: each function is an effect, put into the words of the domain and back.
//!
//! Invariant: nothing is decided here; grants, limits and the effect itself are behind [`CallState::effect`].

use super::{
    convert::Convert,
    wit::mainstay::plugin::{backups, clock, commands, http, kv, log, settings, targets, types},
};
use crate::{
    call_state::{CallState, wrong_answer},
    effects::{LogLine, LogSource},
};
use mainstay_domain::{
    effect::{Answer, Effect, EffectError, EffectResult, HttpRequest},
    time::Timestamp,
};

/// What a trappable import gives: a trap, or what the guest sees.
pub(super) type Traps<T> = wasmtime::Result<Result<T, types::EffectError>>;

/// Takes out of a result what the effect is answered with.
fn answered<T>(
    effect: &'static str,
    result: EffectResult,
    take: impl FnOnce(Answer) -> Option<T>,
) -> Result<T, types::EffectError> {
    result
        .and_then(|answer| take(answer).ok_or_else(|| wrong_answer(effect)))
        .map_err(Convert::convert)
}

/// Performs an effect; the pattern says which answer is the right one and what the guest gets of it.
macro_rules! effect {
    ($state:expr, $effect:expr, $answer:pat => $value:expr) => {{
        let effect = $effect;
        let name = effect.name();
        let result = $state.effect(effect).await?;
        Ok(answered(name, result, |answer| match answer {
            $answer => Some($value),
            _ => None,
        }))
    }};
}

/// What an import that has no error of its own makes of one.
fn trap(error: types::EffectError) -> wasmtime::Error {
    let (types::EffectError::Denied(text)
    | types::EffectError::Limited(text)
    | types::EffectError::TimedOut(text)
    | types::EffectError::Unavailable(text)
    | types::EffectError::Failed(text)) = error;
    wasmtime::Error::new(EffectError::Failed(text))
}

impl types::Host for CallState {}

impl log::Host for CallState {
    fn write(
        &mut self,
        level: log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let line = LogLine {
            level: level.convert(),
            source: LogSource::Log,
            message,
            fields,
        };
        self.context.log(line);
        Ok(())
    }
}

impl settings::Host for CallState {
    fn get(&mut self) -> wasmtime::Result<String> {
        Ok(self.context.settings.to_string())
    }
}

impl clock::Host for CallState {
    async fn now(&mut self) -> wasmtime::Result<u64> {
        let now: Traps<u64> = effect!(self, Effect::ClockNow, Answer::Now(now) => now.as_millis());
        now?.map_err(trap)
    }

    async fn sleep(&mut self, length_ms: u64) -> wasmtime::Result<()> {
        let slept: Traps<()> = effect!(self, Effect::ClockSleep { length_ms }, Answer::Done => ());
        slept?.map_err(trap)
    }
}

impl targets::Host for CallState {
    async fn status(&mut self, target: String) -> Traps<targets::TargetStatus> {
        effect!(self, Effect::TargetStatus { target }, Answer::Status(status) => status.convert())
    }

    async fn start(&mut self, target: String) -> Traps<()> {
        effect!(self, Effect::TargetStart { target }, Answer::Done => ())
    }

    async fn stop(&mut self, target: String) -> Traps<()> {
        effect!(self, Effect::TargetStop { target }, Answer::Done => ())
    }

    async fn restart(&mut self, target: String) -> Traps<()> {
        effect!(self, Effect::TargetRestart { target }, Answer::Done => ())
    }

    async fn send(&mut self, target: String, signal: targets::Signal) -> Traps<()> {
        let signal = signal.convert();
        effect!(self, Effect::TargetSend { target, signal }, Answer::Done => ())
    }

    async fn check(&mut self, target: String) -> Traps<Vec<types::Evidence>> {
        effect!(self, Effect::TargetCheck { target }, Answer::Evidence(seen) => {
            seen.into_iter().map(Convert::convert).collect()
        })
    }
}

impl commands::Host for CallState {
    async fn run(
        &mut self,
        name: String,
        arguments: Vec<(String, String)>,
    ) -> Traps<commands::Output> {
        effect!(self, Effect::CommandRun { name, arguments }, Answer::Output(output) => commands::Output {
            exit_code: output.exit_code,
            stdout: output.stdout.0,
            stderr: output.stderr.0,
            truncated: output.truncated,
        })
    }
}

impl http::Host for CallState {
    async fn send(&mut self, request: http::Request) -> Traps<http::Response> {
        let request = HttpRequest {
            method: request.method.convert(),
            url: request.url,
            headers: request.headers,
            body: request.body.into(),
            timeout_ms: request.timeout,
            signing: None,
        };
        effect!(self, Effect::HttpSend(request), Answer::Response(response) => http::Response {
            status: response.status,
            headers: response.headers,
            body: response.body.0,
        })
    }
}

impl kv::Host for CallState {
    async fn get(&mut self, key: String) -> Traps<Option<Vec<u8>>> {
        effect!(self, Effect::KvGet { key }, Answer::Value(value) => value.map(|value| value.0))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> Traps<()> {
        let value = value.into();
        effect!(self, Effect::KvSet { key, value }, Answer::Done => ())
    }

    async fn delete(&mut self, key: String) -> Traps<()> {
        effect!(self, Effect::KvDelete { key }, Answer::Done => ())
    }

    async fn compare_and_set(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> Traps<bool> {
        let (expected, value) = (expected.map(Into::into), value.into());
        effect!(self, Effect::KvCompareAndSet { key, expected, value }, Answer::Swapped(swapped) => swapped)
    }

    async fn keys(&mut self, prefix: String) -> Traps<Vec<String>> {
        effect!(self, Effect::KvKeys { prefix }, Answer::Keys(keys) => keys)
    }
}

impl backups::Host for CallState {
    async fn newest(&mut self, job: String, before: Option<u64>) -> Traps<Option<types::Backup>> {
        let before = before.map(Timestamp::from_millis);
        effect!(self, Effect::BackupNewest { job, before }, Answer::Backup(backup) => backup.map(Convert::convert))
    }

    async fn create(
        &mut self,
        job: String,
        backup_type: types::BackupType,
    ) -> Traps<types::Backup> {
        let backup_type = backup_type.convert();
        effect!(self, Effect::BackupCreate { job, backup_type }, Answer::Backup(Some(backup)) => backup.convert())
    }

    async fn restore(&mut self, job: String, id: String) -> Traps<backups::Restored> {
        effect!(self, Effect::BackupRestore { job, id }, Answer::Restored { documents, bytes } => {
            backups::Restored { documents, bytes }
        })
    }
}
