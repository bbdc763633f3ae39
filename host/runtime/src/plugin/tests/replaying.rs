//! The time of a call that is made again from its record.

use crate::{
    effects::{Boxed, Call, EffectPort, EffectSession, LogLine, Settling},
    engine::{Engine, Ticking},
    error::CallFailure,
    limits::Limit,
    loader::{Loader, LoaderOptions},
    testing::{Guest, LOG, LONG, RESTART, may_restart, request},
};
use mainstay_domain::{
    effect::{Answer, Effect, EffectResult},
    spec::{Limits, PluginSpec},
};
use std::{sync::Arc, time::Duration};

/// A tick passes with each line that is logged, and so many effects are on record.
struct Recorded {
    engine: Engine,
    effects: u32,
}

struct Session {
    /// Effects that are on record and were not asked for yet.
    left: u32,
    effects: u32,
}

impl EffectPort for Recorded {
    fn begin(&self, call: &Arc<Call>) -> Box<dyn EffectSession> {
        Box::new(Session {
            left: self.effects,
            effects: call.purpose.effects(),
        })
    }

    fn log(&self, _: &Call, _: LogLine) {
        self.engine.tick();
    }
}

impl EffectSession for Session {
    fn perform(&mut self, _: Effect) -> Boxed<'_, EffectResult> {
        self.left = self.left.saturating_sub(1);
        self.effects += 1;
        Box::pin(std::future::ready(Ok(Answer::Done)))
    }

    fn is_replaying(&self) -> bool {
        self.left > 0
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(self.effects)
    }
}

/// A guest that computes for a tick before each of its six effects may do so for less than four.
#[tokio::test]
async fn a_guest_has_all_its_time_again_where_its_record_is_used_up() {
    let guest = Guest {
        recover: [LOG, RESTART].concat().repeat(6).leak(),
        ..Guest::default()
    };
    let limits = Limits {
        deadline: Duration::from_millis(8),
        ..Limits::default()
    };
    let spec = PluginSpec {
        limits,
        ..may_restart()
    };
    for (recorded, ends) in [(0, Some(3)), (2, Some(5)), (3, None)] {
        let engine = Engine::with_ticking(Ticking::Manual).unwrap();
        let port = Arc::new(Recorded {
            engine: engine.clone(),
            effects: recorded,
        });
        let loader = Loader::new(LoaderOptions::new(engine, port)).unwrap();
        let candidate = loader.load(guest.build().into()).await.unwrap();
        let plugin = loader.configure(&candidate, &spec).await.unwrap();
        let settled = plugin.recover(&request(), 0, LONG).await;
        match (settled.called, ends) {
            (Ok(answer), None) => assert!(answer.is_ok(), "{answer:?}"),
            (Err(error), Some(effects)) => {
                let CallFailure::Limit { exceeded, .. } = &error.cause else {
                    panic!("{recorded} on record: {error}")
                };
                assert_eq!(exceeded.limit, Limit::Deadline, "{recorded} on record");
                assert_eq!(settled.effects, effects, "{recorded} on record");
            }
            (called, _) => panic!("{recorded} on record: {called:?}"),
        }
    }
}
