//! The join of contract 1.1.0 with durable execution: what a durable recovery handler asks beside effects, and who answers.
//!
//! | import | answered by | for a replay |
//! |---|---|---|
//! | `random.bytes`, `random.number` | [`Random`], here, from [`Call::seed`](crate::effects::Call) | the call has the recorded seed, and the numbers are the same |
//! | `durable.key` | [`key`], here, from the operation and the name | nothing: it is the same in every attempt |
//! | `durable.sleep-until` | `clock.now` and, for what is left, `clock.sleep`, as two effects of the session | both are in the record already |
//! | `durable.replaying` | [`EffectSession::is_replaying`](crate::effects::EffectSession::is_replaying), by default no | the session knows |
//! | `durable.await-signal` | [`EffectSession::await_signal`](crate::effects::EffectSession::await_signal), by default `unavailable` | the session records it and feeds it, as it does `clock.sleep` |
//!
//! So who makes calls durable gives the recorded seed to the call (`Making` in `plugin/calls.rs` has it beside the settings),
//! and writes the two functions of the session. Nothing in `bindings` and `worlds` has to change.
//!
//! Invariant: nothing here reads a clock or a source of randomness; the same call has the same answers.

use crate::limits::{Exceeded, Limit};
use mainstay_domain::{effect::EffectError, id::OperationId};

/// Random bytes that a guest gets at once.
pub(crate) const RANDOM_BYTES: u32 = 64 << 10;
/// The longest name of a signal.
const SIGNAL_NAME: usize = 64;
/// Digits of a key after its operation.
const KEY_DIGITS: usize = 32;

/// The random numbers of one call: what was drawn is never drawn again.
pub(crate) struct Random {
    seed: [u8; 32],
    drawn: u64,
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    /// The next bytes.
    pub(crate) fn bytes(&mut self, length: u32) -> Result<Vec<u8>, Exceeded> {
        if length > RANDOM_BYTES {
            return Err(Exceeded::new(Limit::Random, RANDOM_BYTES));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.fill(&mut bytes);
        Ok(bytes)
    }

    /// The next number.
    pub(crate) fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        // Of its own purpose: handles of secrets are drawn from the same seed.
        let mut hasher = blake3::Hasher::new_keyed(&self.seed);
        hasher.update(b"mainstay:plugin/random");
        let mut reader = hasher.finalize_xof();
        reader.set_position(self.drawn);
        reader.fill(bytes);
        self.drawn = reader.position();
    }
}

/// The idempotency key of something that a handler does once in an operation.
pub(crate) fn key(operation: &OperationId, name: &str) -> String {
    let digest = blake3::hash(name.as_bytes()).to_hex();
    let digits: String = digest.chars().take(KEY_DIGITS).collect();
    format!("{operation}-{digits}")
}

/// Checks the name of a signal, which a guest gives.
pub(crate) fn check_signal(name: &str) -> Result<(), EffectError> {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    match name.len() <= SIGNAL_NAME && name.split('-').all(is_word) {
        true => Ok(()),
        false => Err(EffectError::Failed(format!(
            "`{}` is no name of a signal: 1 to {SIGNAL_NAME} lower-case letters, digits and single hyphens between them \
             are allowed",
            mainstay_domain::text::excerpt(name)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_however_they_are_drawn() {
        let mut one = Random::new([7; 32]);
        let mut other = Random::new([7; 32]);
        let whole = one.bytes(40).unwrap();
        let mut parts = other.bytes(32).unwrap();
        parts.extend(other.number().to_le_bytes());
        assert_eq!(whole, parts);
        assert_ne!(one.number(), one.number());
        assert_ne!(Random::new([8; 32]).bytes(40).unwrap(), whole);
    }

    #[test]
    fn more_random_bytes_than_are_allowed_at_once_are_a_limit() {
        let mut random = Random::new([7; 32]);
        assert_eq!(random.bytes(RANDOM_BYTES).unwrap().len(), 65_536);
        let exceeded = random.bytes(RANDOM_BYTES + 1).unwrap_err();
        assert_eq!(
            exceeded.to_string(),
            "exceeded its limit of random bytes: 64 KiB"
        );
    }

    #[test]
    fn a_key_is_the_same_for_the_same_name_in_one_operation_and_may_stand_in_a_header() {
        let [one, other] = ["A", "B"]
            .map(|end| OperationId::parse(&format!("op-01K000000000000000000000{end}0")).unwrap());
        let of_one = key(&one, "drain ✓");
        assert_eq!(of_one, key(&one, "drain ✓"));
        assert_ne!(of_one, key(&one, "drain"));
        assert_ne!(of_one, key(&other, "drain ✓"));
        assert!(of_one.len() <= 128, "{of_one}");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        assert!(of_one.bytes().all(plain), "{of_one}");
    }

    #[test]
    fn a_signal_has_a_name_in_kebab_case() {
        for name in ["go", "drained-2", "a"] {
            assert!(check_signal(name).is_ok(), "{name}");
        }
        let long = "a".repeat(SIGNAL_NAME + 1);
        for name in ["", "-", "a--b", "Go", "a b", "é", long.as_str()] {
            let failed = check_signal(name).unwrap_err();
            assert!(matches!(failed, EffectError::Failed(_)), "{failed}");
        }
    }
}
