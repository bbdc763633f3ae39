//! Makes a table of the components that the program carries: those that lie in `carried/`. Nothing is built here, so that the
//! program needs no compiler for another machine, and no network, to be built itself.

use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=carried");
    let directory = |name: &str| {
        let value = env::var_os(name).map(PathBuf::from);
        value.ok_or_else(|| io::Error::other(format!("cargo has not set {name}")))
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory("CARGO_MANIFEST_DIR")?.join("carried"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    let rows = files.iter().filter_map(|path| {
        let name = path.file_stem()?.to_str()?;
        let path = path.to_str()?;
        Some(format!("    ({name:?}, include_bytes!({path:?}).as_slice()),\n"))
    });
    let table = format!("&[\n{}]\n", rows.collect::<String>());
    fs::write(directory("OUT_DIR")?.join("carried.rs"), table)
}
