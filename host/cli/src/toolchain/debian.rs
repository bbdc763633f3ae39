//! Debian 13's rustc with its wasm library, unpacked beside the system and started through its own loader.
//!
//! Invariant: apt works on lists, cache and status of its own, so that nothing of the system changes, and packages
//! are checked against the archive's signature as always.
//! Invariant: the directory appears whole, by one rename, and one process at a time makes it.

use super::{QUESTION_TIMEOUT, run, sources, tool};
use rustix::fs::{FlockOperation, flock};
use sources::Mirror;
use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

const NAME: &str = "debian-rust-1.85";
const SUITE: &str = "trixie";
const DEFAULT_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const PACKAGES: [&str; 18] = [
    "rustc",
    "libstd-rust-1.85",
    "libstd-rust-dev",
    "libstd-rust-dev-wasm32",
    "libllvm19",
    "libc6",
    "libgcc-s1",
    "libstdc++6",
    "libzstd1",
    "zlib1g",
    "libedit2",
    "libffi8",
    "liblzma5",
    "libxml2",
    "libz3-4",
    "libtinfo6",
    "libmd0",
    "libbsd0",
];

/// What the Debian route gives.
pub(super) struct Debian {
    /// A script that starts the unpacked rustc.
    pub(super) rustc: PathBuf,
    /// The active toolchain's own programs, `wasm-component-ld` among them.
    pub(super) linker_directory: PathBuf,
}

/// Unpacks it where that was not done before.
pub(super) fn provide(directory: &Path, report: &dyn Fn(&str)) -> Result<Debian, String> {
    let linker_directory = find_linker(directory)?;
    let cache = cache_directory()?;
    let home = cache.join(NAME);
    let rustc = home.join("rustc");
    if !rustc.is_file() {
        fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
        let _lock = lock(&cache, report)?;
        // Another process may have made it while this one waited.
        if !rustc.is_file() {
            install(&cache, &home, report)?;
        }
    }
    Ok(Debian {
        rustc,
        linker_directory,
    })
}

fn cache_directory() -> Result<PathBuf, String> {
    let from = |variable: &str| {
        let path = PathBuf::from(std::env::var_os(variable)?);
        path.is_absolute().then_some(path)
    };
    from("XDG_CACHE_HOME")
        .or_else(|| Some(from("HOME")?.join(".cache")))
        .map(|base| base.join("mainstay"))
        .ok_or_else(|| "no cache directory: neither XDG_CACHE_HOME nor HOME is set".to_owned())
}

/// `lib/rustlib/HOST/bin` of the active toolchain.
fn find_linker(directory: &Path) -> Result<PathBuf, String> {
    let mut rustc = tool("rustc", directory);
    rustc.args(["--print", "sysroot"]);
    let sysroot = run::capture(rustc, QUESTION_TIMEOUT).map_err(|error| error.to_string())?;
    let rustlib = Path::new(sysroot.trim()).join("lib/rustlib");
    let entries =
        fs::read_dir(&rustlib).map_err(|error| format!("{}: {error}", rustlib.display()))?;
    entries
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .find(|bin| bin.join("wasm-component-ld").is_file())
        .ok_or_else(|| {
            format!(
                "the active toolchain has no wasm-component-ld under {}; it comes with rustup's Rust 1.82 and later",
                rustlib.display()
            )
        })
}

fn lock(cache: &Path, report: &dyn Fn(&str)) -> Result<fs::File, String> {
    let path = cache.join(format!("{NAME}.lock"));
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = fs::File::create(&path).map_err(failed)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        report("another process unpacks Debian's rustc; waiting for it");
        flock(&file, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
    }
    Ok(file)
}

fn install(cache: &Path, home: &Path, report: &dyn Fn(&str)) -> Result<(), String> {
    let partial = cache.join(format!("{NAME}.partial"));
    for stale in [&partial, &home.to_path_buf()] {
        match fs::remove_dir_all(stale) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(format!("{}: {error}", stale.display()));
            }
            _ => {}
        }
    }
    let mirror = configured_mirror()
        .ok_or("no Debian mirror in /etc/apt/sources.list or /etc/apt/sources.list.d")?;
    let work = partial.join("work");
    let done = fetch(&work, &mirror, report).and_then(|()| {
        report("unpacking Debian's rustc 1.85 (about 760 MB)");
        unpack(&work, &partial.join("root"))
    });
    done?;
    write_script(&partial).map_err(|error| format!("{}: {error}", partial.display()))?;
    fs::remove_dir_all(&work)
        .and_then(|()| fs::rename(&partial, home))
        .map_err(|error| format!("{}: {error}", partial.display()))?;
    report(&format!("Debian's rustc 1.85 is in {}", home.display()));
    Ok(())
}

