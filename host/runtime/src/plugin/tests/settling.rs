//! Each call has one session of effects, which is settled before the caller learns of its end.

use crate::{
    effects::{Boxed, Call, EffectPort, EffectSession, LogLine, Settling},
    engine::{Engine, Ticking},
    error::CallFailure,
    loader::{Loader, LoaderOptions},
    plugin::Plugin,
    testing::{Guest, LONG, RESTART, may_restart, request},
};
use mainstay_domain::{
    effect::{Answer, Effect, EffectResult},
    spec::{Limits, PluginSpec},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinHandle, time::timeout};

/// Effects that act in tasks of their own, each until it gets a permit. Its clones are one.
#[derive(Clone)]
struct Acting {
    gate: Arc<Semaphore>,
    /// Sessions that began, that are asked to settle, and that have settled.
    begun: Arc<AtomicU32>,
    settling: Arc<AtomicU32>,
    settled: Arc<AtomicU32>,
}

impl Acting {
    fn with_permits(permits: usize) -> Self {
        Self {
            gate: Arc::new(Semaphore::new(permits)),
            begun: Arc::default(),
            settling: Arc::default(),
            settled: Arc::default(),
        }
    }

    fn sessions(&self) -> (u32, u32) {
        (self.begun.load(SeqCst), self.settled.load(SeqCst))
    }
}

struct Session {
    of: Acting,
    effects: u32,
    acting: Option<JoinHandle<()>>,
}

impl EffectSession for Session {
    fn perform(&mut self, _: Effect) -> Boxed<'_, EffectResult> {
        self.effects += 1;
        let gate = self.of.gate.clone();
        let work = async move { gate.acquire_owned().await.unwrap().forget() };
        let acting = self.acting.insert(tokio::spawn(work));
        Box::pin(async move {
            acting.await.unwrap();
            Ok(Answer::Done)
        })
    }

    fn settle(mut self: Box<Self>) -> Settling {
        self.of.settling.fetch_add(1, SeqCst);
        Settling::Waits(Box::pin(async move {
            if let Some(acting) = self.acting.take_if(|acting| !acting.is_finished()) {
                acting.await.unwrap();
            }
            self.of.settled.fetch_add(1, SeqCst);
            self.effects
        }))
    }
}

impl EffectPort for Acting {
    fn begin(&self, call: &Arc<Call>) -> Box<dyn EffectSession> {
        self.begun.fetch_add(1, SeqCst);
        Box::new(Session {
            of: self.clone(),
            effects: call.purpose.effects(),
            acting: None,
        })
    }

    fn log(&self, _: &Call, _: LogLine) {}
}

async fn plugin(acting: &Acting, guest: &Guest, spec: &PluginSpec) -> Plugin {
    let engine = Engine::with_ticking(Ticking::Thread).unwrap();
    let loader = Loader::new(LoaderOptions::new(engine, Arc::new(acting.clone()))).unwrap();
    let candidate = loader.load(guest.build().into()).await.unwrap();
    loader.configure(&candidate, spec).await.unwrap()
}

