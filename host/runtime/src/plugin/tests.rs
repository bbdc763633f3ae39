//! Every limit, on the path of a real call.
//!
//! Length: one table of limits is easier to check for gaps than several.

mod replaying;
mod settling;

use crate::{
    error::CallFailure,
    limits::Limit,
    observer::PluginEvent,
    testing::{Guest, LOG, LONG, RESTART, Recorder, TELL, may_restart, plugin, request},
};
use mainstay_domain::{
    call::{RecoveryFailure, Report},
    effect::Effect,
    secret::Masked,
    spec::{Grants, Limits, PluginSpec},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

fn recovering(recover: &'static str) -> Guest {
    Guest {
        recover,
        ..Guest::default()
    }
}

#[tokio::test]
async fn a_granted_effect_reaches_the_port_and_the_report_comes_back() {
    let recorder = Arc::new(Recorder::default());
    let plugin = plugin(&recorder, &recovering(RESTART), &may_restart()).await;
    for _ in 0..3 {
        assert_eq!(
            plugin.recover(&request(), 0, LONG).await.called.unwrap(),
            Ok(Report::default())
        );
    }
    let restart = Effect::TargetRestart {
        target: "api".to_owned(),
    };
    assert_eq!(*recorder.effects.lock(), vec![restart; 3]);
    assert_eq!((plugin.counts().calls, plugin.counts().failures), (3, 0));
}

#[tokio::test]
async fn a_guest_has_handles_for_secrets_and_what_it_says_of_them_is_shown_with_names() {
    const SETTINGS: &str = r#"{"url":"https://hooks.example/${secret:hook}"}"#;
    const PARAMS: &str = r#"{"a":"${secret:hook}","b":"${secret:of-nobody}"}"#;
    let recorder = Arc::new(Recorder::default());
    let spec = PluginSpec {
        settings: serde_json::from_str(SETTINGS).unwrap(),
        grants: Grants {
            kv_bytes: 1,
            ..Grants::default()
        },
        ..PluginSpec::default()
    };
    let guest = Guest {
        world: "tells",
        ..recovering(TELL)
    };
    let plugin = plugin(&recorder, &guest, &spec).await;
    let mut request = request();
    request.params = serde_json::from_str(PARAMS).unwrap();
    for _ in 0..2 {
        let failure = plugin.recover(&request, 0, LONG).await.called.unwrap();
        assert_eq!(failure, Err(RecoveryFailure::Permanent(PARAMS.to_owned())));
    }
    assert_eq!(plugin.counts().last_error.as_deref(), Some(PARAMS));
    for line in recorder.lines.lock().iter() {
        assert_eq!(line.message, PARAMS);
    }
    let effects = recorder.effects.lock().clone();
    let seen: Vec<String> = effects
        .into_iter()
        .map(|effect| match effect {
            Effect::KvGet { key } => key,
            other => panic!("{other:?}"),
        })
        .collect();
    let handles = recorder.secrets.lock();
    let written = [SETTINGS, PARAMS, SETTINGS, PARAMS];
    for ((seen, written), handles) in seen.iter().zip(written).zip(handles.iter()) {
        assert!(!seen.contains("hook}"), "{seen}");
        assert_eq!(seen.clone().masked(handles), written);
    }
    assert_eq!(seen.len(), written.len());
    // The handles of the first call mean nothing in the second.
    assert_ne!(seen[0], seen[2]);
    assert_eq!(seen[0].clone().masked(&handles[2]), seen[0]);
}

#[tokio::test]
async fn a_denied_effect_never_reaches_the_port_and_names_the_missing_grant() {
    let recorder = Arc::new(Recorder::default());
    let plugin = plugin(&recorder, &recovering(RESTART), &PluginSpec::default()).await;
    let failure = plugin
        .recover(&request(), 0, LONG)
        .await
        .called
        .unwrap()
        .unwrap_err();
    let RecoveryFailure::Permanent(text) = failure else {
        panic!("{failure:?}")
    };
    assert!(
        text.contains(r#"`[plugin.fixer] grants = { target = ["restart"] }` would give it"#),
        "{text}"
    );
    assert!(recorder.effects.lock().is_empty());
    assert_eq!(
        plugin.counts().failures,
        1,
        "an error that it returns is a failed call"
    );
    assert!(!plugin.counts().quarantined);
}

/// A call that breaks a limit ends with a reason that names plugin, limit and remedy, and the next call is none the
/// worse for it.
async fn check_exceeds(guest: Guest, limits: Limits, limit: Limit, words: &[&str]) {
    let recorder = Arc::new(Recorder::default());
    let spec = PluginSpec {
        limits,
        ..may_restart()
    };
    let plugin = plugin(&recorder, &guest, &spec).await;
    for _ in 0..2 {
        let error = plugin
            .recover(&request(), 0, LONG)
            .await
            .called
            .unwrap_err();
        let CallFailure::Limit { exceeded, .. } = &error.cause else {
            panic!("{error} should be a limit")
        };
        assert_eq!(exceeded.limit, limit, "{error}");
        let text = error.to_string();
        for word in [
            "fixer@1.0.0: `recover` exceeded its limit of ",
            limit.as_str(),
        ]
        .iter()
        .chain(words)
        {
            assert!(text.contains(word), "`{text}` should say `{word}`");
        }
    }
}

#[tokio::test]
async fn an_endless_loop_ends_at_its_cpu_deadline() {
    let limits = Limits {
        deadline: Duration::from_millis(50),
        ..Limits::default()
    };
    let words = ["50ms", "raise `[plugin.fixer] limits.deadline`"];
    check_exceeds(recovering("(loop (br 0))"), limits, Limit::Deadline, &words).await;
}

#[tokio::test]
async fn an_endless_recursion_ends_at_the_end_of_its_stack() {
    let guest = Guest {
        recover: "(drop (call $deep (i32.const 1)))",
        functions: "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))",
        ..Guest::default()
    };
    check_exceeds(
        guest,
        Limits::default(),
        Limit::Stack,
        &["512 KiB", "this limit is fixed"],
    )
    .await;
}

#[tokio::test]
async fn a_memory_bomb_ends_at_its_memory_limit() {
    let limits = Limits {
        memory_bytes: 4 << 20,
        ..Limits::default()
    };
    let bomb = "(loop (drop (memory.grow (i32.const 10))) (br 0))";
    check_exceeds(
        recovering(bomb),
        limits,
        Limit::Memory,
        &["4 MiB", "limits.memory"],
    )
    .await;
}

/// A guest that may import timers of WASI.
fn with_timers(recover: &'static str) -> Guest {
    Guest {
        world: "with-timers",
        ..recovering(recover)
    }
}

#[tokio::test]
async fn a_hoard_of_wasi_handles_ends_the_call() {
    check_exceeds(
        with_timers("(loop (drop (call $timer (i64.const 0))) (br 0))"),
        Limits::default(),
        Limit::Handles,
        &["64 at one time", "this limit is fixed"],
    )
    .await;
}

#[tokio::test]
async fn handles_that_are_dropped_do_not_count() {
    let frugal = "(local $made i32)
        (loop
            (call $drop (call $timer (i64.const 0)))
            (local.set $made (i32.add (local.get $made) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $made) (i32.const 1000))))";
    let recorder = Arc::new(Recorder::default());
    let plugin = plugin(&recorder, &with_timers(frugal), &PluginSpec::default()).await;
    let answer = plugin.recover(&request(), 0, LONG).await.called.unwrap();
    assert_eq!(answer, Ok(Report::default()));
}

#[tokio::test]
async fn a_result_that_is_too_large_is_not_taken() {
    let huge = "(drop (memory.grow (i32.const 64)))
        (i32.store8 (i32.const 268) (i32.const 1))
        (i32.store (i32.const 272) (i32.const 0))
        (i32.store (i32.const 276) (i32.const 2000000))";
    check_exceeds(
        recovering(huge),
        Limits::default(),
        Limit::Result,
        &["1 MiB", "limits.result"],
    )
    .await;
}

/// How many lines of a guest are handed on, and what is said of the others.
async fn logged(recover: &'static str) -> (usize, String) {
    let recorder = Arc::new(Recorder::default());
    let plugin = plugin(&recorder, &recovering(recover), &PluginSpec::default()).await;
    let answer = plugin.recover(&request(), 0, LONG).await.called.unwrap();
    assert_eq!(answer, Ok(Report::default()));
    let lines = recorder.lines.lock();
    let mut lines: Vec<String> = lines.iter().map(|line| line.message.clone()).collect();
    let told = lines.pop().unwrap();
    (lines.len(), told)
}

#[tokio::test]
async fn log_lines_above_the_limit_are_dropped_and_counted() {
    const COUNT: &str = "(local.set $n (i32.add (local.get $n) (i32.const 1)))";
    let many = format!(
        "(local $n i32) (loop {LOG} {COUNT} (br_if 0 (i32.lt_u (local.get $n) (i32.const 150))))"
    );
    let (kept, told) = logged(many.leak()).await;
    assert_eq!(kept, 100, "{told}");
    let words = "50 log lines of this call were dropped: it may write 100 lines and 256 KiB";
    assert!(told.starts_with(words), "{told}");
    assert!(told.contains("`[plugin.fixer] limits.log_lines`"), "{told}");

    let long = "(call $log (i32.const 2) (i32.const 200000) (i32.const 60000) (i32.const 0) (i32.const 0))";
    let long = format!(
        "(local $n i32) (loop {long} {COUNT} (br_if 0 (i32.lt_u (local.get $n) (i32.const 10))))"
    );
    let (kept, told) = logged(long.leak()).await;
    assert_eq!(kept, 4, "{told}");
    assert!(told.starts_with("6 log lines"), "{told}");
}

#[tokio::test]
async fn a_flood_of_log_lines_ends_at_the_cpu_deadline() {
    let flood: &'static str = format!("(loop {LOG} (br 0))").leak();
    let limits = Limits {
        deadline: Duration::from_millis(30),
        ..Limits::default()
    };
    check_exceeds(
        recovering(flood),
        limits,
        Limit::Deadline,
        &["30ms", "limits.deadline"],
    )
    .await;
}

#[tokio::test]
async fn a_flood_of_effects_ends_the_call_even_where_each_is_denied() {
    let flood = "(loop (call $restart (i32.const 1024) (i32.const 1) (i32.const 512)) (br 0))";
    let limits = Limits {
        effects: 7,
        ..Limits::default()
    };
    check_exceeds(
        recovering(flood),
        limits,
        Limit::Effects,
        &["7 a call", "limits.effects"],
    )
    .await;
}

#[tokio::test]
async fn time_inside_effects_is_no_cpu_time_but_counts_towards_the_timeout() {
    let recorder = Arc::new(Recorder::default());
    *recorder.delay.lock() = Duration::from_millis(120);
    let limits = Limits {
        deadline: Duration::from_millis(30),
        ..Limits::default()
    };
    let plugin = plugin(
        &recorder,
        &recovering(RESTART),
        &PluginSpec {
            limits,
            ..may_restart()
        },
    )
    .await;
    plugin
        .recover(&request(), 0, LONG)
        .await
        .called
        .unwrap()
        .unwrap();

    let error = plugin
        .recover(&request(), 0, Duration::from_millis(40))
        .await
        .called
        .unwrap_err();
    assert!(
        error.to_string().contains("gave no answer within 40ms"),
        "{error}"
    );
}

#[tokio::test]
async fn the_timeout_of_the_limits_is_named_where_it_is_the_shorter_one() {
    let recorder = Arc::new(Recorder::default());
    *recorder.delay.lock() = LONG;
    let limits = Limits {
        timeout: Duration::from_millis(30),
        ..Limits::default()
    };
    let plugin = plugin(
        &recorder,
        &recovering(RESTART),
        &PluginSpec {
            limits,
            ..may_restart()
        },
    )
    .await;
    let error = plugin
        .recover(&request(), 0, LONG)
        .await
        .called
        .unwrap_err()
        .to_string();
    assert!(
        error
            .contains("exceeded its limit of timeout: 30ms; raise `[plugin.fixer] limits.timeout`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_call_waits_its_turn_and_says_which_limit_it_waited_for() {
    let recorder = Arc::new(Recorder::default());
    *recorder.delay.lock() = Duration::from_millis(200);
    let limits = Limits {
        concurrency: 1,
        ..Limits::default()
    };
    let plugin = plugin(
        &recorder,
        &recovering(RESTART),
        &PluginSpec {
            limits,
            ..may_restart()
        },
    )
    .await;
    let request = request();
    let long = plugin.recover(&request, 0, LONG);
    let patient = plugin.recover(&request, 0, LONG);
    let hasty = plugin.recover(&request, 0, Duration::from_millis(30));
    let (long, patient, hasty) = tokio::join!(long, patient, hasty);
    assert!(long.called.is_ok() && patient.called.is_ok());
    let error = hasty.called.unwrap_err();
    assert!(!error.cause.is_the_plugins());
    assert!(error.to_string().contains("1 calls at one time"), "{error}");
}

#[tokio::test]
async fn each_call_has_a_memory_of_its_own() {
    const TRAPS_IN_THE_MEMORY_OF_ANOTHER: &str = r#"
        (if (i32.load (i32.const 1000)) (then unreachable))
        (i32.store (i32.const 1000) (i32.const 1))
    "#;
    let recorder = Arc::new(Recorder::default());
    let guest = recovering(TRAPS_IN_THE_MEMORY_OF_ANOTHER);
    let plugin = plugin(&recorder, &guest, &PluginSpec::default()).await;
    for _ in 0..3 {
        let called = plugin.recover(&request(), 0, LONG).await.called;
        assert_eq!(called.unwrap(), Ok(Report::default()));
    }
}

#[tokio::test]
async fn a_trap_is_named_and_five_in_a_row_let_the_plugin_rest() {
    let recorder = Arc::new(Recorder::default());
    let plugin = plugin(
        &recorder,
        &recovering("unreachable"),
        &PluginSpec::default(),
    )
    .await;
    for _ in 0..5 {
        let error = plugin
            .recover(&request(), 0, LONG)
            .await
            .called
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("trapped: wasm trap: wasm `unreachable` instruction executed"),
            "{error}"
        );
    }
    assert!(plugin.is_resting() && plugin.counts().quarantined);
    let error = plugin
        .recover(&request(), 0, LONG)
        .await
        .called
        .unwrap_err();
    assert!(matches!(error.cause, CallFailure::Resting(..)), "{error}");
    assert!(error.to_string().contains("unreachable"), "{error}");
    assert_eq!(plugin.counts().calls, 5);
    let events = recorder.events.lock();
    assert!(
        matches!(events.as_slice(), [PluginEvent::Quarantined { .. }]),
        "{events:?}"
    );
}

#[tokio::test]
async fn an_answer_that_is_no_text_breaks_the_contract_and_not_the_host() {
    let bad = "(i32.store8 (i32.const 3000) (i32.const 255))
        (i32.store8 (i32.const 268) (i32.const 1))
        (i32.store (i32.const 272) (i32.const 3000))
        (i32.store (i32.const 276) (i32.const 1))";
    let recorder = Arc::new(Recorder::default());
    let plugin = plugin(&recorder, &recovering(bad), &PluginSpec::default()).await;
    let error = plugin
        .recover(&request(), 0, LONG)
        .await
        .called
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("broke the contract") && error.contains("utf-8"),
        "{error}"
    );
}

#[tokio::test]
async fn neighbours_on_the_same_thread_go_on_while_a_guest_loops() {
    let recorder = Arc::new(Recorder::default());
    let limits = Limits {
        deadline: Duration::from_millis(300),
        ..Limits::default()
    };
    let looping = plugin(
        &recorder,
        &recovering("(loop (br 0))"),
        &PluginSpec {
            limits,
            ..may_restart()
        },
    )
    .await;
    let neighbour = plugin(&recorder, &recovering(RESTART), &may_restart()).await;
    let request = request();
    let loops = looping.recover(&request, 0, LONG);
    let works = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let began = Instant::now();
            neighbour
                .recover(&request, 0, LONG)
                .await
                .called
                .unwrap()
                .unwrap();
            slowest = slowest.max(began.elapsed());
            tokio::task::yield_now().await;
        }
        slowest
    };
    // On one thread: without the yield at each tick, the neighbour would wait for the whole 300 ms.
    let (looped, slowest) = tokio::join!(loops, works);
    assert!(looped.called.is_err());
    assert!(slowest < Duration::from_millis(200), "{slowest:?}");
}

#[tokio::test]
async fn a_plugin_of_another_kind_is_refused_by_name() {
    let recorder = Arc::new(Recorder::default());
    let alerter = Guest {
        world: "alerter",
        ..Guest::default()
    };
    let plugin = plugin(&recorder, &alerter, &PluginSpec::default()).await;
    let error = plugin
        .recover(&request(), 0, LONG)
        .await
        .called
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`recover` is not a function of its world, alerter"),
        "{error}"
    );
}