/// From apt's own configuration, files in the order in which apt reads them.
fn configured_mirror() -> Option<Mirror> {
    let read = |path: &Path| {
        let text = fs::read_to_string(path).ok()?;
        match path.extension()?.to_str()? {
            "list" => sources::from_list(&text),
            "sources" => sources::from_deb822(&text),
            _ => None,
        }
    };
    let mut parts: Vec<PathBuf> = fs::read_dir("/etc/apt/sources.list.d")
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    parts.sort();
    parts.insert(0, "/etc/apt/sources.list".into());
    parts.iter().find_map(|path| read(path))
}

fn fetch(work: &Path, mirror: &Mirror, report: &dyn Fn(&str)) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", work.display());
    for directory in ["lists/partial", "cache/archives/partial", "packages"] {
        fs::create_dir_all(work.join(directory)).map_err(failed)?;
    }
    let keyring = mirror.signed_by.as_deref().unwrap_or(DEFAULT_KEYRING);
    let entry = format!(
        "Types: deb\nURIs: {}\nSuites: {SUITE}\nComponents: main\nSigned-By: {keyring}\n",
        mirror.uri
    );
    fs::write(work.join("debian.sources"), entry).map_err(failed)?;
    fs::write(work.join("status"), "").map_err(failed)?;
    report(&format!(
        "reading the package lists of {} {SUITE}",
        mirror.uri
    ));
    apt(work, &["update"], report)?;
    report(&format!(
        "fetching Debian's rustc 1.85 and its wasm library, {} packages, about 190 MB",
        PACKAGES.len()
    ));
    apt(work, &[&["download"], PACKAGES.as_slice()].concat(), report)
}

fn apt(work: &Path, arguments: &[&str], report: &dyn Fn(&str)) -> Result<(), String> {
    let mut apt = Command::new("apt-get");
    apt.arg("-q").current_dir(work.join("packages"));
    for (key, path) in [
        ("Dir::Etc::SourceList", "debian.sources"),
        ("Dir::State::Lists", "lists"),
        ("Dir::Cache", "cache"),
        ("Dir::State::status", "status"),
    ] {
        apt.arg("-o")
            .arg(format!("{key}={}", work.join(path).display()));
    }
    for option in [
        "Dir::Etc::SourceParts=/dev/null",
        // Its helper user cannot write to a directory of ours.
        "APT::Sandbox::User=root",
        "Acquire::Languages=none",
        // Without this, lists that cannot be fetched are a warning.
        "APT::Update::Error-Mode=any",
    ] {
        apt.args(["-o", option]);
    }
    apt.args(arguments);
    run::stream(apt, report)
        .map(drop)
        .map_err(|error| error.to_string())
}

fn unpack(work: &Path, root: &Path) -> Result<(), String> {
    let packages = work.join("packages");
    let entries =
        fs::read_dir(&packages).map_err(|error| format!("{}: {error}", packages.display()))?;
    let mut count = 0;
    for entry in entries.flatten() {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg("-x").arg(entry.path()).arg(root);
        run::stream(dpkg, &|_| {}).map_err(|error| error.to_string())?;
        count += 1;
    }
    if count < PACKAGES.len() {
        return Err(format!(
            "apt fetched {count} of {} packages",
            PACKAGES.len()
        ));
    }
    Ok(())
}

/// Starts rustc with the libraries it was built with, whatever the system's are. It finds its directory by its own
/// name, which cargo gives in full.
fn write_script(home: &Path) -> std::io::Result<()> {
    let libraries = home.join("root/usr/lib");
    let not_found = || {
        std::io::Error::new(
            ErrorKind::NotFound,
            "no loader among the unpacked libraries",
        )
    };
    let mut found = None;
    for entry in fs::read_dir(&libraries)?.flatten() {
        let Ok(files) = fs::read_dir(entry.path()) else {
            continue;
        };
        let loader = files
            .flatten()
            .map(|file| file.file_name().to_string_lossy().into_owned());
        if let Some(loader) = loader.into_iter().find(|name| name.starts_with("ld-linux"))
            && entry.file_name().to_string_lossy().contains("-linux-")
        {
            found = Some((entry.file_name().to_string_lossy().into_owned(), loader));
        }
    }
    let (triple, loader) = found.ok_or_else(not_found)?;
    let script = format!(
        "#!/bin/sh\nroot=${{0%/*}}/root/usr\nlibraries=$root/lib/{triple}\n\
         exec \"$libraries/{loader}\" --library-path \"$libraries\" \"$root/bin/rustc\" --sysroot \"$root\" \"$@\"\n"
    );
    let path = home.join("rustc");
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
}