fn recovering(recover: &'static str) -> Guest {
    Guest {
        recover,
        ..Guest::default()
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < LONG, "{what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_call_that_timed_out_is_answered_when_its_effect_has_its_result() {
    let acting = Acting::with_permits(0);
    let plugin = plugin(&acting, &recovering(RESTART), &may_restart()).await;
    assert_eq!(acting.sessions(), (2, 2), "`describe` and `configure`");
    let hasty = Duration::from_millis(300);
    let call = tokio::spawn(async move { plugin.recover(&request(), 4, hasty).await });
    until("its time is over", || acting.settling.load(SeqCst) == 3).await;
    tokio::task::yield_now().await;
    assert!(!call.is_finished(), "its effect still acts");
    acting.gate.add_permits(1);
    let settled = timeout(LONG, call).await.unwrap().unwrap();
    assert_eq!(acting.sessions(), (3, 3));
    assert_eq!(settled.effects, 5);
    let error = settled.called.unwrap_err();
    assert!(matches!(error.cause, CallFailure::TimedOut(_)), "{error}");
}

#[tokio::test]
async fn while_an_effect_still_acts_its_plugin_serves_other_calls() {
    let acting = Acting::with_permits(0);
    let limits = Limits {
        concurrency: 1,
        ..Limits::default()
    };
    let spec = PluginSpec {
        limits,
        ..may_restart()
    };
    let plugin = Arc::new(plugin(&acting, &recovering(RESTART), &spec).await);
    let call = |time| {
        let plugin = plugin.clone();
        tokio::spawn(async move { plugin.recover(&request(), 0, time).await })
    };
    let first = call(Duration::from_millis(300));
    until("its time is over", || acting.settling.load(SeqCst) == 3).await;
    let second = call(LONG);
    until("it has its turn", || acting.sessions() == (4, 2)).await;
    acting.gate.add_permits(2);
    for (call, answers) in [(first, false), (second, true)] {
        let settled = timeout(LONG, call).await.unwrap().unwrap();
        assert_eq!(settled.called.is_ok(), answers);
    }
}

#[tokio::test]
async fn a_call_is_settled_however_it_ends() {
    let limits = Limits {
        deadline: Duration::from_millis(50),
        memory_bytes: 4 << 20,
        ..Limits::default()
    };
    let spec = PluginSpec {
        limits,
        ..may_restart()
    };
    for (recover, answers) in [
        ("", true),
        (RESTART, true),
        ("unreachable", false),
        ("(loop (br 0))", false),
        ("(loop (drop (memory.grow (i32.const 10))) (br 0))", false),
    ] {
        let acting = Acting::with_permits(1);
        let plugin = plugin(&acting, &recovering(recover), &spec).await;
        let settled = plugin.recover(&request(), 0, LONG).await;
        assert_eq!(settled.called.is_ok(), answers, "{recover}");
        assert_eq!(acting.sessions(), (3, 3), "{recover}");
    }
}

#[tokio::test]
async fn the_numbers_of_effects_go_on_over_the_calls_of_an_operation() {
    let acting = Acting::with_permits(2);
    let granted = plugin(&acting, &recovering(RESTART), &may_restart()).await;
    let first = granted.recover(&request(), 7, LONG).await;
    let second = granted.recover(&request(), first.effects, LONG).await;
    assert_eq!((first.effects, second.effects), (8, 9));
    assert!(first.acted && second.acted);
    let refused = plugin(&acting, &recovering(RESTART), &PluginSpec::default()).await;
    let denied = refused.recover(&request(), 9, LONG).await;
    assert!(denied.called.unwrap().is_err());
    assert_eq!(denied.effects, 9, "what is denied has no number");
    assert!(!denied.acted, "and does nothing");
}

#[tokio::test]
async fn a_call_that_never_began_leaves_the_numbers_as_they_were() {
    let acting = Acting::with_permits(0);
    let trapping = plugin(&acting, &recovering("unreachable"), &may_restart()).await;
    for _ in 0..5 {
        assert_eq!(trapping.recover(&request(), 3, LONG).await.effects, 3);
    }
    let resting = trapping.recover(&request(), 3, LONG).await;
    let error = resting.called.unwrap_err();
    assert!(matches!(error.cause, CallFailure::Resting(..)), "{error}");
    assert_eq!(resting.effects, 3);
    let alerter = Guest {
        world: "alerter",
        ..Guest::default()
    };
    let another = plugin(&acting, &alerter, &PluginSpec::default()).await;
    let wrong = another.recover(&request(), 3, LONG).await;
    let error = wrong.called.unwrap_err();
    assert!(matches!(error.cause, CallFailure::WrongKind(_)), "{error}");
    assert_eq!(wrong.effects, 3);
}
