//! What is refused before it serves, and why.

use crate::{
    inspect::Inspection,
    testing::{Guest, Recorder, loader},
};
use mainstay_domain::{name::PluginName, plugin::PluginKind, spec::PluginSpec};
use std::sync::Arc;

async fn check_refused(bytes: Vec<u8>, words: &[&str]) {
    let recorder = Arc::new(Recorder::default());
    let text = match loader(&recorder).load(bytes.into()).await {
        Ok(_) => panic!("this should not load; it should say {words:?}"),
        Err(error) => error.to_string(),
    };
    for word in words {
        assert!(text.contains(word), "`{text}` should say `{word}`");
    }
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_with_what_it_is() {
    let good = Guest::default().build();
    check_refused(Vec::new(), &["empty"]).await;
    check_refused(b"#!/bin/sh\n".to_vec(), &["not WebAssembly", "`#!/b`"]).await;
    check_refused(vec![0xff; 4096], &["not WebAssembly", "xff"]).await;
    check_refused(b"\0as".to_vec(), &["truncated", "3 bytes"]).await;
    check_refused(
        wat::parse_str("(module)").unwrap(),
        &["core module", "wasm32-wasip2"],
    )
    .await;
    check_refused(
        wat::parse_str("(component)").unwrap(),
        &["exports nothing", "mainstay:plugin/recovery"],
    )
    .await;
    check_refused(good[..good.len() / 2].to_vec(), &["truncated"]).await;
    check_refused(good[..good.len() - 1].to_vec(), &["truncated"]).await;
    let mut broken = good.clone();
    broken[20..40].fill(0xff);
    check_refused(broken, &["no valid component"]).await;
}

/// A guest that refuses its settings with their own text, but for so many bytes at the end.
async fn refused_with(settings: &str, left_out: usize) -> String {
    let configure = format!(
        r#"(i32.store8 (i32.const 256) (i32.const 1))
        (i32.store (i32.const 260) (local.get 0))
        (i32.store (i32.const 264) (i32.sub (local.get 1) (i32.const {left_out})))"#
    );
    let guest = Guest {
        configure: configure.leak(),
        ..Guest::default()
    };
    let spec = PluginSpec {
        settings: serde_json::from_str(settings).unwrap(),
        ..PluginSpec::default()
    };
    let loader = loader(&Arc::new(Recorder::default()));
    let candidate = loader.load(guest.build().into()).await.unwrap();
    match loader.configure(&candidate, &spec).await {
        Ok(_) => panic!("it refuses whatever it is given"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn to_configure_the_settings_interface_answers_nothing() {
    let guest = Guest {
        world: "tells",
        configure: "(call $settings (i32.const 512))
            (i32.store8 (i32.const 256) (i32.const 1))
            (i32.store (i32.const 260) (i32.load (i32.const 512)))
            (i32.store (i32.const 264) (i32.load (i32.const 516)))",
        ..Guest::default()
    };
    let spec = PluginSpec {
        settings: serde_json::json!({ "grace": "2s" }),
        ..PluginSpec::default()
    };
    let loader = loader(&Arc::new(Recorder::default()));
    let candidate = loader.load(guest.build().into()).await.unwrap();
    let Err(error) = loader.configure(&candidate, &spec).await else {
        panic!("it refuses whatever it is given");
    };
    let error = error.to_string();
    assert!(error.contains("{}") && !error.contains("grace"), "{error}");
}

#[tokio::test]
async fn settings_are_checked_as_calls_see_them_and_refused_as_they_were_written() {
    const SETTINGS: &str = r#"{"url":"https://x.example/${secret:hook}"}"#;
    let refused = refused_with(SETTINGS, 0).await;
    assert!(refused.contains(SETTINGS), "{refused}");
    // Of a handle that is cut it shows that there was one.
    let cut = refused_with(SETTINGS, 3).await;
    assert!(cut.contains("https://x.example/mainstay-secret-"), "{cut}");
    let plain = refused_with(r#"{"url":"https://x.example/"}"#, 0).await;
    assert!(plain.contains(r#"{"url":"https://x.example/"}"#), "{plain}");
}

#[tokio::test]
async fn describe_is_under_limits_and_what_it_says_is_checked() {
    let trapping = Guest {
        describe: "unreachable",
        ..Guest::default()
    };
    check_refused(trapping.build(), &["`describe` trapped", "unreachable"]).await;
    let looping = Guest {
        describe: "(loop (br 0))",
        ..Guest::default()
    };
    check_refused(
        looping.build(),
        &["`describe` exceeded its limit of CPU deadline: 1s"],
    )
    .await;
    let effects = "(loop (call $restart (i32.const 1024) (i32.const 1) (i32.const 512)) (br 0))";
    let acting = Guest {
        describe: effects,
        ..Guest::default()
    };
    check_refused(acting.build(), &["exceeded its limit of effects"]).await;
    let misnamed = Guest {
        name: "Not A Name",
        ..Guest::default()
    };
    check_refused(misnamed.build(), &["`Not A Name` is not a plugin name"]).await;
    let unversioned = Guest {
        version: "one",
        ..Guest::default()
    };
    check_refused(unversioned.build(), &["the version `one`", "1.2.0"]).await;
}

#[tokio::test]
async fn settings_that_the_plugin_refuses_are_refused_in_its_words() {
    let recorder = Arc::new(Recorder::default());
    let refusing = Guest {
        configure: "(i32.store8 (i32.const 256) (i32.const 1))
            (i32.store (i32.const 260) (local.get 0)) (i32.store (i32.const 264) (local.get 1))",
        ..Guest::default()
    };
    let loader = loader(&recorder);
    let candidate = loader.load(refusing.build().into()).await.unwrap();
    let settings = serde_json::json!({ "grace": "2s" });
    let spec = PluginSpec {
        settings,
        ..PluginSpec::default()
    };
    let Err(error) = loader.configure(&candidate, &spec).await else {
        panic!("it should refuse")
    };
    assert_eq!(
        error.to_string(),
        r#"fixer refuses `[plugin.fixer] settings`: {"grace":"2s"}"#
    );
}

#[tokio::test]
async fn settings_that_the_schema_does_not_take_are_refused_with_key_and_reason() {
    let guest = Guest::with_schema(
        r#"{"properties":{"grace":{"type":"string"}},"additionalProperties":false}"#,
    );
    let loader = loader(&Arc::new(Recorder::default()));
    let candidate = loader.load(guest.build().into()).await.unwrap();
    let spec = |settings| PluginSpec {
        settings,
        ..PluginSpec::default()
    };
    let good = spec(serde_json::json!({ "grace": "2s ${secret:hook}" }));
    assert!(loader.configure(&candidate, &good).await.is_ok());
    let bad = spec(serde_json::json!({ "grace": 2, "${secret:hook}": "${secret:hook}" }));
    let Err(error) = loader.configure(&candidate, &bad).await else {
        panic!("the plugin itself takes anything")
    };
    let text = error.to_string();
    for words in [
        "`[plugin.fixer] settings`",
        "settings.grace: 2 is not",
        "${secret:hook}",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert!(!text.contains("mainstay-secret"), "{text}");
    check_refused(
        Guest::with_schema(r#"{"type":"objekt"}"#).build(),
        &["settings schema", "objekt"],
    )
    .await;
    let bad = spec(serde_json::json!({ "grace": 2 }));
    let instances = PluginSpec {
        instances: [(PluginName::parse("night").unwrap(), bad)].into(),
        only_instances: true,
        ..PluginSpec::default()
    };
    let Err(error) = loader.configure(&candidate, &instances).await else {
        panic!("the instance has settings that the schema does not take")
    };
    let error = error.to_string();
    assert!(error.contains("`[plugin.night] settings`"), "{error}");
    let outside = Guest::with_schema(r#"{"$ref":"http://127.0.0.1:1/"}"#);
    check_refused(outside.build(), &["settings schema", "127.0.0.1"]).await;
}

#[tokio::test]
async fn a_candidate_says_everything_that_inspect_shows() {
    let recorder = Arc::new(Recorder::default());
    let bytes = Guest::default().build();
    let candidate = loader(&recorder).load(bytes.clone().into()).await.unwrap();
    let inspection = Inspection::from(&candidate);
    assert_eq!(inspection.name.as_str(), "fixer");
    assert_eq!(inspection.kind, PluginKind::RecoveryHandler);
    assert_eq!(inspection.world, "mainstay:plugin/recovery-handler@1.0.0");
    assert_eq!(inspection.size_bytes, bytes.len() as u64);
    assert_eq!(inspection.digest, blake3::hash(&bytes).to_hex().as_str());
    assert!(
        inspection
            .imports
            .contains(&"mainstay:plugin/targets@1.0.0".to_owned()),
        "{:?}",
        inspection.imports
    );
    assert_eq!(inspection.signature, None);
}
