//! When the status is gathered, and what it says.

use super::{
    sources::{degraded_by, not_passed},
    *,
};
use crate::ports::{Watch, fakes::FakeWorld};
use mainstay_api::{Health, Status};
use mainstay_domain::{event::EventKind, health::Outcome, name::TargetName};
use std::sync::atomic::Ordering;

mod renewal;

fn cache(world: &Arc<FakeWorld>) -> StatusCache {
    let sources = StatusSources {
        host: world.clone(),
        plugins: world.clone(),
        watch: world.clone(),
        targets: world.clone(),
        recovery: world.clone(),
        silences: world.clone(),
        backups: world.clone(),
        condition: world.clone(),
        clock: world.clone(),
        changed: ChangedTargets::default(),
    };
    StatusCache::new(sources, &**world)
}

#[test]
fn what_is_degraded_says_which_check_made_it_so_and_what_that_saw() {
    let world = FakeWorld::new(16);
    let mut looks = world.last_looks(&TargetName::parse("api").unwrap());
    assert_eq!(degraded_by(looks.clone()), "http: connection refused");
    for look in &mut looks {
        look.seen.as_mut().unwrap().outcome = Outcome::Healthy;
    }
    let expected = "a check warned or failed a moment ago";
    assert_eq!(degraded_by(looks), expected);
}

#[test]
fn what_starts_says_which_check_has_not_passed_and_what_that_saw() {
    let world = FakeWorld::new(16);
    let mut looks = world.last_looks(&TargetName::parse("api").unwrap());
    assert_eq!(not_passed(looks.clone()), None, "of the process before");
    for look in &mut looks {
        let seen = look.seen.as_mut().unwrap();
        let message = &seen.evidence.message;
        seen.evidence.message = format!("starting: {message}");
    }
    let expected = "http: connection refused";
    assert_eq!(not_passed(looks.clone()).as_deref(), Some(expected));
    for look in &mut looks {
        look.seen.as_mut().unwrap().outcome = Outcome::Healthy;
    }
    assert_eq!(not_passed(looks.clone()), None);
    for look in &mut looks {
        look.seen = None;
    }
    assert_eq!(not_passed(looks), None);
}

#[test]
fn without_news_many_questions_gather_once() {
    let world = FakeWorld::new(16);
    let cache = cache(&world);
    for _ in 0..1_000 {
        cache.json();
    }
    assert_eq!(world.gathered.load(Ordering::SeqCst), 1);
}

#[test]
fn an_answer_is_never_older_than_an_event_before_the_question() {
    let world = FakeWorld::new(16);
    let cache = cache(&world);
    for question in 2..50 {
        world.happen(EventKind::CheckFailed, |event| event);
        cache.json();
        assert_eq!(world.gathered.load(Ordering::SeqCst), question);
        cache.json();
        assert_eq!(world.gathered.load(Ordering::SeqCst), question);
    }
}

#[test]
fn counters_that_no_event_tells_of_are_gathered_again_after_a_while() {
    let world = FakeWorld::new(16);
    let cache = cache(&world);
    world.clock_ms.fetch_add(99, Ordering::SeqCst);
    cache.json();
    assert_eq!(world.gathered.load(Ordering::SeqCst), 1);
    world.clock_ms.fetch_add(1, Ordering::SeqCst);
    cache.json();
    assert_eq!(world.gathered.load(Ordering::SeqCst), 2);
}

#[test]
fn a_costly_status_is_given_for_twice_its_cost_whatever_happens() {
    let world = FakeWorld::new(16);
    let cache = cache(&world);
    cache.cached.lock().cost = Duration::from_millis(40);
    world.happen(EventKind::CheckFailed, |event| event);
    world.clock_ms.fetch_add(79, Ordering::SeqCst);
    cache.json();
    assert_eq!(world.gathered.load(Ordering::SeqCst), 1);
    world.clock_ms.fetch_add(1, Ordering::SeqCst);
    cache.json();
    assert_eq!(world.gathered.load(Ordering::SeqCst), 2);
}

#[test]
fn what_was_done_is_in_the_next_answer_whatever_that_costs_and_gathered_once() {
    let world = FakeWorld::new(16);
    let cache = cache(&world);
    for question in 2..5 {
        cache.cached.lock().cost = Duration::from_secs(40);
        cache.renew_next();
        cache.json();
        assert_eq!(world.gathered.load(Ordering::SeqCst), question);
        cache.json();
        assert_eq!(world.gathered.load(Ordering::SeqCst), question);
    }
}

#[test]
fn a_target_that_nothing_is_known_of_is_shown_as_unknown() {
    let world = FakeWorld::new(16);
    let status: Status = serde_json::from_slice(&cache(&world).json()).unwrap();
    let redis = status
        .targets
        .iter()
        .find(|row| row.name == "redis")
        .unwrap();
    assert_eq!(
        (redis.health, redis.pid, &redis.incident),
        (Health::Unknown, None, &None)
    );
    let api = status.targets.iter().find(|row| row.name == "api").unwrap();
    assert_eq!(
        (api.health, api.pid, api.restarts),
        (Health::Failed, Some(4_242), 2)
    );
}
