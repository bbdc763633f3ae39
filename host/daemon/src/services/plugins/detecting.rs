//! Checks that detectors make: a call for each look, and what each check keeps from look to look.
//!
//! Invariant: of each check one memory is kept, of 4 KiB at most, for the version that left it and for what it was asked;
//! none for long after its check is gone.

use super::PluginCalls;
use crate::ports::{Boxed, Detected, Detectors};
use mainstay_domain::{
    call::ProbeRequest,
    name::{CheckName, TargetName},
    plugin::PluginKind,
    spec::{CheckKind, CheckSpec, PluginCheck},
    time::Timestamp,
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

/// So many checks are kept without a look at which of them are gone.
const FEW: usize = 64;

/// What the checks of all targets keep.
#[derive(Default)]
pub(super) struct Memories(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    of_checks: HashMap<(TargetName, CheckName), Memory>,
    /// With so many those that are gone are looked for; twice what was left, so that it is a look each now and then.
    sweep_at: usize,
}

struct Memory {
    check: Weak<CheckSpec>,
    asked: PluginCheck,
    /// Of the component that left it.
    digest: String,
    bytes: Vec<u8>,
}

impl Memories {
    /// What the same version left when it was last asked the same for this check.
    fn recall(&self, of: &(TargetName, CheckName), asked: &PluginCheck, digest: &str) -> Vec<u8> {
        let kept = self.0.lock();
        let memory = kept.of_checks.get(of);
        let own = memory.filter(|memory| memory.asked == *asked && memory.digest == digest);
        own.map(|memory| memory.bytes.clone()).unwrap_or_default()
    }

    fn keep(&self, of: (TargetName, CheckName), memory: Memory) {
        let mut kept = self.0.lock();
        if kept.of_checks.len() >= kept.sweep_at {
            kept.of_checks
                .retain(|_, memory| memory.check.strong_count() > 0);
            kept.sweep_at = kept.of_checks.len().saturating_mul(2).max(FEW);
        }
        kept.of_checks.insert(of, memory);
    }
}

impl Detectors for PluginCalls {
    fn detect(
        &self,
        target: TargetName,
        check: Arc<CheckSpec>,
        now: Timestamp,
    ) -> Boxed<'_, Result<Detected, String>> {
        Box::pin(async move {
            let CheckKind::Plugin(asked) = &check.kind else {
                return Err("no plugin makes this check".to_owned());
            };
            let found = self.get(PluginKind::Detector, &asked.plugin, &asked.version);
            let plugin = found.map_err(|error| error.to_string())?;
            let identity = plugin.identity();
            let of = (target.clone(), check.name.clone());
            let request = ProbeRequest {
                target,
                check: check.name.clone(),
                params: asked.params.clone(),
                now,
                timeout: check.timeout,
                memory: self.memories.recall(&of, asked, &identity.digest),
            };
            let seen = plugin.probe(&request, check.timeout).await;
            let seen = seen.map_err(|error| error.to_string())?;
            let seen = seen.and_then(|seen| seen.judged(&plugin.descriptor().handles));
            let (seen, outcome) = seen.map_err(|why| format!("{identity}: {why}"))?;
            let memory = Memory {
                check: Arc::downgrade(&check),
                asked: asked.clone(),
                digest: identity.digest.clone(),
                bytes: seen.memory,
            };
            self.memories.keep(of, memory);
            let message = match seen.failure {
                Some(failure) => format!("{failure}: {}", seen.message),
                None => seen.message,
            };
            Ok(Detected {
                outcome,
                message,
                value: seen.value,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Clock;
    use crate::services::testing::{ManualClock, specs, specs::name, within};
    use mainstay_domain::name::PluginName;
    use semver::VersionReq;

    fn asked(params: serde_json::Value) -> PluginCheck {
        PluginCheck {
            plugin: PluginName::parse("trend").unwrap(),
            version: VersionReq::STAR,
            params,
        }
    }

    fn memory(check: &Arc<CheckSpec>, asked: &PluginCheck, bytes: &[u8]) -> Memory {
        Memory {
            check: Arc::downgrade(check),
            asked: asked.clone(),
            digest: "ab".to_owned(),
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn a_memory_is_for_its_check_what_it_was_asked_and_who_left_it() {
        let memories = Memories::default();
        let check = Arc::new(specs::check("trend"));
        let of = |target: &str| (name(target), check.name.clone());
        let (one, other) = (
            asked(serde_json::json!({})),
            asked(serde_json::json!({"a": 1})),
        );
        assert_eq!(memories.recall(&of("web"), &one, "ab"), b"");
        memories.keep(of("web"), memory(&check, &one, b"first"));
        memories.keep(of("web"), memory(&check, &one, b"second"));
        assert_eq!(memories.recall(&of("web"), &one, "ab"), b"second");
        assert_eq!(memories.recall(&of("api"), &one, "ab"), b"");
        assert_eq!(memories.recall(&of("web"), &other, "ab"), b"");
        assert_eq!(memories.recall(&of("web"), &one, "cd"), b"");
    }

    #[test]
    fn the_memories_of_checks_that_are_gone_are_forgotten() {
        let memories = Memories::default();
        let stays = Arc::new(specs::check("trend"));
        let one = asked(serde_json::json!({}));
        memories.keep(
            (name("web"), stays.name.clone()),
            memory(&stays, &one, b"kept"),
        );
        for number in 0..1_000 {
            let gone = Arc::new(specs::check("trend"));
            let of = (name(&format!("t-{number}")), gone.name.clone());
            memories.keep(of, memory(&gone, &one, b"gone"));
        }
        assert!(memories.0.lock().of_checks.len() <= 2 * FEW);
        let of = (name("web"), stays.name.clone());
        assert_eq!(memories.recall(&of, &one, "ab"), b"kept");
    }

    #[tokio::test]
    async fn who_cannot_be_asked_could_not_look() {
        let mut check = specs::check("trend");
        check.kind = CheckKind::Plugin(asked(serde_json::json!({})));
        let calls = PluginCalls::default();
        let now = ManualClock::new().now();
        let seen = within(calls.detect(name("web"), Arc::new(check), now)).await;
        assert_eq!(seen, Err("plugins are not loaded yet".to_owned()));
    }
}
