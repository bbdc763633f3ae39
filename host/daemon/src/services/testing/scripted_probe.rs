//! A probe for tests.

use crate::ports::{Boxed, Probe};
use mainstay_domain::{
    health::{Evidence, Observation, Outcome},
    spec::{CheckSpec, TargetSpec},
    time::Timestamp,
};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::Semaphore;

/// A probe that sees what it is told to: healthy, until [`ScriptedProbe::show`].
pub(crate) struct ScriptedProbe {
    shown: Mutex<HashMap<String, Option<Outcome>>>,
    looks: Mutex<HashMap<String, u32>>,
    /// A look at this check waits for a permit; see [`ScriptedProbe::hold`].
    held: Mutex<Option<(String, Arc<Semaphore>)>>,
}

impl ScriptedProbe {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            shown: Mutex::default(),
            looks: Mutex::default(),
            held: Mutex::default(),
        })
    }

    /// From now on every look of this check sees this.
    pub(crate) fn show(&self, check: &str, outcome: Outcome) {
        self.shown.lock().insert(check.to_owned(), Some(outcome));
    }

    /// From now on a look of this check is too soon to see anything.
    pub(crate) fn show_nothing(&self, check: &str) {
        self.shown.lock().insert(check.to_owned(), None);
    }

    /// From now on every look of this check waits until the semaphore has a permit for it.
    pub(crate) fn hold(&self, check: &str) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.held.lock() = Some((check.to_owned(), Arc::clone(&gate)));
        gate
    }

    /// How often this check was looked at, looks that wait included.
    pub(crate) fn looks(&self, check: &str) -> u32 {
        self.looks.lock().get(check).copied().unwrap_or(0)
    }
}

impl Probe for ScriptedProbe {
    fn observe(
        &self,
        target: Arc<TargetSpec>,
        check: Arc<CheckSpec>,
        pid: Option<u32>,
    ) -> Boxed<'_, Option<Observation>> {
        let name = check.name.as_str();
        let shown = self.shown.lock().get(name).copied();
        let shown = shown.unwrap_or(Some(Outcome::Healthy));
        *self.looks.lock().entry(name.to_owned()).or_default() += 1;
        let held = self.held.lock().clone().filter(|(held, _)| held == name);
        Box::pin(async move {
            if let Some((_, gate)) = held {
                gate.acquire().await.unwrap().forget();
            }
            Some(Observation {
                target: target.name.clone(),
                check: check.name.clone(),
                outcome: shown?,
                evidence: Evidence {
                    check: check.name.to_string(),
                    observed_at: Timestamp::from_millis(1_700_000_000_000),
                    message: format!("as told, pid {pid:?}"),
                    value: None,
                    output: None,
                    score: None,
                },
            })
        })
    }
}
