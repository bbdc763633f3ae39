//! The toolchain that builds Rust plugins: found, or provided.
//!
//! In order: the active toolchain has the target; else `rustup target add`, where somebody agrees to it; else, where a
//! Debian mirror is all that is reached, Debian 13's rustc beside the active cargo. Every long step says what it does
//! before it begins.
//!
//! Invariant: no toolchain is installed, only the target of the active one, and never unasked; the Debian route writes to
//! its own cache directory alone.

mod build;
mod debian;
mod places;
mod run;
mod sources;

pub use build::{Build, BuildError};

use mainstay_domain::code::ErrorCode;
use run::RunError;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// What plugins are compiled to.
pub const TARGET: &str = "wasm32-wasip2";
/// Forces one route: `active`, `rustup` or `debian`.
pub const ROUTE_VARIABLE: &str = "MAINSTAY_TOOLCHAIN";

/// What is asked before the active toolchain is changed.
const QUESTION: &str = "the active toolchain has no wasm32-wasip2, which plugins are compiled to. Have rustup add it \
                        (about 20 MB)?";

/// A question to a tool that answers at once.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(30);
/// A download of some 20 MB, or the finding that nothing is reached.
const RUSTUP_TIMEOUT: Duration = Duration::from_secs(120);

/// How the target is come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The active toolchain has it.
    Active,
    /// rustup adds it to the active toolchain.
    Rustup,
    /// Debian 13's rustc and standard library.
    Debian,
}

impl Route {
    /// The word of [`ROUTE_VARIABLE`].
    pub fn as_str(self) -> &'static str {
        match self {
            Route::Active => "active",
            Route::Rustup => "rustup",
            Route::Debian => "debian",
        }
    }
}

/// Why there is no toolchain.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// Nothing to begin with.
    #[error(
        "cannot ask rustc for its {TARGET} library: {0}; install Rust from https://rustup.rs [{code}]",
        code = ErrorCode::NoToolchain
    )]
    NoRustc(RunError),
    /// The variable names no route.
    #[error("{ROUTE_VARIABLE} is `{0}`; allowed are active, rustup and debian")]
    UnknownRoute(String),
    /// rustup could add the target, and nobody agreed.
    #[error(
        "the active toolchain has no {TARGET}, and is not changed unasked: run `rustup target add {TARGET}`, or have \
         `plugin build` or `plugin test` do it with --yes [{code}]",
        code = ErrorCode::NoToolchain
    )]
    NotAgreed,
    /// Every route that is open here has failed.
    #[error("no toolchain for {TARGET}: {} [{code}]", .0.join("; "), code = ErrorCode::NoToolchain)]
    NoRoute(Vec<String>),
}

/// A rustc and a cargo that build for [`TARGET`].
#[derive(Debug, Clone)]
pub struct Toolchain {
    route: Route,
    /// Instead of the active one.
    rustc: Option<PathBuf>,
    /// Where `wasm-component-ld` is, if not beside rustc.
    linker_directory: Option<PathBuf>,
}

/// What the choice of routes depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    active_has_target: bool,
    has_rustup: bool,
    /// Linux with apt-get and dpkg.
    has_apt: bool,
    forced: Option<Route>,
}

/// The routes to try, in order.
fn routes(facts: Facts) -> Vec<Route> {
    if let Some(forced) = facts.forced {
        return vec![forced];
    }
    if facts.active_has_target {
        return vec![Route::Active];
    }
    let open = [
        (facts.has_rustup, Route::Rustup),
        (facts.has_apt, Route::Debian),
    ];
    open.into_iter()
        .filter_map(|(is_open, route)| is_open.then_some(route))
        .collect()
}

impl Toolchain {
    /// Finds the toolchain that is active in `directory`, whose `rust-toolchain.toml` counts, and provides what it
    /// lacks. May take minutes the first time; `report` hears of every step. `agrees` is asked before that toolchain is
    /// changed; a route that [`ROUTE_VARIABLE`] forces is agreed to.
    pub fn find_or_provide(
        directory: &Path,
        agrees: &dyn Fn(&str) -> bool,
        report: &dyn Fn(&str),
    ) -> Result<Self, ToolchainError> {
        let forced = match std::env::var(ROUTE_VARIABLE) {
            Ok(word) if !word.is_empty() => Some(parse_route(word)?),
            _ => None,
        };
        let facts = Facts {
            active_has_target: active_has_target(directory)?,
            has_rustup: run::is_on_path("rustup"),
            has_apt: cfg!(target_os = "linux")
                && run::is_on_path("apt-get")
                && run::is_on_path("dpkg"),
            forced,
        };
        let mut failures = Vec::new();
        for route in routes(facts) {
            if route == Route::Rustup && forced.is_none() && !agrees(QUESTION) {
                return Err(ToolchainError::NotAgreed);
            }
            let provided = match route {
                Route::Active if facts.active_has_target => Ok(Self::active(route)),
                Route::Active => Err(format!("the active toolchain has no {TARGET}")),
                Route::Rustup => add_target(directory, report).map(|()| Self::active(route)),
                Route::Debian => debian::provide(directory, report).map(|debian| Self {
                    route,
                    rustc: Some(debian.rustc),
                    linker_directory: Some(debian.linker_directory),
                }),
            };
            match provided {
                Ok(toolchain) => return Ok(toolchain),
                Err(why) => {
                    report(&format!("{}: {why}", route.as_str()));
                    failures.push(format!("{}: {why}", route.as_str()));
                }
            }
        }
        if failures.is_empty() {
            failures.push(format!(
                "run `rustup target add {TARGET}`; here is neither rustup nor apt to do it"
            ));
        }
        Err(ToolchainError::NoRoute(failures))
    }

