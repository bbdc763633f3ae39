//! The bindings that the SDK carries are what the generator makes of the contract's WIT. With `MAINSTAY_RENEW=1` they are
//! written anew.

use mainstay_tests::repository;
use std::{env, fs};
use wit_bindgen_core::{Files, WorldGenerator, wit_parser::Resolve};
use wit_bindgen_rust::{Opts, WithOption};

const TYPES: &str = "mainstay:plugin/types@1.0.0";

/// What of the contract stands in a file of `plugin-sdk/src/bindings`, as a world of its own.
struct World {
    file: &'static str,
    says: &'static str,
    wit: &'static str,
    /// The types are those of `effects`, and not generated again.
    shares_types: bool,
}

const WORLDS: [World; 5] = [
    World {
        file: "effects",
        says: "The imports: types and effects of all kinds.",
        wit: "world effects {
            import mainstay:plugin/log@1.0.0;
            import mainstay:plugin/settings@1.0.0;
            import mainstay:plugin/clock@1.0.0;
            import mainstay:plugin/targets@1.0.0;
            import mainstay:plugin/commands@1.0.0;
            import mainstay:plugin/http@1.0.0;
            import mainstay:plugin/kv@1.0.0;
            import mainstay:plugin/backups@1.0.0;
        }",
        shares_types: false,
    },
    World {
        file: "plugin",
        says: "The export of every kind: who the plugin is.",
        wit: "world describes { export mainstay:plugin/plugin@1.0.0; }",
        shares_types: false,
    },
    World {
        file: "recovery",
        says: "The export of recovery handlers.",
        wit: "world recovers { export mainstay:plugin/recovery@1.0.0; }",
        shares_types: true,
    },
    World {
        file: "alerting",
        says: "The export of alerters.",
        wit: "world alerts { export mainstay:plugin/alerting@1.0.0; }",
        shares_types: true,
    },
    World {
        file: "retention",
        says: "The export of retention policies.",
        wit: "world retains { export mainstay:plugin/retention@1.0.0; }",
        shares_types: true,
    },
];

fn generated(world: &World) -> String {
    let mut resolve = Resolve::default();
    let contract = repository().join("plugin-sdk/wit/1.0.0");
    resolve.push_path(&contract).unwrap();
    let wit = format!("package mainstay:sdk;\n{}", world.wit);
    let package = resolve.push_str("worlds.wit", &wit).unwrap();
    let chosen = resolve.select_world(&[package], None).unwrap();
    let types = "crate::bindings::effects::mainstay::plugin::types";
    let with = (TYPES.to_owned(), WithOption::Path(types.to_owned()));
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
    for world in &WORLDS {
        let file = repository().join(format!("plugin-sdk/src/bindings/{}.rs", world.file));
        let expected = generated(world);
        if fs::read_to_string(&file).unwrap_or_default() == expected {
            continue;
        }
        if renews {
            fs::write(&file, expected).unwrap();
        } else {
            stale.push(file.display().to_string());
        }
    }
    assert!(
        stale.is_empty(),
        "these are not what the WIT says; renew them with \
         MAINSTAY_RENEW=1 cargo test -p mainstay-tests --test bindings:\n{}",
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
