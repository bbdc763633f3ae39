//! The imports of durable recovery handlers; who answers them stands in [`crate::durable`].

use super::{
    convert::Convert,
    imports::Traps,
    wit::mainstay::plugin::{durable, random},
};
use crate::call_state::{CallState, wrong_answer};
use mainstay_domain::{
    effect::{Answer, Effect, EffectResult},
    time::Timestamp,
};

impl random::Host for CallState {
    fn bytes(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        Ok(self.random.bytes(length)?)
    }

    fn number(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random.number())
    }
}

impl durable::Host for CallState {
    async fn sleep_until(&mut self, moment: u64) -> wasmtime::Result<()> {
        let effect = Effect::ClockNow;
        let name = effect.name();
        let now = match self.effect(effect).await? {
            Ok(Answer::Now(now)) => now.as_millis(),
            other => return Err(no_answer(name, other)),
        };
        let length_ms = moment.saturating_sub(now);
        if length_ms == 0 {
            return Ok(());
        }
        let effect = Effect::ClockSleep { length_ms };
        let name = effect.name();
        match self.effect(effect).await? {
            Ok(Answer::Done) => Ok(()),
            other => Err(no_answer(name, other)),
        }
    }

    async fn key(&mut self, name: String) -> wasmtime::Result<String> {
        self.durable_key(&name)
    }

    async fn replaying(&mut self) -> wasmtime::Result<bool> {
        Ok(self.session.is_replaying())
    }

    async fn await_signal(&mut self, name: String, until: u64) -> Traps<String> {
        let until = Timestamp::from_millis(until);
        let signal = self.await_signal(name, until).await?;
        Ok(signal.map_err(Convert::convert))
    }
}

/// What an import that has no error of its own makes of an effect that was not done.
fn no_answer(name: &'static str, result: EffectResult) -> wasmtime::Error {
    wasmtime::Error::new(match result {
        Err(error) => error,
        Ok(_) => wrong_answer(name),
    })
}
