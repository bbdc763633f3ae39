//! A small file system in memory, to be filled.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

/// Mounted on a directory, and unmounted when it is dropped.
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Over a directory that is there; `size` is as of `mount`, e.g. `32m`.
    ///
    /// # Errors
    /// Nothing can be mounted here: why.
    pub fn mount(path: &Path, size: &str) -> Result<Self, String> {
        let options = format!("size={size},mode=0700");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "mainstay-test"])
            .arg(path)
            .output()
            .map_err(|error| format!("there is no program `mount`: {error}"))?;
        if output.status.success() {
            let path = path.to_owned();
            return Ok(Self { path });
        }
        let why = String::from_utf8_lossy(&output.stderr);
        Err(format!("a tmpfs cannot be mounted here: {}", why.trim()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It takes nothing any more; nobody may have a file of it open to be written.
    pub fn make_read_only(&self) {
        let mut mount = Command::new("mount");
        let status = mount.args(["-o", "remount,ro"]).arg(&self.path).status();
        assert!(status.unwrap().success());
    }

    /// Takes every byte that is left, by a file of this name.
    pub fn fill(&self, name: &str) {
        let mut filler = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path.join(name))
            .unwrap();
        let block = vec![0xa5; 1 << 20];
        let mut size = block.len();
        while size > 0 {
            match filler.write(&block[..size]) {
                // What is written in part is all that was left.
                Ok(written) => size = size.min(written.max(1)),
                Err(error) if error.kind() == ErrorKind::StorageFull => size /= 2,
                Err(error) => panic!("the disk cannot be filled: {error}"),
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
