//! Plugins of many megabytes, as those in Python are.
//!
//! A build of the program without optimisation compiles one for a minute. So it is compiled once for all tests of a process.

use crate::{Daemon, HOST, sleeper, wait_within};
use std::{
    collections::HashMap,
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Longer than the slowest machine compiles one.
const COMPILING: Duration = Duration::from_secs(600);

/// What a state directory keeps of what was compiled: names, and what the files hold.
type Compiled = Vec<(PathBuf, Vec<u8>)>;

impl Daemon {
    /// As [`Daemon::drop_plugin`], before the first start of the daemon, which finds it compiled.
    pub fn drop_large_plugin(&self, component: &Path) {
        static COMPILED: Mutex<Option<HashMap<PathBuf, Compiled>>> = Mutex::new(None);
        let mut known = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = known.get_or_insert_default();
        let compiled = compiled
            .entry(component.to_owned())
            .or_insert_with(|| compile(component));
        let state = self.path("state");
        for (name, content) in compiled {
            let path = state.join(name);
            let mut private = fs::DirBuilder::new();
            private.recursive(true).mode(0o700);
            private.create(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        self.drop_plugin(component);
    }
}

fn compile(component: &Path) -> Compiled {
    let mut daemon = Daemon::prepare(&[HOST, &sleeper("compiler")].concat());
    daemon.drop_plugin(component);
    daemon.run();
    wait_within(COMPILING, "a large plugin to serve", || {
        let plugins = daemon.json(&["status"])["plugins"].clone();
        match plugins[0]["state"] == "serving" {
            true => Ok(()),
            false => Err(plugins.to_string()),
        }
    });
    daemon.end();
    let state = daemon.path("state");
    let files = fs::read_dir(state.join("compiled")).unwrap();
    let names = files.map(|file| Path::new("compiled").join(file.unwrap().file_name()));
    let names = names.chain([PathBuf::from("compiled.key")]);
    let read = |name: PathBuf| {
        let content = fs::read(state.join(&name)).unwrap();
        (name, content)
    };
    names.map(read).collect()
}
