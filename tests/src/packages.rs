//! Real services for the tests: Redis, nginx, PostgreSQL and Prometheus, and age, zstd and jq, out of the packages of the
//! Debian that runs the tests.
//!
//! Invariant: nothing of the system changes. apt works on lists and a cache of its own, packages are checked against the
//! archive's signature as always, and what the system already has is used as it is.
//! They are unpacked where temporary files are, for PostgreSQL runs as another user, who cannot look into the build.

use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// What is unpacked, with what it depends on.
const PACKAGES: [&str; 7] = [
    "redis-server",
    "nginx",
    "postgresql",
    "prometheus",
    "age",
    "zstd",
    "jq",
];

/// Where the programs of the packages are.
pub struct Packages {
    root: PathBuf,
}

/// Unpacks the packages where that was not done before. Panics with apt's words where they cannot be had.
pub fn packages() -> &'static Packages {
    static UNPACKED: OnceLock<Packages> = OnceLock::new();
    UNPACKED.get_or_init(|| {
        let user = rustix::process::geteuid().as_raw();
        let home = std::env::temp_dir().join(format!("mainstay-test-packages-{user}"));
        fs::create_dir_all(&home).unwrap();
        let owner = fs::metadata(&home).unwrap().uid();
        assert_eq!(owner, user, "{} belongs to somebody else", home.display());
        let lock = File::create(home.join("lock")).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        // What was unpacked of another list has a place of its own.
        let root = home.join(format!("root-{}", PACKAGES.join("-")));
        if !root.is_dir() {
            unpack(&home, &root);
        }
        Packages { root }
    })
}

impl Packages {
    /// A program that is unpacked, else that of the system.
    pub fn program(&self, name: &str) -> PathBuf {
        let roots = [self.root.as_path(), Path::new("/")];
        // Of PostgreSQL several versions may be there: the newest. What is in /usr/bin only chooses one.
        let mut places: Vec<PathBuf> = Vec::new();
        for root in roots {
            let versions = fs::read_dir(root.join("usr/lib/postgresql"));
            let versions = versions.into_iter().flatten();
            places.extend(versions.map(|version| version.unwrap().path().join("bin")));
        }
        places.sort();
        places.reverse();
        for root in roots {
            places.extend(["usr/bin", "usr/sbin"].map(|below| root.join(below)));
        }
        let found = places.into_iter().map(|place| place.join(name));
        let mut found = found.filter(|program| program.is_file());
        found
            .next()
            .unwrap_or_else(|| panic!("no package has {name}"))
    }

    /// `LD_LIBRARY_PATH` for the programs: what is unpacked, then what the system has.
    pub fn libraries(&self) -> String {
        let lib = self.root.join("usr/lib");
        let architectures = fs::read_dir(&lib).into_iter().flatten();
        let directories = architectures
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir() && path.to_string_lossy().contains("-linux-gnu"));
        let paths: Vec<String> = directories.map(|path| path.display().to_string()).collect();
        paths.join(":")
    }
}

fn unpack(home: &Path, root: &Path) {
    let lists = home.join("lists");
    let cache = home.join("cache");
    let unfinished = home.join("unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    for made in [
        &lists.join("partial"),
        &cache.join("archives/partial"),
        &unfinished,
    ] {
        fs::create_dir_all(made).unwrap();
    }
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.current_dir(&cache)
            .args(["-q", "-o", "Debug::NoLocking=1", "-o"])
            .arg(format!("Dir::State::Lists={}", lists.display()))
            .arg("-o")
            .arg(format!("Dir::Cache={}", cache.display()))
            .args(arguments);
        run(apt)
    };
    apt(&["update"]);
    let mut wanted = vec!["install", "--print-uris", "-y", "--no-install-recommends"];
    wanted.extend(PACKAGES);
    // A line for each that the system does not have: 'URI' NAME_VERSION_ARCHITECTURE.deb SIZE SUM
    let lines = apt(&wanted);
    let missing: Vec<&str> = lines
        .lines()
        .filter(|line| line.starts_with('\''))
        .filter_map(|line| line.split_whitespace().nth(1)?.split('_').next())
        .collect();
    if !missing.is_empty() {
        let mut download = vec!["download"];
        download.extend(&missing);
        apt(&download);
    }
    for entry in fs::read_dir(&cache).unwrap() {
        let package = entry.unwrap().path();
        if package.extension().is_some_and(|kind| kind == "deb") {
            let mut dpkg = Command::new("dpkg");
            dpkg.arg("-x").arg(&package).arg(&unfinished);
            run(dpkg);
        }
    }
    fs::rename(&unfinished, root).unwrap();
    let _ = fs::remove_dir_all(&cache);
    let _ = fs::remove_dir_all(&lists);
}

fn run(mut command: Command) -> String {
    let output = command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
