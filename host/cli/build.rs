//! Puts into the program what it gives away: the components that lie in `carried/`, and the SDK's sources, so that a new
//! plugin needs neither the source tree nor a registry. Nothing is built here, so that the program needs no compiler for
//! another machine, and no network, to be built itself.

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// What of the SDK's directory is carried; its manifest is written anew for where it is unpacked.
const OF_SDK: [&str; 2] = ["src", "wit"];

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("carried.rs"), components(&here)?)?;
    fs::write(out.join("sdk.rs"), sdk(&here)?)?;
    if env::var("PROFILE").as_deref() == Ok("release") {
        // The lines of our own code, for backtraces, are two thirds of the program; compressed they are a third. What is
        // built all the time is linked without, for that takes longer. `-O2` has the linker compress them well.
        println!("cargo::rustc-link-arg-bins=-Wl,--compress-debug-sections=zlib,-O2");
    }
    Ok(())
}

/// A table of the components.
fn components(here: &Path) -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-changed=carried");
    let files = files_below(&here.join("carried"), &["zst"])?;
    let mut table = String::from("&[\n");
    for file in files {
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.and_then(|name| name.strip_suffix(".wasm.zst"));
        let name = name.ok_or("what is carried is called NAME.wasm.zst")?;
        writeln!(
            table,
            "    ({name:?}, include_bytes!({file:?}).as_slice()),"
        )?;
    }
    table.push_str("]\n");
    Ok(table)
}

/// The SDK's files: where, below its directory, and the text.
fn sdk(here: &Path) -> Result<String, Box<dyn Error>> {
    let sdk = here.join("../../plugin-sdk").canonicalize()?;
    let mut code = String::from("/// Where, below the SDK's directory, and the text.\n");
    code.push_str("const FILES: &[(&str, &str)] = &[\n");
    for directory in OF_SDK {
        println!("cargo::rerun-if-changed={}", sdk.join(directory).display());
        for file in files_below(&sdk.join(directory), &["rs", "wit"])? {
            let below = file.strip_prefix(&sdk)?;
            writeln!(code, "    ({below:?}, include_str!({file:?})),")?;
        }
    }
    code.push_str("];\n");
    Ok(code)
}

/// All files of these kinds in a directory and below it, sorted.
fn files_below(directory: &Path, kinds: &[&str]) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path, kinds)?);
        } else if kinds
            .iter()
            .any(|kind| path.extension().is_some_and(|found| found == *kind))
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
