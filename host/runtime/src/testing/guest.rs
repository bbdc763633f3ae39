//! Guests written by hand, as WebAssembly text.

use std::path::PathBuf;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A guest as WebAssembly text: what differs from a plain handler that does nothing and reports success.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) world: &'static str,
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) describe: &'static str,
    pub(crate) configure: &'static str,
    pub(crate) recover: &'static str,
    pub(crate) functions: &'static str,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            world: "recovery-handler",
            name: "fixer",
            version: "1.0.0",
            describe: "",
            configure: "",
            recover: "",
            functions: "",
        }
    }
}

/// Restarts the operation's own target; where that is refused, fails for good with the text of the refusal.
pub(crate) const RESTART: &str = r#"
    (call $restart (i32.load offset=16 (local.get 0)) (i32.load offset=20 (local.get 0)) (i32.const 512))
    (if (i32.load8_u (i32.const 512)) (then
        (i32.store8 (i32.const 256) (i32.const 1))
        (i32.store8 (i32.const 260) (i32.const 1))
        (i32.store (i32.const 264) (i32.load (i32.const 520)))
        (i32.store (i32.const 268) (i32.load (i32.const 524)))
    ))
"#;
/// Of the world `tells`: takes its settings and its parameters for keys of its values, logs the parameters, and fails
/// for good with them.
pub(crate) const TELL: &str = r#"
    (call $settings (i32.const 512))
    (call $get (i32.load (i32.const 512)) (i32.load (i32.const 516)) (i32.const 520))
    (call $get (i32.load offset=100 (local.get 0)) (i32.load offset=104 (local.get 0)) (i32.const 520))
    (call $log (i32.const 2) (i32.load offset=100 (local.get 0)) (i32.load offset=104 (local.get 0))
        (i32.const 0) (i32.const 0))
    (i32.store8 (i32.const 256) (i32.const 1))
    (i32.store8 (i32.const 260) (i32.const 1))
    (i32.store (i32.const 264) (i32.load offset=100 (local.get 0)))
    (i32.store (i32.const 268) (i32.load offset=104 (local.get 0)))
"#;
/// Writes a log line of one letter.
pub(crate) const LOG: &str =
    "(call $log (i32.const 2) (i32.const 1024) (i32.const 1) (i32.const 0) (i32.const 0))";

impl Guest {
    /// One that gives this schema for its settings, and takes whatever it is given.
    pub(crate) fn with_schema(schema: &str) -> Self {
        let functions = format!(
            r#"(data (i32.const 3072) "{}")"#,
            schema.replace('"', "\\\"")
        );
        let describe = format!(
            "(i32.store8 (i32.const 808) (i32.const 1)) (i32.store (i32.const 812) (i32.const 3072))
            (i32.store (i32.const 816) (i32.const {}))",
            schema.len()
        );
        Self {
            describe: describe.leak(),
            functions: functions.leak(),
            ..Self::default()
        }
    }

    /// The component. Memory: 256 the answer of `recover`, 512 that of an effect, 768 the descriptor, 1024 the name,
    /// 2048 the version, from 4096 the heap.
    pub(crate) fn build(&self) -> Vec<u8> {
        let Guest {
            name,
            version,
            describe,
            configure,
            recover,
            functions,
            world,
        } = self;
        let (name_len, version_len) = (name.len(), version.len());
        let work = match *world {
            "recovery-handler" | "with-timers" | "tells" => {
                "mainstay:plugin/recovery@1.0.0#recover"
            }
            "alerter" => "mainstay:plugin/alerting@1.0.0#deliver",
            other => panic!("no guest of the world {other} is written yet"),
        };
        let effects = match *world {
            "recovery-handler" => {
                r#"(import "mainstay:plugin/targets@1.0.0" "restart" (func $restart (param i32 i32 i32)))"#
            }
            "tells" => {
                r#"(import "mainstay:plugin/settings@1.0.0" "get" (func $settings (param i32)))
                (import "mainstay:plugin/kv@1.0.0" "get" (func $get (param i32 i32 i32)))"#
            }
            "with-timers" => {
                r#"(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $timer (param i64) (result i32)))
                (import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $drop (param i32)))"#
            }
            _ => "",
        };
        let core = format!(
            r#"(module
                {effects}
                (import "mainstay:plugin/log@1.0.0" "write" (func $log (param i32 i32 i32 i32 i32)))
                (memory (export "memory") 16)
                (global $heap (mut i32) (i32.const 4096))
                (data (i32.const 1024) "{name}")
                (data (i32.const 2048) "{version}")
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
                    (global.get $heap)
                    (global.set $heap (i32.add (global.get $heap) (local.get 3))))
                (func (export "mainstay:plugin/plugin@1.0.0#describe") (result i32)
                    {describe}
                    (i32.store (i32.const 768) (i32.const 1024))
                    (i32.store (i32.const 772) (i32.const {name_len}))
                    (i32.store (i32.const 776) (i32.const 2048))
                    (i32.store (i32.const 780) (i32.const {version_len}))
                    (i32.const 768))
                (func (export "mainstay:plugin/plugin@1.0.0#configure") (param i32 i32) (result i32)
                    {configure}
                    (i32.const 256))
                (func (export "{work}") (param i32) (result i32)
                    {recover}
                    (i32.const 256))
                {functions})"#
        );
        encode(world, &core)
    }
}

/// A recovery handler that may import timers of WASI beside its own world.
const WITH_TIMERS: &str = r#"
    package test:guests;
    world with-timers {
        include mainstay:plugin/recovery-handler@1.0.0;
        import wasi:clocks/monotonic-clock@0.2.0;
    }
    package wasi:clocks@0.2.0 {
        interface monotonic-clock {
            use wasi:io/poll@0.2.0.{pollable};
            subscribe-duration: func(when: u64) -> pollable;
        }
    }
    package wasi:io@0.2.0 {
        interface poll { resource pollable; }
    }
"#;

/// A component of a world, from a core module in text.
fn encode(world: &str, core: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../plugin-sdk/wit/1.0.0");
    let (package, _) = resolve.push_dir(&wit).unwrap();
    let timers = resolve.push_str("timers.wit", WITH_TIMERS).unwrap();
    let (package, world) = match world {
        "with-timers" => (timers, world),
        "tells" => (package, "recovery-handler"),
        _ => (package, world),
    };
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
}
