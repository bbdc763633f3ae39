//! The bindings that the SDK carries are what the generator makes of the contract's WIT. With `MAINSTAY_RENEW=1` they are
//! written anew.

use mainstay_tests::repository;
use std::{env, fs};
use wit_bindgen_core::{Files, WorldGenerator, wit_parser::Resolve};
use wit_bindgen_rust::{Opts, WithOption};

/// What of the contract stands in a file of `plugin-sdk/src/bindings`, as a world of its own.
struct World {
    file: &'static str,
    says: &'static str,
    /// The name of that world, and what it exports of `mainstay:plugin`.
    name: &'static str,
    exports: &'static [&'static str],
    /// The types are those of `effects`, and not generated again.
    shares_types: bool,
}

/// One version of the contract, and where its bindings stand below `plugin-sdk/src/bindings`.
struct Contract {
    version: &'static str,
    directory: &'static str,
    effects: &'static [&'static str],
    has_newer: bool,
}

const CONTRACTS: [Contract; 3] = [
    Contract {
        version: "1.0.0",
        directory: "",
        effects: &[
            "log", "settings", "clock", "targets", "commands", "http", "kv", "backups",
        ],
        has_newer: false,
    },
    Contract {
        version: "1.1.0",
        directory: "v1_1/",
        effects: &[
            "log", "settings", "clock", "targets", "commands", "http", "kv", "backups", "random",
            "durable",
        ],
        has_newer: true,
    },
    Contract {
        version: "1.2.0",
        directory: "v1_2/",
        effects: &[
            "log",
            "settings",
            "clock",
            "targets",
            "commands",
            "http",
            "kv",
            "backups",
            "random",
            "durable",
            "signed-http",
            "mail",
        ],
        has_newer: true,
    },
];

/// Those of every version.
const WORLDS: [World; 5] = [
    World {
        file: "effects",
        says: "The imports: types and effects of all kinds.",
        name: "effects",
        exports: &[],
        shares_types: false,
    },
    World {
        file: "plugin",
        says: "The export of every kind: who the plugin is.",
        name: "describes",
        exports: &["plugin"],
        shares_types: false,
    },
    World {
        file: "recovery",
        says: "The export of recovery handlers.",
        name: "recovers",
        exports: &["recovery"],
        shares_types: true,
    },
    World {
        file: "alerting",
        says: "The export of alerters.",
        name: "alerts",
        exports: &["alerting"],
        shares_types: true,
    },
    World {
        file: "retention",
        says: "The export of retention policies.",
        name: "retains",
        exports: &["retention"],
        shares_types: true,
    },
];

/// Those that came with 1.1.0.
const NEWER: [World; 3] = [
    World {
        file: "detection",
        says: "The export of detectors.",
        name: "detects",
        exports: &["detection"],
        shares_types: true,
    },
    World {
        file: "strategy",
        says: "The export of recovery strategies.",
        name: "decides",
        exports: &["strategy"],
        shares_types: true,
    },
    World {
        file: "collection",
        says: "The export of backup sources.",
        name: "collects",
        exports: &["collection"],
        shares_types: true,
    },
];

/// The world as WIT.
fn wit(contract: &Contract, world: &World) -> String {
    let version = contract.version;
    let imports = match world.file {
        "effects" => contract.effects,
        _ => &[],
    };
    let line = |way: &str, name: &&str| format!("{way} mainstay:plugin/{name}@{version}; ");
    let imports = imports.iter().map(|name| line("import", name));
    let exports = world.exports.iter().map(|name| line("export", name));
    let items: String = imports.chain(exports).collect();
    format!("package mainstay:sdk;\nworld {} {{ {items}}}", world.name)
}

fn generated(contract: &Contract, world: &World) -> String {
    let mut resolve = Resolve::default();
    let directory = repository().join("plugin-sdk/wit").join(contract.version);
    resolve.push_path(&directory).unwrap();
    let wit = wit(contract, world);
    let package = resolve.push_str("worlds.wit", &wit).unwrap();
    let chosen = resolve.select_world(&[package], None).unwrap();
    let types = "crate::bindings::effects::mainstay::plugin::types";
    let with = format!("mainstay:plugin/types@{}", contract.version);
    let with = (with, WithOption::Path(types.to_owned()));
    let mut generator = Opts {
        format: true,
        runtime_path: Some("crate::bindings::rt".to_owned()),
        additional_derive_attributes: vec!["PartialEq".to_owned()],
        with: if world.shares_types {
            vec![with]
        } else {
            Vec::new()
        },
        generate_all: !world.shares_types,
        pub_export_macro: true,
        ..Opts::default()
    }
    .build();
    let mut files = Files::default();
    generator
        .generate(&mut resolve, chosen, &mut files)
        .unwrap();
    let (_, source) = files.iter().next().unwrap();
    let source = String::from_utf8(source.to_vec()).unwrap();
    format!(
        "//! {}\n//!\n//! Length: generated.\n\n{}\n",
        world.says,
        source.trim_end()
    )
}

#[test]
fn the_bindings_of_the_sdk_are_those_of_the_wit() {
    let renews = env::var_os("MAINSTAY_RENEW").is_some();
    let mut stale = Vec::new();
    for contract in &CONTRACTS {
        let directory = repository()
            .join("plugin-sdk/src/bindings")
            .join(contract.directory);
        let newer = NEWER.iter().filter(|_| contract.has_newer);
        for world in WORLDS.iter().chain(newer) {
            let file = directory.join(format!("{}.rs", world.file));
            let expected = generated(contract, world);
            if fs::read_to_string(&file).unwrap_or_default() == expected {
                continue;
            }
            if renews {
                fs::create_dir_all(&directory).unwrap();
                fs::write(&file, expected).unwrap();
            } else {
                stale.push(file.display().to_string());
            }
        }
    }
    assert!(
        stale.is_empty(),
        "these are not what the WIT says; renew them with \
         MAINSTAY_RENEW=1 cargo test -p mainstay-tests bindings:::\n{}",
        stale.join("\n")
    );
}

#[test]
fn an_author_compiles_no_generator() {
    let manifest = fs::read_to_string(repository().join("plugin-sdk/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    for (name, dependency) in manifest["dependencies"].as_table().unwrap() {
        let is_optional = dependency.get("optional").and_then(|value| value.as_bool());
        assert_eq!(is_optional, Some(true), "{name} is always compiled");
    }
}
