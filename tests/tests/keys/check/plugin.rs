//! Checks of kind `plugin`: what a detector says.

use crate::keys::target::{HOST, incident_of, wait_for_health};
use mainstay_tests::{Daemon, Receiver, plugin, response, wait_for};
use std::{thread::sleep, time::Duration};

/// A target that is looked at by the detector, with these keys.
fn target(name: &str, check: &str) -> String {
    format!(
        "[[target]]\nname = \"{name}\"\nrun = [\"sleep\", \"1000\"]\nbreaker.open_for = \"1ms\"\nstart_period = \"0s\"\n\
         [[target.check]]\nkind = \"plugin\"\nevery = \"1s\"\nfail_after = 1\nrecover_after = 1\nfailure = \"shop-slow\"\n\
         {check}\n"
    )
}

/// Acts: `target.check(plugin)`, `target.check(plugin).plugin`, `target.check(plugin).params`,
/// Acts: `target.check(plugin).version`
#[test]
fn a_detector_compares_with_its_last_looks_and_what_it_cannot_see_is_no_failure() {
    let shop = Receiver::start();
    let url = &shop.url;
    let asks =
        |url: &str| format!("params = {{ url = \"{url}/\", slow_factor = 1.5, least_ms = 300 }}");
    let trend = "plugin = \"latency-trend\"";
    let config = [
        HOST.to_owned(),
        target("shop", &format!("{trend}\nversion = \"^1\"\n{}", asks(url))),
        // No grant allows this one, and no version is that one.
        target(
            "denied",
            &format!("{trend}\n{}", asks("http://127.0.0.1:1")),
        ),
        target(
            "other",
            &format!("{trend}\nversion = \"^9\"\n{}", asks(url)),
        ),
        format!("[plugin.latency-trend]\ngrants = {{ http = [\"{url}\"] }}\n"),
    ]
    .concat();
    let daemon = Daemon::start(&config, &[&plugin("latency-trend")]);
    daemon.wait_for_plugins(1);
    wait_for_health(&daemon, "shop", "healthy");
    wait_for("what is usual to be known", || {
        match shop.received().len() {
            0..8 => Err(format!("{} looks", shop.received().len())),
            _ => Ok(()),
        }
    });

    shop.answer_by(|_| {
        sleep(Duration::from_millis(700));
        response("200 OK", "", "late")
    });
    wait_for_health(&daemon, "shop", "degraded");

    shop.answer_with("503 Service Unavailable", "", "");
    let incident = incident_of(&daemon, "shop");
    let message = incident["evidence"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("status 503 after "), "{message}");
    assert_eq!(incident["failure"], "shop-slow");

    for unseen in ["denied", "other"] {
        wait_for_health(&daemon, unseen, "unknown");
        let events = daemon.events();
        let mut of_it = events.iter().filter(|event| event["target"] == unseen);
        let failed = of_it.find(|event| event["kind"] == "check.failed");
        assert_eq!(failed, None);
    }
}
