//! The ticker's life.

use super::{Engine, Ticking};
use std::time::{Duration, Instant};

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_ticker_ticks_while_a_call_runs_and_rests_when_none_does() {
    let engine = Engine::new().unwrap();
    for _ in 0..2 {
        let running = engine.running();
        let before = engine.ticks().now();
        wait_until("ticks should pass", || engine.ticks().now() > before + 5);
        drop(running);
        wait_until("the ticker should park", || engine.inner.ticker.is_parked());
        let parked_at = engine.ticks().now();
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(engine.ticks().now(), parked_at);
    }
}

#[test]
fn the_ticker_ends_with_its_engine() {
    let engine = Engine::new().unwrap();
    let weak = engine.wasmtime().weak();
    drop(engine);
    wait_until("nothing should hold the engine", || {
        weak.upgrade().is_none()
    });
}

#[test]
fn a_manual_ticker_ticks_only_by_hand() {
    let engine = Engine::with_ticking(Ticking::Manual).unwrap();
    let _running = engine.running();
    assert_eq!(engine.ticks().now(), 0);
    engine.tick();
    assert_eq!(engine.ticks().now(), 1);
}