    /// How it was come by.
    pub fn route(&self) -> Route {
        self.route
    }

    fn active(route: Route) -> Self {
        Self {
            route,
            rustc: None,
            linker_directory: None,
        }
    }
}

fn parse_route(word: String) -> Result<Route, ToolchainError> {
    [Route::Active, Route::Rustup, Route::Debian]
        .into_iter()
        .find(|route| route.as_str() == word)
        .ok_or(ToolchainError::UnknownRoute(word))
}

/// A tool in the directory that decides which toolchain is active. rustup must not install one only because it is
/// asked.
fn tool(name: &str, directory: &Path) -> Command {
    let mut command = Command::new(name);
    command
        .current_dir(directory)
        .env("RUSTUP_AUTO_INSTALL", "0");
    command
}

fn active_has_target(directory: &Path) -> Result<bool, ToolchainError> {
    let mut rustc = tool("rustc", directory);
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    match run::capture(rustc, QUESTION_TIMEOUT) {
        Ok(libraries) => Ok(has_standard_library(Path::new(libraries.trim()))),
        // An old rustc does not know the target at all.
        Err(RunError::Failed { output, .. }) if output.contains(TARGET) => Ok(false),
        Err(error) => Err(ToolchainError::NoRustc(error)),
    }
}

fn has_standard_library(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
        })
    })
}

fn add_target(directory: &Path, report: &dyn Fn(&str)) -> Result<(), String> {
    report(&format!(
        "adding {TARGET} to the active toolchain with rustup (about 20 MB)"
    ));
    let mut rustup = tool("rustup", directory);
    rustup.args(["target", "add", TARGET]);
    run::capture(rustup, RUSTUP_TIMEOUT).map_err(|error| error.to_string())?;
    match active_has_target(directory) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("rustup added {TARGET}, but rustc does not find it")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_routes(
        active: bool,
        rustup: bool,
        apt: bool,
        forced: Option<Route>,
        expected: &[Route],
    ) {
        let facts = Facts {
            active_has_target: active,
            has_rustup: rustup,
            has_apt: apt,
            forced,
        };
        assert_eq!(routes(facts), expected, "{facts:?}");
    }

    #[test]
    fn the_cheapest_open_route_is_tried_first() {
        check_routes(true, true, true, None, &[Route::Active]);
        check_routes(false, true, true, None, &[Route::Rustup, Route::Debian]);
        check_routes(false, false, true, None, &[Route::Debian]);
        check_routes(false, true, false, None, &[Route::Rustup]);
        check_routes(false, false, false, None, &[]);
    }

    #[test]
    fn that_there_is_no_rustc_is_told_with_its_cause_once() {
        let error = std::io::Error::from(std::io::ErrorKind::NotFound);
        let tool = "rustc".to_owned();
        let error = ToolchainError::NoRustc(RunError::NotStarted { tool, error });
        let told = format!("{:#}", anyhow::Error::from(error));
        assert_eq!(told.matches("cannot start rustc").count(), 1, "{told}");
    }

    #[test]
    fn a_forced_route_is_the_only_one() {
        for route in [Route::Active, Route::Rustup, Route::Debian] {
            check_routes(true, true, true, Some(route), &[route]);
            assert_eq!(parse_route(route.as_str().to_owned()).unwrap(), route);
        }
        let error = parse_route("nix".to_owned()).unwrap_err().to_string();
        assert!(
            error.contains("allowed are active, rustup and debian"),
            "{error}"
        );
    }

    #[test]
    fn a_library_directory_counts_where_it_holds_the_standard_library() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!has_standard_library(directory.path()));
        assert!(!has_standard_library(&directory.path().join("none")));
        std::fs::write(directory.path().join("libstd-0123.rlib"), "").unwrap();
        assert!(has_standard_library(directory.path()));
    }
}
