//! Whether an answer is slow by what was usual before; plain Rust, without the host.

use mainstay_plugin_sdk::detection::Observation;

/// So many answers are looked at before any is called slow.
const FIRST: u32 = 5;
/// What a usual answer weighs in what is usual.
const WEIGHT: f64 = 1.0 / 8.0;
/// What a slow one does: a service that stays slower is usual in the end, and a bad hour is not.
const WEIGHT_OF_SLOW: f64 = 1.0 / 128.0;

/// What is usual, from look to look.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Trend {
    looks: u32,
    usual_ms: f64,
}

/// When an answer is slow.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// So many times what is usual.
    pub slow_factor: f64,
    /// Below this no answer is slow, milliseconds.
    pub least_ms: f64,
    /// Above this it is no answer, milliseconds.
    pub failed_ms: Option<f64>,
}

impl Trend {
    /// What the last look left; the beginning where that cannot be read.
    pub fn read(memory: &[u8]) -> Self {
        let text = String::from_utf8_lossy(memory);
        let parts = text.split_once(' ').and_then(|(looks, usual)| {
            let usual_ms: f64 = usual.parse().ok()?;
            let looks = looks.parse().ok()?;
            usual_ms.is_finite().then_some(Self { looks, usual_ms })
        });
        parts.unwrap_or_default()
    }

    /// What the next look gets.
    pub fn written(self) -> String {
        format!("{} {}", self.looks, self.usual_ms)
    }

    /// Judges an answer that took so long, and learns from it.
    pub fn judge(self, took_ms: f64, rule: Rule) -> Observation {
        let slow_above = (self.usual_ms * rule.slow_factor).max(rule.least_ms);
        let is_slow = self.looks >= FIRST && took_ms > slow_above;
        let is_failed = rule.failed_ms.is_some_and(|failed| took_ms > failed);
        let seen = format!(
            "an answer after {took_ms:.0} ms, where {:.0} ms are usual",
            self.usual_ms
        );
        let observation = if is_failed {
            Observation::failed(seen)
        } else if is_slow {
            Observation::degraded(seen)
        } else {
            Observation::healthy(seen)
        };
        let learnt = self.learnt(took_ms, is_slow || is_failed);
        observation.measuring(took_ms).remembering(learnt.written())
    }

    fn learnt(self, took_ms: f64, is_slow: bool) -> Self {
        let looks = self.looks.saturating_add(1);
        let weight = match is_slow {
            true => WEIGHT_OF_SLOW,
            // The first ones count alike.
            false => WEIGHT.max(1.0 / f64::from(looks)),
        };
        Self {
            looks,
            usual_ms: self.usual_ms + (took_ms - self.usual_ms) * weight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_plugin_sdk::detection::Condition;

    const RULE: Rule = Rule {
        slow_factor: 3.0,
        least_ms: 20.0,
        failed_ms: Some(1_000.0),
    };

    /// The condition of the last of these answers.
    fn last(answers: &[f64]) -> Condition {
        let mut memory = Vec::new();
        let mut condition = Condition::Healthy;
        for took in answers {
            let seen = Trend::read(&memory).judge(*took, RULE);
            (memory, condition) = (seen.memory, seen.condition);
        }
        condition
    }

    #[test]
    fn an_answer_is_slow_by_what_was_usual() {
        assert_eq!(last(&[10.0; 20]), Condition::Healthy);
        assert_eq!(
            last(&[10.0, 10.0, 10.0, 10.0, 10.0, 31.0]),
            Condition::Degraded
        );
        // Not before it is known what is usual, and not below the least.
        assert_eq!(last(&[10.0, 31.0]), Condition::Healthy);
        assert_eq!(last(&[1.0, 1.0, 1.0, 1.0, 1.0, 19.0]), Condition::Healthy);
        assert_eq!(last(&[10.0, 1_001.0]), Condition::Failed);
    }

    #[test]
    fn a_bad_hour_does_not_become_usual_and_a_slower_service_does() {
        let slow = |count: usize| {
            let mut answers = vec![10.0; 20];
            answers.extend(vec![100.0; count]);
            last(&answers)
        };
        assert_eq!(slow(5), Condition::Degraded);
        assert_eq!(slow(2_000), Condition::Healthy);
    }

    #[test]
    fn what_cannot_be_read_is_a_beginning() {
        let trend = Trend {
            looks: 7,
            usual_ms: 12.5,
        };
        assert_eq!(Trend::read(trend.written().as_bytes()), trend);
        for broken in ["", "7", "x 1", "7 NaN", "7 inf"] {
            assert_eq!(Trend::read(broken.as_bytes()), Trend::default(), "{broken}");
        }
    }
}
