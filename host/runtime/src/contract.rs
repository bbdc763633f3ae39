//! Which contract a component speaks, and which kind of plugin it is, read from its types before anything runs.
//!
//! Invariant: nothing here compiles or runs the component; a component that passes imports only what the world of
//! its kind offers, and WASI 0.2.

mod error;

pub use crate::contract_version::ContractVersion;
pub use error::ContractError;

use crate::worlds::{Facts, facts, is_there};
use mainstay_domain::{plugin::PluginKind, text::list};
use semver::Version;
use std::fmt;
use wit_component::DecodedWasm;
use wit_parser::{PackageName, Resolve, WorldId, WorldItem, WorldKey};

/// What the types of a component say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Its kind, by the interface that it exports.
    pub kind: PluginKind,
    /// The version of the contract that it was built against.
    pub built_against: Version,
    /// The version that serves it.
    pub contract: ContractVersion,
    /// Everything that it imports, sorted.
    pub imports: Vec<String>,
}

/// The interfaces of WASI 0.2 that are linked.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Reads the types of a component and checks them.
pub fn check(bytes: &[u8]) -> Result<Shape, ContractError> {
    check_preamble(bytes)?;
    match wit_component::decode(bytes) {
        Ok(DecodedWasm::Component(resolve, world)) => check_world(&resolve, world),
        Ok(DecodedWasm::WitPackage(..)) => Err(ContractError::WitPackage),
        Err(error) => {
            let reason = format!("{error:#}");
            match reason.contains("unexpected end") {
                true => Err(ContractError::Truncated(reason)),
                false => Err(ContractError::Invalid(reason)),
            }
        }
    }
}

fn check_preamble(bytes: &[u8]) -> Result<(), ContractError> {
    match bytes {
        [] => Err(ContractError::Empty),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(ContractError::CoreModule),
        [0, b'a', b's', b'm', _, _, _, _, ..] => Ok(()),
        short if b"\0asm".starts_with(short) || short.starts_with(b"\0asm") => Err(
            ContractError::Truncated(format!("it has {} bytes", short.len())),
        ),
        other => {
            let first = other.get(..4).unwrap_or(other);
            let found = format!("`{}`", first.escape_ascii());
            Err(ContractError::NotWasm { found })
        }
    }
}

/// One import or export, as the checks see it.
struct Item<'a> {
    name: String,
    /// Package, interface; absent for a function or a type that stands alone.
    interface: Option<(&'a PackageName, &'a str)>,
}

impl Item<'_> {
    /// The interface and its version, where it is one of `mainstay:plugin`.
    fn of_contract(&self) -> Option<(&str, &Version)> {
        let (package, interface) = self.interface?;
        let ours = package.namespace == "mainstay" && package.name == "plugin";
        ours.then_some((interface, package.version.as_ref()?))
    }

    fn is_linked_wasi(&self) -> bool {
        self.interface.is_some_and(|(package, _)| {
            let version = package.version.as_ref();
            package.namespace == "wasi"
                && WASI.contains(&package.name.as_str())
                && version.is_some_and(|version| (version.major, version.minor) == (0, 2))
        })
    }
}

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name)
    }
}

fn items<'a>(
    resolve: &'a Resolve,
    of: impl Iterator<Item = (&'a WorldKey, &'a WorldItem)>,
) -> Vec<Item<'a>> {
    let item = |(key, item): (&'a WorldKey, &'a WorldItem)| {
        let interface = match item {
            WorldItem::Interface { id, .. } => resolve.interfaces.get(*id),
            WorldItem::Function(_) | WorldItem::Type { .. } => None,
        };
        let package = interface.and_then(|interface| resolve.packages.get(interface.package?));
        Item {
            name: resolve.name_world_key(key),
            interface: package
                .zip(interface.and_then(|interface| interface.name.as_deref()))
                .map(|(p, i)| (&p.name, i)),
        }
    };
    of.map(item).collect()
}

fn check_world(resolve: &Resolve, world: WorldId) -> Result<Shape, ContractError> {
    let Some(world) = resolve.worlds.get(world) else {
        return Err(ContractError::Invalid("it has no world".to_owned()));
    };
    let imports = items(resolve, world.imports.iter());
    let exports = items(resolve, world.exports.iter());

    let (kind, built_against) = kind_of(&exports)?;
    for (_, version) in imports.iter().chain(&exports).filter_map(Item::of_contract) {
        if version != built_against {
            return Err(ContractError::MixedVersions {
                one: built_against.to_string(),
                other: version.to_string(),
            });
        }
    }
    let contract =
        ContractVersion::negotiate(built_against).ok_or_else(|| ContractError::WrongVersion {
            found: built_against.to_string(),
            spoken: list(
                ContractVersion::ALL.map(ContractVersion::version),
                "nothing",
            ),
        })?;
    if !exports
        .iter()
        .any(|item| item.of_contract().is_some_and(|(name, _)| name == "plugin"))
    {
        return Err(ContractError::Nameless {
            exported: format!("mainstay:plugin/{}@{built_against}", facts(kind).export),
            version: built_against.to_string(),
        });
    }
    let kind = narrowed(kind, contract, &imports);
    let Facts {
        imports: allowed,
        since,
        ..
    } = facts(kind);
    if since > contract {
        return Err(ContractError::NotYet {
            kind,
            since: since.version().to_string(),
            found: built_against.to_string(),
        });
    }
    for item in &imports {
        let ours = item
            .of_contract()
            .is_some_and(|(name, _)| allowed.contains(&name) && is_there(name, contract));
        if !ours && !item.is_linked_wasi() {
            return Err(ContractError::ForeignImport {
                import: item.name.clone(),
                kind,
                allowed: format!("{} of mainstay:plugin, and WASI 0.2", allowed.join(", ")),
            });
        }
    }
    let mut imports: Vec<String> = imports.into_iter().map(|item| item.name).collect();
    imports.sort();
    Ok(Shape {
        kind,
        built_against: built_against.clone(),
        contract,
        imports,
    })
}

/// Of the kinds that export the same, the first that has all that is imported; else the first.
fn narrowed(kind: PluginKind, contract: ContractVersion, imports: &[Item<'_>]) -> PluginKind {
    let export = facts(kind).export;
    let has_all = |kind: &PluginKind| {
        let facts = facts(*kind);
        let mut ours = imports.iter().filter_map(Item::of_contract);
        facts.export == export
            && facts.since <= contract
            && ours.all(|(name, _)| facts.imports.contains(&name))
    };
    PluginKind::ALL.into_iter().find(has_all).unwrap_or(kind)
}

fn kind_of<'a>(exports: &'a [Item<'_>]) -> Result<(PluginKind, &'a Version), ContractError> {
    let mut found = exports.iter().filter_map(|item| {
        let (name, version) = item.of_contract()?;
        let kind = PluginKind::ALL
            .into_iter()
            .find(|kind| facts(*kind).export == name)?;
        Some((kind, version))
    });
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some((one, _)), Some((other, _))) => Err(ContractError::TwoKinds(one, other)),
        (None, _) => {
            let found = list(exports, "nothing");
            Err(ContractError::WrongWorld { found })
        }
    }
}

#[cfg(test)]
mod published;
#[cfg(test)]
mod tests;
