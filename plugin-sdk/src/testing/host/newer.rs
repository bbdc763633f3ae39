//! What the scripted host answers to durable recovery handlers.

use super::ScriptedHost;
use crate::host::*;
use crate::testing::Effect;
use crate::testing::script::Script;

/// What only they need.
#[derive(Debug, Default)]
pub(super) struct Newer {
    drawn: u64,
    is_replaying: bool,
    awaited: Script<String>,
}

impl ScriptedHost {
    /// Scripts the next signal of a name: the text that comes with it, at once. Without a script none comes, and the clock
    /// is moved to where it is no longer waited for.
    pub fn on_await_signal(
        &mut self,
        name: &str,
        answer: Result<String, EffectError>,
    ) -> &mut Self {
        self.newer.awaited.add(name, answer);
        self
    }

    /// Says whether the plugin is told that it replays; by default not.
    pub fn set_replaying(&mut self, is_replaying: bool) -> &mut Self {
        self.newer.is_replaying = is_replaying;
        self
    }
}

impl Random for ScriptedHost {
    fn random_bytes(&mut self, length: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        while bytes.len() < length {
            bytes.extend(self.random_number().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// The same numbers in every test: SplitMix64.
    fn random_number(&mut self) -> u64 {
        self.newer.drawn = self.newer.drawn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.newer.drawn;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }
}

impl Durable for ScriptedHost {
    fn sleep_until(&mut self, moment: Timestamp) {
        self.effects.push(Effect::SleepUntil(moment));
        self.now = self.now.max(moment);
    }

    fn durable_key(&mut self, name: &str) -> String {
        format!("op-1-{name}")
    }

    fn is_replaying(&mut self) -> bool {
        self.newer.is_replaying
    }

    fn await_signal(&mut self, name: &str, until: Timestamp) -> Result<String, EffectError> {
        self.perform(Effect::AwaitSignal {
            name: name.to_owned(),
            until,
        })?;
        match self.newer.awaited.next(name) {
            Some(answer) => answer,
            None => {
                self.now = self.now.max(until);
                Err(EffectError::TimedOut(format!("no signal `{name}` came")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_differ_and_are_the_same_in_every_test() {
        let drawn = || {
            let mut host = ScriptedHost::new();
            (host.random_bytes(13), host.random_number())
        };
        let (bytes, number) = drawn();
        assert_eq!(bytes.len(), 13);
        assert_eq!(drawn(), (bytes, number));
        let mut host = ScriptedHost::new();
        assert_ne!(host.random_number(), host.random_number());
    }

    #[test]
    fn a_signal_comes_by_script_and_else_its_time_passes() {
        let mut host = ScriptedHost::new();
        host.on_await_signal("go", Ok("now".into()));
        let until = host.now() + 60_000;
        assert_eq!(host.await_signal("go", until), Ok("now".to_owned()));
        let late = host.await_signal("go", until);
        assert!(matches!(late, Err(EffectError::TimedOut(_))), "{late:?}");
        assert_eq!(host.now(), until);
        host.sleep_until(until - 1);
        assert_eq!(host.now(), until, "what is past is not waited for");
    }
}
